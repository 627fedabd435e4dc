"""Server-sent events by the WHATWG rules, in any cutting."""

import pytest
from hypothesis import given, strategies as st
from vllm_connect import ProtocolError, SSEDecoder
from vllm_connect.protocol.sse import NamedEvent

from tests.fuzzing import examples

CASES: list[tuple[str, bytes, list[str]]] = [
    ("one event", b"data: x\n\n", ["x"]),
    ("two events", b"data: x\n\ndata: y\n\n", ["x", "y"]),
    ("no blank line at the end", b"data: x\n", []),
    ("no end at all", b"data: x", []),
    ("no space", b"data:x\n\n", ["x"]),
    ("one of two spaces", b"data:  x\n\n", [" x"]),
    ("a tab is no space", b"data:\tx\n\n", ["\tx"]),
    ("lines are joined", b"data: x\ndata: y\n\n", ["x\ny"]),
    ("an empty line of data", b"data: x\ndata\ndata: y\n\n", ["x\n\ny"]),
    ("empty data", b"data:\n\n", [""]),
    ("the bare field", b"data\n\n", [""]),
    ("two bare fields", b"data\ndata\n\n", ["\n"]),
    ("CRLF", b"data: x\r\n\r\ndata: y\r\n\r\n", ["x", "y"]),
    ("CR", b"data: x\r\rdata: y\r\r", ["x", "y"]),
    ("mixed ends", b"data: x\r\ndata: y\n\r\n", ["x\ny"]),
    ("CR then LF is one end", b"data: x\r\n\n", ["x"]),
    ("byte-order mark", b"\xef\xbb\xbfdata: x\n\n", ["x"]),
    ("two marks", b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),
    ("a mark later", b"data: x\n\n\xef\xbb\xbfdata: y\n\n", ["x"]),
    ("comment", b": keep-alive\n\n", []),
    ("comment inside", b"data: x\n: c\ndata: y\n\n", ["x\ny"]),
    ("comment after a field", b"id: 1\n: c\n\n", []),
    ("retry alone", b"retry: 10\n\n", []),
    ("event alone", b"event: x\n\n", []),
    ("id alone", b"id: x\n\n", []),
    ("event name is not kept", b"event: x\n\ndata: y\n\n", ["y"]),
    ("unknown field", b"foo: x\ndata: y\n\n", ["y"]),
    ("field in capitals", b"DATA: x\n\n", []),
    ("space before the field", b" data: x\n\n", []),
    ("space after the field", b"data : x\n\n", []),
    ("colon in the value", b"data: a:b: c\n\n", ["a:b: c"]),
    ("many blank lines", b"\n\n\ndata: x\n\n\n\ndata: y\n\n", ["x", "y"]),
    ("line separators inside", "data: a\u2028b\u0085c\n\n".encode(), ["a\u2028b\u0085c"]),
    ("form feed inside", b"data: a\x0cb\n\n", ["a\x0cb"]),
    ("NUL inside", b"data: a\x00b\n\n", ["a\x00b"]),
    ("more than ASCII", "data: 東京 🎉\n\n".encode(), ["東京 🎉"]),
    ("named message", b"event: message\ndata: x\n\n", ["x"]),
    ("named event", b"event: error\ndata: x\n\n", ["x"]),
    ("trailing fields", b"data: x\nid: 1\nretry: 3\n\n", ["x"]),
    ("leading fields", b"id: 1\nevent: e\ndata: x\n\n", ["x"]),
    ("only newlines", b"\r\n\r\n\n\r", []),
    ("done", b"data: [DONE]\n\n", ["[DONE]"]),
    ("nothing", b"", []),
]


def read(pieces: list[bytes]) -> list[str]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(("data", "events"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_case_in_every_cutting(data: bytes, events: list[str]) -> None:
    assert read([data]) == events
    assert read([data[i : i + 1] for i in range(len(data))]) == events
    for first in range(len(data) + 1):
        assert read([data[:first], data[first:]]) == events
        for second in range(first, len(data) + 1):
            assert read([data[:first], data[first:second], data[second:]]) == events


LINES = st.sampled_from(
    [b"data: x", b"data", b"data:", b":c", b"event: e", b"id: 1", b"\n", b"\n\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"z"]
)


def by_lines(data: bytes) -> list[str]:
    """Decode line by line, as the specification is written."""
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[str] = []
    held: list[bytes] = []
    for line in data.split(b"\n")[:-1]:
        field, _, value = line.partition(b":")
        if not line:
            events += [b"\n".join(held).decode()] if held else []
            held = []
        elif field == b"data":
            held.append(value.removeprefix(b" "))
    return events


@examples(1000)
@given(st.lists(LINES, max_size=16), st.lists(st.integers(1, 7), min_size=1, max_size=8))
def test_any_stream_in_any_cutting(lines: list[bytes], widths: list[int]) -> None:
    data = b"".join(lines)
    pieces, at, turn = [], 0, 0
    while at < len(data):
        width = widths[turn % len(widths)]
        pieces.append(data[at : at + width])
        at, turn = at + width, turn + 1
    assert read(pieces) == by_lines(data)


def test_invalid_utf8_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="not UTF-8") as caught:
        SSEDecoder().feed(b"data: \xff\n\n")
    assert caught.value.code == "invalid_utf8"


@pytest.mark.parametrize("ending", [b"\n\n", b""])
def test_the_limit_is_exact(ending: bytes) -> None:
    limit = 100
    fits = b"data: " + b"x" * (limit - 6)
    assert SSEDecoder(limit).feed(fits + b"\n\n") == ["x" * (limit - 6)]
    with pytest.raises(ProtocolError, match="larger than 100 bytes"):
        SSEDecoder(limit).feed(fits + b"xxxxxxxxx" + ending)


def test_a_line_without_end_is_limited() -> None:
    decoder = SSEDecoder(1000)
    decoder.feed(b"data: " + b"x" * 900)
    with pytest.raises(ProtocolError, match="larger"):
        decoder.feed(b"x" * 100)


def test_lines_of_one_event_are_limited_together() -> None:
    decoder = SSEDecoder(1000)
    decoder.feed(b"data: " + b"x" * 900 + b"\n")
    with pytest.raises(ProtocolError, match="larger"):
        decoder.feed(b"data: " + b"x" * 100 + b"\n")


def test_a_named_event_has_its_name() -> None:
    (event,) = SSEDecoder().feed_bytes(b"event: error\ndata: x\n\n")
    assert isinstance(event, NamedEvent)
    assert event.name == "error"


def test_an_event_named_message_is_like_one_without_a_name() -> None:
    (event,) = SSEDecoder().feed_bytes(b"event: message\ndata: x\n\n")
    assert (event, type(event)) == (b"x", bytes)
