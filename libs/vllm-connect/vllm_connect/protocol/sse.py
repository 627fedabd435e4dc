r"""Server-sent events: from bytes in any pieces to the data of complete events.

`data: {"a": 1}\n\ndata: [DONE]\n\n` is two events. Rules: WHATWG HTML, section 9.2 "Server-sent events": one
byte-order mark at the start, lines that end in LF, CR or CRLF, comments, an event ends at a blank line, an event
without data or without its blank line is ignored. One rule is stricter: data that is not UTF-8 is an error,
because a replacement character in a tool's arguments would be a silent change.
"""

from vllm_connect.errors import ProtocolError

__all__ = ["EVENT_STREAM", "MAX_EVENT_BYTES", "NamedEvent", "SSEDecoder"]

EVENT_STREAM = "text/event-stream"
"""The media type of a stream."""

MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class NamedEvent(bytes):
    """The data of an event that the server gave a name other than `message`.

    Attributes:
        name: The name.
    """

    name: str


class SSEDecoder:
    """Decodes a stream of bytes into events.

    Args:
        max_event_bytes: The largest event, in bytes of its data lines.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._head: bytes | None = b""  # the first bytes, until a byte-order mark can be ruled out
        self._line: list[bytes] = []  # pieces of the unfinished line
        self._line_size = 0
        self._after_cr = False
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = ""

    def feed(self, data: bytes) -> list[str]:
        """Decode the next bytes.

        Args:
            data: Bytes of the stream, split anywhere.

        Returns:
            The data of each event that they complete, its lines joined by LF.

        Raises:
            ProtocolError: An event is too large, or is not UTF-8.
        """
        try:
            return [event.decode() for event in self.feed_bytes(data)]
        except UnicodeDecodeError as error:
            raise ProtocolError(
                f"the stream is not UTF-8 at byte {error.start} of an event: the server or a proxy has corrupted it",
                code="invalid_utf8",
            ) from None

    def feed_bytes(self, data: bytes) -> list[bytes]:
        """Decode the next bytes as `feed` does, but return bytes; a `NamedEvent` where the event has a name."""
        if self._head is not None:
            data = self._skip_mark(self._head + data)
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 10:  # noqa: PLR2004 - LF, the second half of CRLF
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return []
        lines = b"".join((*self._line, data[:end])) if self._line else data[:end]
        self._line.clear()
        self._line_size = 0
        events = self._events(lines)
        self._hold(data[end:])
        return events

    def _skip_mark(self, data: bytes) -> bytes:
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._line.append(piece)
            self._line_size += len(piece)
            self._check(self._line_size + self._data_size)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ProtocolError(
                f"an event of the stream is larger than {self._limit} bytes: this is not an answer of a model",
                code="response_too_large",
            )

    def _events(self, lines: bytes) -> list[bytes]:
        """Read complete lines; each ends in LF."""
        events: list[bytes] = []
        if self._data or self._name:
            first, blank, lines = self._to_blank(lines)
            self._read(first)
            if not blank:
                return events
            self._dispatch(events)
        *blocks, rest = lines.split(b"\n\n")
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block and len(block) <= self._limit:
                events.append(block[6:])
            elif block:
                self._read_block(block, events)
        if rest:
            self._read_block(rest, events, ended=False)
        return events

    @staticmethod
    def _to_blank(lines: bytes) -> tuple[bytes, bool, bytes]:
        """Split at the first blank line: what precedes it, whether there is one, what follows it."""
        if lines.startswith(b"\n"):
            return b"", True, lines[1:]
        before, blank, after = lines.partition(b"\n\n")
        return before, bool(blank), after

    def _read_block(self, block: bytes, events: list[bytes], *, ended: bool = True) -> None:
        """Read lines without a blank line, except perhaps the first; `ended` says whether the event ends after them."""
        if block.startswith(b"\n"):
            block = block[1:]
        self._read(block)
        if ended:
            self._dispatch(events)

    def _read(self, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                self._data.append(value)
                self._data_size += len(line)
                self._check(self._data_size)
            elif field == b"event":
                self._name = value.decode("utf-8", "replace")

    def _dispatch(self, events: list[bytes]) -> None:
        data, name = self._data, self._name
        self._data, self._data_size, self._name = [], 0, ""
        if not data:
            return
        if name in ("", "message"):
            events.append(b"\n".join(data))
            return
        named = NamedEvent(b"\n".join(data))
        named.name = name
        events.append(named)
