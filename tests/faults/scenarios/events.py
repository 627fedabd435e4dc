"""Streams: cut, stalled, mixed up, badly framed, or no streams at all."""

from vllm_connect import (
    ConfigurationError,
    ProtocolError,
    RequestTimeoutError,
    ServerFailureError,
    StreamInterruptedError,
)

from tests.faults.fault import Fault, Wants
from tests.faults.replies import error, piece, whole
from tests.faults.server import (
    END,
    STREAM_HEAD,
    Action,
    Script,
    answer,
    chunk,
    close,
    event,
    forever,
    head,
    reset,
    send,
    stall,
    stream,
    trickle,
)

__all__ = ["FAULTS"]

NO_STREAM = "the answer comes in one piece"
HEL, STOP = piece(content="Hel"), piece("stop")
UNFRAMED = head(headers={"content-type": "text/event-stream", "connection": "close"})


def cut(number: str, title: str, *actions: Action, partial: str | None = "Hel") -> Fault:
    """A stream that ends before its answer does."""
    wants = Wants(StreamInterruptedError, partial=partial)
    return Fault(
        number, title, wants, stream=[[send(STREAM_HEAD), *actions]], why_not=NO_STREAM, settings={"max_retries": 2}
    )


def fine(
    number: str, title: str, *scripts: Script, text: str = "Hello", seconds: float = 5.0, **facts: object
) -> Fault:
    """A stream that is odd, and an answer all the same."""
    return Fault(number, title, Wants(text=text, facts=facts), stream=scripts, why_not=NO_STREAM, seconds=seconds)


def broken(number: str, title: str, *actions: Action, says: str = "", **facts: object) -> Fault:
    """A stream that is not one after its first event."""
    wants = Wants(ProtocolError, facts, says=says, partial="Hel")
    script = [send(STREAM_HEAD), send(event(HEL)), *actions]
    return Fault(number, title, wants, stream=[script], why_not=NO_STREAM, settings={"max_retries": 2})


def reported(number: str, title: str, *actions: Action, status: int = 500, partial: str | None = "Hel") -> Fault:
    """An error in the stream, which is the end however many retries there may be."""
    wants = Wants(ServerFailureError, {"code": "in_stream_error", "status": status}, says="died|busy", partial=partial)
    script = [send(STREAM_HEAD), *actions, send(event("[DONE]") + END)]
    return Fault(number, title, wants, stream=[script], why_not=NO_STREAM, settings={"max_retries": 2})


def late(number: str, title: str, *actions: Action, **timeouts: float) -> Fault:
    """A stream that takes too long after its first event."""
    (phase,) = timeouts
    wants = Wants(RequestTimeoutError, {"phase": phase}, partial="Hel")
    script = [send(STREAM_HEAD + event(HEL)), *actions]
    settings = {"timeout": timeouts, "max_retries": 2}
    return Fault(number, title, wants, stream=[script], why_not=NO_STREAM, settings=settings, seconds=1)


def raw(data: bytes) -> Action:
    return send(chunk(data))


WHOLE = b"".join(event(each) for each in (HEL, piece(content="lo"), STOP, "[DONE]")) + END
PLAIN = b"".join(
    b"data: %s\n\n" % line
    for line in (
        b'{"choices":[{"index":0,"delta":{"content":"Hel"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"lo"}}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        b"[DONE]",
    )
)
OTHER = {**whole("Goodbye")["choices"][0], "index": 1}
BY_TURNS = [
    stream(
        HEL,
        piece(content="Good", index=1),
        piece(content="lo"),
        piece(content="bye", index=1),
        STOP,
        piece("stop", index=1),
    )
]

