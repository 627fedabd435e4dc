r"""How much of a stream is read at a time: all that has arrived, or one event.

`data: 1\n\ndata: 2\n\nda` is one piece, or the three `data: 1\n\n`, `data: 2\n\n` and `da`. The decoder joins whatever
is split, so this decides only which events leave together.
"""

__all__ = ["split_events", "unsplit"]


def unsplit(data: bytes) -> tuple[bytes]:
    """Return all that has arrived as one piece."""
    return (data,)


def split_events(data: bytes) -> list[bytes]:
    """Split after each blank line.

    Args:
        data: Bytes of a stream whose lines end in LF or CRLF.
    """
    end = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    *pieces, rest = data.split(end)
    return [*(piece + end for piece in pieces), *([rest] if rest else ())]
