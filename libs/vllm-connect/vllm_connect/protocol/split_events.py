r"""What of a stream is taken at a time: all that has come, or one event.

`data: 1\n\ndata: 2\n\nda` is one piece, or the three `data: 1\n\n`, `data: 2\n\n` and `da`. The decoder puts together
whatever is cut, so a cut decides only which events leave together.
"""

__all__ = ["apart", "whole"]


def whole(data: bytes) -> tuple[bytes]:
    """Take all that has come."""
    return (data,)


def apart(data: bytes) -> list[bytes]:
    """Cut after each blank line.

    Args:
        data: Bytes of a stream whose lines end in LF or CRLF.
    """
    end = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    *pieces, rest = data.split(end)
    return [*(piece + end for piece in pieces), *([rest] if rest else ())]