FAULTS = (
    cut("F38", "broken off in the middle", send(event(HEL)), reset),
    cut("F39", "cut inside of a chunk", send(event(HEL) + b"ff\r\ndata: {"), close),
    cut("F40", "a clean end, no finish reason, no [DONE]", send(event(HEL) + END)),
    Fault(
        "F41",
        "the connection ends before the answer",
        Wants(StreamInterruptedError, partial="Hel"),
        stream=[[send(UNFRAMED + PLAIN[: PLAIN.index(b"data", 4)]), close]],
        why_not=NO_STREAM,
    ),
    cut("F42", "[DONE] without a finish reason", send(event(HEL) + event("[DONE]") + END)),
    fine("F43", "a finish reason without [DONE]", [*stream(HEL, piece(content="lo"), STOP, done=False), send(END)]),
    Fault(
        "F44",
        "the last event lacks its empty line",
        Wants(StreamInterruptedError, partial="Hel"),
        stream=[[send(STREAM_HEAD + event(HEL) + chunk(event(STOP).split(b"\r\n")[1][:-2]) + END)]],
        why_not=NO_STREAM,
    ),
    fine(
        "F45", "[DONE], and the server stays on", [*stream(HEL, piece(content="lo"), STOP, "[DONE]", done=False), stall]
    ),
    fine("F46", "data after [DONE]", stream(HEL, piece(content="lo"), STOP, "[DONE]", HEL, done=False)),
    reported("F47a", "an error as the first event", send(event(error())), partial=None),
    Fault(
        "F47b",
        "busy as the first event, then an answer",
        Wants(text="Hello", requests=2),
        stream=[stream(error("busy", 503)), stream(HEL, piece(content="lo"), STOP)],
        why_not=NO_STREAM,
        settings={"max_retries": 2},
    ),
    reported("F48", "an error after text", send(event(HEL) + event(error("busy", 503))), status=503),
    reported(
        "F49a",
        "an event named error",
        send(event(HEL)),
        raw(b'event: error\ndata: {"error":{"message":"died","code":500}}\n\n'),
    ),
    reported(
        "F49b",
        "the error of an old server",
        send(event(HEL) + event({"object": "error", "message": "died", "type": "InternalServerError", "code": 500})),
    ),
    *(
        Fault(
            number,
            f"finish reason {reason}",
            Wants(StreamInterruptedError, {"code": "aborted"}, partial="Hel"),
            stream=[stream(HEL, piece(reason))],
            unary=[answer(whole("Hel", reason))],
            settings={"max_retries": 2},
        )
        for number, reason in (("F50a", "abort"), ("F50b", "error"))
    ),
    Fault(
        "F51",
        "finish reason length",
        Wants(text="Hel", facts={"finish": "length"}),
        stream=[stream(HEL, piece("length"))],
        unary=[answer(whole("Hel", "length"))],
    ),
    late("F52", "silence after some text", stall, stall=0.2),
    late("F53", "comments for ever and no data", forever(chunk(b": alive\n\n"), 0.02), stall=0.2),
    late("F54a", "a byte at a time, for ever", forever(chunk(b"d"), 0.02), total=0.3),
    late("F54b", "a byte at a time and no event", forever(chunk(b"d"), 0.02), stall=0.2),
    fine("F55", "a whole answer in reply to a stream", answer(whole("Hello"))),
    Fault(
        "F56",
        "events that say they are a web page",
        Wants(ProtocolError),
        stream=[[send(head(headers={"content-type": "text/html", "connection": "close"}) + PLAIN), close]],
        why_not=NO_STREAM,
    ),
    cut("F57a", "an empty stream", send(END), partial=None),
    cut("F57b", "[DONE] alone", send(event("[DONE]") + END), partial=None),
    fine("F58a", "every byte alone", [send(STREAM_HEAD), trickle(WHOLE)]),
    fine("F58b", "lines that end in CR LF", [send(UNFRAMED + PLAIN.replace(b"\n", b"\r\n")), close]),
    fine("F58c", "the same, cut at every byte", [send(UNFRAMED), trickle(PLAIN.replace(b"\n", b"\r\n")), close]),
    fine("F58d", "lines that end in CR", [send(UNFRAMED + PLAIN.replace(b"\n", b"\r")), close]),
    fine(
        "F58e", "lines that end in this and that", [send(UNFRAMED), trickle(PLAIN.replace(b"\n\n", b"\r\r\n")), close]
    ),
    fine("F59a", "a byte order mark", [send(UNFRAMED + b"\xef\xbb\xbf" + PLAIN), close]),
    fine(
        "F59b",
        "a byte order mark in three pieces",
        [send(UNFRAMED), trickle(b"\xef\xbb\xbf" + PLAIN[:40]), send(PLAIN[40:]), close],
    ),
    fine(
        "F60",
        "comments, ids, retries and empty events",
        [send(UNFRAMED + b": hi\n\nid: 1\n: again\n\nretry: 5\n\nevent: ping\n\n" + PLAIN), close],
    ),
    fine(
        "F61",
        "data in several lines, and line separators in text",
        [
            send(
                UNFRAMED + b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a\xe2\x80\xa8b\xc2\x85c"}}]}\n\n'
            ),
            send(b"data: " + PLAIN.split(b"data: ")[3] + b"data: [DONE]\n\n"),
            close,
        ],
        text="a\u2028b\u0085c",
    ),
    fine(
        "F62",
        "a character cut in two",
        [send(STREAM_HEAD), trickle(event(piece(content="日本")) + event(STOP) + event("[DONE]") + END)],
        text="日本",
    ),
    broken(
        "F63",
        "text that is no UTF-8",
        raw(b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n'),
    ),
    broken(
        "F64", "an event that is not JSON", raw(b"data: {oops\n\n"), says=r"byte \d|column \d|offset \d|position \d"
    ),
    fine(
        "F65a",
        "an event of 10 MB",
        stream(piece(content="x" * 10_000_000), STOP),
        text="x" * 10_000_000,
        seconds=10,
    ),
    fine(
        "F65b",
        "an event of 4 MB in pieces of 64 bytes",
        [send(STREAM_HEAD), trickle(event(piece(content="x" * 4_000_000)), 64), send(event(STOP) + END)],
        text="x" * 4_000_000,
        seconds=10,
    ),
    broken("F66", "a line without an end", forever(chunk(b"x" * 1_000_000)), code="response_too_large"),
    fine(
        "F67a",
        "twenty thousand small events",
        [send(STREAM_HEAD + event(piece(content="x")) * 20_000 + event(STOP) + event("[DONE]") + END)],
        text="x" * 20_000,
        seconds=10,
    ),
    fine(
        "F67b",
        "ten million empty lines",
        [send(UNFRAMED), *([send(b"\n" * 1_000_000)] * 10), send(PLAIN), close],
        seconds=10,
    ),
    fine(
        "F68",
        "null deltas, no choices, unknown fields, usage last",
        stream(
            {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": None}]},
            HEL,
            {"id": "chatcmpl-1", "choices": [], "news": 1},
            piece(content="lo", news={"a": 1}),
            STOP,
            {
                "id": "chatcmpl-1",
                "choices": [],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            },
        ),
        tokens=2,
    ),
    Fault(
        "F69a",
        "two answers",
        Wants(text="Hello"),
        unary=[answer({**whole("Hello"), "choices": [whole("Hello")["choices"][0], OTHER]})],
        why_not="a case of its own",
        fields={"n": 2},
    ),
    Fault(
        "F69b",
        "two answers by turns",
        Wants(text="Hello"),
        stream=BY_TURNS,
        why_not="a case of its own",
        fields={"n": 2},
        skips=("langchain", "llamaindex"),
    ),
    Fault(
        "F69c",
        "two answers by turns, where the framework has one",
        Wants(ConfigurationError, says="has one answer", requests=0, tries=0),
        stream=BY_TURNS,
        why_not="a case of its own",
        fields={"n": 2},
        skips=("core",),
    ),
    Fault(
        "F70",
        "a refusal",
        Wants(text="I will not."),
        stream=[stream(piece(refusal="I will "), piece(refusal="not."), STOP)],
        unary=[answer(whole(None, refusal="I will not."))],
    ),
    broken(
        "F71",
        "the id changes on the way",
        send(event({**piece(content="lo"), "id": "chatcmpl-2"})),
        code="crossed_streams",
    ),
)
