"""Streams: cut, stalled, mixed up, badly framed, or no streams at all."""

from vllm_connect import ProtocolError, RequestTimeoutError, ServerFailureError, StreamInterruptedError

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


def fine(number: str, title: str, *scripts: Script, text: str = "Hello", seconds: float = 5.0) -> Fault:
    """A stream that is odd, and an answer all the same."""
    return Fault(number, title, Wants(text=text), stream=scripts, why_not=NO_STREAM, seconds=seconds)


def broken(number: str, title: str, *actions: Action, partial: str | None = "Hel", **wants: str) -> Fault:
    """A stream that is none after its first event."""
    expected = Wants(ProtocolError, partial=partial, **wants)  # type: ignore[arg-type] # code and phase are texts
    return Fault(number, title, expected, stream=[[send(STREAM_HEAD), *actions]], why_not=NO_STREAM)


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
    Fault(
        "F47a",
        "an error as the first event",
        Wants(ServerFailureError),
        stream=[stream(error())],
        why_not=NO_STREAM,
        settings={"max_retries": 2},
    ),
    Fault(
        "F47b",
        "busy as the first event, then an answer",
        Wants(text="Hello", requests=2),
        stream=[stream(error("busy", 503)), stream(HEL, piece(content="lo"), STOP)],
        why_not=NO_STREAM,
        settings={"max_retries": 2},
    ),
    Fault(
        "F48",
        "an error after text",
        Wants(ServerFailureError, partial="Hel"),
        stream=[stream(HEL, error("busy", 503))],
        why_not=NO_STREAM,
        settings={"max_retries": 2},
    ),
    Fault(
        "F49a",
        "an event named error",
        Wants(ServerFailureError, partial="Hel"),
        stream=[
            [
                send(STREAM_HEAD + event(HEL)),
                raw(b'event: error\ndata: {"error":{"message":"died","code":500}}\n\n'),
                send(END),
            ]
        ],
        why_not=NO_STREAM,
    ),
    Fault(
        "F49b",
        "the error of an old server",
        Wants(ServerFailureError, partial="Hel"),
        stream=[stream(HEL, {"object": "error", "message": "died", "type": "InternalServerError", "code": 500})],
        why_not=NO_STREAM,
    ),
    *(
        Fault(
            number,
            f"finish reason {reason}",
            Wants(StreamInterruptedError, code="aborted", partial="Hel"),
            stream=[stream(HEL, piece(reason))],
            unary=[answer(whole("Hel", reason))],
        )
        for number, reason in (("F50a", "abort"), ("F50b", "error"))
    ),
    Fault(
        "F51",
        "finish reason length",
        Wants(text="Hel"),
        stream=[stream(HEL, piece("length"))],
        unary=[answer(whole("Hel", "length"))],
    ),
    Fault(
        "F52",
        "silence after some text",
        Wants(RequestTimeoutError, phase="stall", partial="Hel"),
        stream=[[send(STREAM_HEAD + event(HEL)), stall]],
        why_not=NO_STREAM,
        settings={"timeout": {"stall": 0.2}, "max_retries": 2},
        seconds=1,
    ),
    Fault(
        "F53",
        "comments for ever and no data",
        Wants(RequestTimeoutError, phase="stall", partial="Hel"),
        stream=[[send(STREAM_HEAD + event(HEL)), forever(chunk(b": alive\n\n"), 0.02)]],
        why_not=NO_STREAM,
        settings={"timeout": {"stall": 0.2}},
        seconds=1,
    ),
    Fault(
        "F54",
        "a byte at a time, for ever",
        Wants(RequestTimeoutError, phase="total", partial="Hel"),
        stream=[[send(STREAM_HEAD + event(HEL)), forever(chunk(b"d"), 0.02)]],
        why_not=NO_STREAM,
        settings={"timeout": {"total": 0.3}},
        seconds=1,
    ),
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
    fine("F58c", "lines that end in CR", [send(UNFRAMED + PLAIN.replace(b"\n", b"\r")), close]),
    fine(
        "F59",
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
        send(event(HEL)),
        raw(b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n'),
    ),
    broken("F64", "an event that is no JSON", send(event(HEL)), raw(b"data: {oops\n\n")),
    fine(
        "F65",
        "an event of 10 MB",
        stream(piece(content="x" * 10_000_000), STOP),
        text="x" * 10_000_000,
        seconds=10,
    ),
    broken("F66", "a line without an end", send(event(HEL)), forever(chunk(b"x" * 1_000_000))),
    fine(
        "F67",
        "twenty thousand small events",
        [send(STREAM_HEAD + event(piece(content="x")) * 20_000 + event(STOP) + event("[DONE]") + END)],
        text="x" * 20_000,
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
        send(event(HEL)),
        send(event({**piece(content="lo"), "id": "chatcmpl-2"})),
        code="crossed_streams",
    ),
)
