"""Tool calls: truncated, malformed, mixed up; none of them is ever run."""

import json
from typing import Any

from vllm_connect import ProtocolError, StreamInterruptedError

from tests.faults.fault import Fault, Wants
from tests.faults.replies import call, error, piece, whole
from tests.faults.server import END, answer, send, stream

__all__ = ["FAULTS"]

GOOD = '{"path": "/data/a"}'
PATH = {"path": "/data/a"}


def args(
    number: str, title: str, arguments: Any, *, wants: Wants, finish: str = "tool_calls", name: Any = "f"
) -> Fault:
    """One call with arguments, streamed in pieces of four characters and whole."""
    pieces = (
        [arguments] if not isinstance(arguments, str) else [arguments[i : i + 4] for i in range(0, len(arguments), 4)]
    )
    first = piece(tool_calls=[call("", name)])
    rest = [piece(tool_calls=[{"index": 0, "function": {"arguments": each}}]) for each in pieces]
    return Fault(
        number,
        title,
        wants,
        stream=[stream(first, *rest, piece(finish))],
        unary=[answer(whole(None, finish, tool_calls=[call(arguments, name)]))],
    )


INVALID = Wants(invalid=1)
ONE = Wants(calls=[("f", PATH)])
TWO = Wants(calls=[("f", PATH), ("g", {})])

