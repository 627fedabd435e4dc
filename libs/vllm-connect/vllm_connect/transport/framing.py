r"""Where the body of a message ends, and how it is unpacked: bytes in, bytes out, no I/O.

Chunked, `6\r\ndata: \r\n0\r\n\r\n` is the body `data: `; otherwise `content-length: 6` says it, or the end of the
connection. All chunks of one read leave as one piece. Source: RFC 9112, sections 6 and 7; RFC 1952 for gzip.
"""

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from vllm_connect.errors import ProtocolError

__all__ = ["MAX_BODY_BYTES", "Chunked", "Counted", "Framing", "Gzip", "Limit", "Open", "framing_of"]

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest body that is no stream, unpacked."""

MAX_SIZE_LINE = 4096
MAX_TRAILER_BYTES = 65536
PIECE = 1024 * 1024
"""Most bytes that are unpacked at once, so that a small input cannot fill the memory."""

HEX = frozenset(b"0123456789abcdefABCDEF")


class Framing:
    """Finds the end of a body.

    Attributes:
        ended: The body is complete.
        surplus: Bytes came after its end; the connection is not to be used again.
    """

    ended = False
    surplus = False

    def feed(self, data: bytes) -> bytes:
        """Take what was read and give what of it is body."""
        raise NotImplementedError

    def eof(self) -> bool:
        """Take the end of the connection; say whether the body is complete."""
        return self.ended


class Counted(Framing):
    """A body of known length.

    Args:
        length: The length, in bytes.
    """

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = length == 0

    def feed(self, data: bytes) -> bytes:
        """Take what was read and give what of it is body."""
        if len(data) > self._left:
            self.surplus = True
            data = data[: self._left]
        self._left -= len(data)
        self.ended = self._left == 0
        return data


class Open(Framing):
    """A body that ends with the connection."""

    def feed(self, data: bytes) -> bytes:
        """Take what was read and give what of it is body."""
        return data

    def eof(self) -> bool:
        """Take the end of the connection; the body is complete by definition."""
        self.ended = self.surplus = True
        return True


class Chunked(Framing):
    """A body in chunks, each after its size."""

    def __init__(self) -> None:
        self._rest = b""  # a line that is not complete
        self._left = 0  # of the chunk at hand
        self._gap = False  # a line end is due, after a chunk
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """Take what was read and give what of it is body.

        Raises:
            ProtocolError: A size is none, or a chunk does not end where it should.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, size = min(self._left, len(data)), len(data)
        self._left -= at
        pieces = [data[:at]] if at else []
        gap = self._gap
        while at < size and not self._trailer:
            if gap:
                if size - at == 1:
                    break
                if data[at : at + 2] != b"\r\n":
                    raise _broken("a chunk is longer than its size")
                at += 2
                gap = False
            end = data.find(b"\n", at)
            if end < 0:
                break
            length = _chunk_size(data[at:end])
            at = end + 1
            if not length:
                self._trailer = True
                break
            gap = True
            pieces.append(data[at : at + length])
            at += length
        self._gap = gap
        if at > size:
            self._left = at - size
        elif self._trailer:
            self._end(data[at:])
        else:
            self._rest = data[at:]
            if len(self._rest) > MAX_SIZE_LINE:
                raise _broken("a chunk's size line has no end")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _end(self, data: bytes) -> None:
        """Read trailers, which nobody wants, up to the blank line."""
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            line, at = data[at:end], end + 1
            if not line.rstrip(b"\r"):
                self.ended = True
                self.surplus = at < len(data)
                return
        self._rest = data[at:]
        if len(self._rest) > MAX_TRAILER_BYTES:
            raise _broken("the trailer has no end")


@lru_cache(maxsize=1024)  # most chunks of a stream are of a few sizes
def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 16 or not HEX.issuperset(digits):  # noqa: PLR2004 - 64 bits in hexadecimal
        raise _broken("a chunk's size is no number")
    return int(digits, 16)


def _broken(what: str) -> ProtocolError:
    return ProtocolError(f"the server's answer is broken HTTP: {what}; look for a proxy between", code="bad_http")


def framing_of(headers: Mapping[str, str]) -> Framing:
    """Choose how the end of a body is found.

    Args:
        headers: The answer's headers, their names in lower case.

    Returns:
        A fresh framing.

    Raises:
        ProtocolError: The length is no number.
    """
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        return Chunked()
    length = headers.get("content-length")
    if length is None:
        return Open()
    if not (length.isascii() and length.isdigit()):
        raise _broken("the content length is no number")
    return Counted(int(length))


class Limit:
    """Counts the bytes of a body.

    Args:
        limit: How many there may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def take(self, data: bytes) -> bytes:
        """Pass a piece on.

        Raises:
            ProtocolError: It is one too many.
        """
        self._left -= len(data)
        if self._left < 0:
            raise ProtocolError(
                f"the server's answer is larger than {self._limit} bytes: ask for less, or for a stream",
                code="response_too_large",
            )
        return data


class Gzip:
    """Unpacks a body that was sent with `content-encoding: gzip`."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(31)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Unpack a piece.

        Args:
            data: The packed bytes.

        Yields:
            Pieces of limited size, so that the receiver can stop.

        Raises:
            ProtocolError: The bytes are not gzip.
        """
        while data:
            if self._unpack.eof:  # one packed file may follow another (RFC 1952, section 2.2)
                self._unpack = zlib.decompressobj(31)
            try:
                piece = self._unpack.decompress(data, PIECE)
            except zlib.error:
                piece = None
            if piece is None:
                raise ProtocolError("the server's answer is not the gzip it claims to be", code="bad_encoding")
            data = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
            if piece:
                yield piece

    def complete(self) -> bool:
        """Tell whether the packed bytes came to their end."""
        return self._unpack.eof
