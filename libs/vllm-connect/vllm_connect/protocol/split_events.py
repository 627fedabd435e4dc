r"""The single events of what arrived of a stream together.

`data: 1\n\ndata: 2\n\nda` is `data: 1\n\n`, `data: 2\n\n` and `da`. The decoder joins whatever is split, so this decides only
which events leave together.
"""

__all__ = ["split_events"]


def split_events(data: bytes) -> list[bytes]:
    """Split after each blank line.

    Args:
        data: Bytes of a stream whose lines end in LF or CRLF.
    """
    end = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    *pieces, rest = data.split(end)
    return [*(piece + end for piece in pieces), *([rest] if rest else ())]