FAULTS = (
    args("F72", "arguments cut by max_tokens", '{"path": "/home/us', finish="length", wants=INVALID),
    Fault(
        "F73",
        "arguments cut by the end of the stream",
        Wants(StreamInterruptedError),
        stream=[[*stream(piece(tool_calls=[call('{"path": "/ho')]), done=False), send(END)]],
        why_not="the answer comes in one piece",
        settings={"max_retries": 2},
    ),
    Fault(
        "F73b",
        "arguments cut by an error",
        Wants(Exception),
        stream=[stream(piece(tool_calls=[call('{"path": "/ho')]), error())],
        why_not="the answer comes in one piece",
    ),
    *(
        args(f"F74.{i}", f"{i} characters of the arguments", GOOD[:i], wants=INVALID)
        for i in (1, 2, 9, 12, 16, len(GOOD) - 1)
    ),
    args("F75", "whole arguments, and the answer was cut", GOOD, finish="length", wants=INVALID),
    args("F76", "arguments that are garbage", "{path: /a, oops", wants=INVALID),
    args("F77a", "no arguments for a tool that needs one", "", wants=INVALID),
    args("F77b", "null for a tool that needs nothing", "null", name="g", wants=Wants(calls=[("g", {})])),
    args("F77c", "no arguments for a tool that needs nothing", "", name="g", wants=Wants(calls=[("g", {})])),
    Fault(
        "F78",
        "arguments that are an object already",
        ONE,
        stream=[stream(piece(tool_calls=[call(PATH)]), piece("tool_calls"))],
        unary=[answer(whole(None, "tool_calls", tool_calls=[call(PATH)]))],
    ),
    args("F79a", "arguments that are a list", "[1]", wants=INVALID),
    args("F79b", "arguments that are a string", '"rm"', wants=INVALID),
    args("F79c", "arguments that are a number", "7", wants=INVALID),
    args("F80", "an object in a string", json.dumps(GOOD), wants=INVALID),
    args("F81a", "NaN", '{"path": NaN}', wants=INVALID),
    args("F81b", "Infinity", '{"path": -Infinity}', wants=INVALID),
    args("F81c", "a number too large", '{"path": 1e400}', wants=INVALID),
    args(
        "F82a", "an integer of 65 bits", '{"path": 18446744073709551616}', wants=Wants(calls=[("f", {"path": 2**64})])
    ),
    args("F82b", "an integer of 5,000 digits", '{"path": ' + "9" * 5000 + "}", wants=INVALID),
    args("F83", "the same key twice", '{"path": "/a", "path": "/b"}', wants=INVALID),
    args("F84a", "ten thousand deep", '{"path": ' + "[" * 10_000 + "]" * 10_000 + "}", wants=INVALID),
    args("F84b", "a hundred thousand deep and open", "[" * 100_000, wants=INVALID),
    args("F85", "two objects", GOOD + GOOD, wants=INVALID),
    args("F86a", "half of a surrogate pair", '{"path": "\\ud800"}', wants=INVALID),
    args("F86b", "a NUL", '{"path": "\\u0000"}', wants=Wants(calls=[("f", {"path": "\0"})])),
    Fault(
        "F87",
        "two calls in one event",
        TWO,
        stream=[stream(piece(tool_calls=[call(GOOD), call("{}", "g", index=1, id_="call_b")]), piece("tool_calls"))],
        unary=[answer(whole(None, "tool_calls", tool_calls=[call(GOOD), call("{}", "g", index=1, id_="call_b")]))],
    ),
    Fault(
        "F88",
        "two calls by turns",
        TWO,
        stream=[
            stream(
                piece(tool_calls=[call("")]),
                piece(tool_calls=[call("", "g", index=1, id_="call_b")]),
                piece(tool_calls=[{"index": 0, "function": {"arguments": '{"path":'}}]),
                piece(tool_calls=[{"index": 1, "function": {"arguments": "{"}}]),
                piece(tool_calls=[{"index": 0, "function": {"arguments": ' "/data/a"}'}}]),
                piece(tool_calls=[{"index": 1, "function": {"arguments": "}"}}]),
                piece("tool_calls"),
            )
        ],
        why_not="the answer comes in one piece",
    ),
    Fault(
        "F89",
        "the same index for a second call",
        TWO,
        stream=[
            stream(
                piece(tool_calls=[call(GOOD)]), piece(tool_calls=[call("{}", "g", id_="call_b")]), piece("tool_calls")
            )
        ],
        why_not="the answer comes in one piece",
    ),
    Fault(
        "F90",
        "a call without an id",
        ONE,
        stream=[stream(piece(tool_calls=[call(GOOD, id_=None)]), piece("tool_calls"))],
        unary=[answer(whole(None, "tool_calls", tool_calls=[call(GOOD, id_=None)]))],
    ),
    Fault(
        "F91",
        "id and name in every event",
        ONE,
        stream=[
            stream(*(piece(tool_calls=[call(each)]) for each in ('{"path"', ': "/data', '/a"}')), piece("tool_calls"))
        ],
        why_not="the answer comes in one piece",
    ),
    Fault(
        "F92a",
        "calls without an index",
        TWO,
        stream=[
            stream(
                piece(tool_calls=[call(GOOD, index=None)]),
                piece(tool_calls=[call("{}", "g", index=None, id_="call_b")]),
                piece("tool_calls"),
            )
        ],
        unary=[
            answer(
                whole(
                    None, "tool_calls", tool_calls=[call(GOOD, index=None), call("{}", "g", index=None, id_="call_b")]
                )
            )
        ],
    ),
    Fault(
        "F92b",
        "an index of a thousand million",
        ONE,
        stream=[stream(piece(tool_calls=[call(GOOD, index=10**9)]), piece("tool_calls"))],
        why_not="the answer comes in one piece",
    ),
    args("F93a", "a tool that does not exist", "{}", name="rm", wants=Wants(calls=[("rm", {})])),
    args("F93b", "a tool without a name", GOOD, name="", wants=INVALID),
    Fault(
        "F94",
        "more than 128 calls",
        Wants(ProtocolError),
        stream=[
            stream(
                *(piece(tool_calls=[call("{}", "g", index=i, id_=f"c{i}")]) for i in range(129)), piece("tool_calls")
            )
        ],
        unary=[
            answer(whole(None, "tool_calls", tool_calls=[call("{}", "g", index=i, id_=f"c{i}") for i in range(129)]))
        ],
    ),
    Fault(
        "F96",
        "a call's tags in the reasoning",
        Wants(text="No."),
        stream=[
            stream(
                piece(reasoning='<tool_call>\n{"name": "f", "arguments": {"path": "/"}}\n</tool_call>'),
                piece(content="No."),
                piece("stop"),
            )
        ],
        unary=[answer(whole("No.", reasoning='<tool_call>\n{"name": "f", "arguments": {"path": "/"}}\n</tool_call>'))],
    ),
    args(
        "F97",
        "a call's tags in an argument",
        json.dumps({"path": "<tool_call>{}</tool_call>"}),
        wants=Wants(calls=[("f", {"path": "<tool_call>{}</tool_call>"})]),
    ),
)
