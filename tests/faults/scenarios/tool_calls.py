"""Tool calls: truncated, malformed, mixed up; none of them is ever run."""

import json
from typing import Any

from vllm_connect import ProtocolError, ServerFailureError, StreamInterruptedError

from tests.faults.fault import Fault, Wants
from tests.faults.replies import call, error, piece, whole
from tests.faults.server import END, answer, send, stream

__all__ = ["FAULTS"]

GOOD = '{"path": "/data/a"}'
PATH = {"path": "/data/a"}


def args(
    number: str,
    title: str,
    arguments: Any,
    *,
    wants: Wants | None = None,
    finish: str = "tool_calls",
    name: Any = "f",
    slices: int = 4,
) -> Fault:
    """One call with arguments, streamed in slices and whole; without wishes, it must not be run."""
    wants = wants or Wants(invalid=[arguments])
    pieces = (
        [arguments]
        if not isinstance(arguments, str)
        else [arguments[i : i + slices] for i in range(0, len(arguments), slices)]
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


CUT = Wants(StreamInterruptedError, kept=['{"path": "/ho'])
BROKEN = Wants(ServerFailureError, {"code": "in_stream_error"}, kept=['{"path": "/ho'])
ONE = Wants(calls=[("f", PATH)])
TWO = Wants(calls=[("f", PATH), ("g", {})])

QUOTED = 'Write <tool_call>{"name": "NAME", "arguments": {…}}</tool_call>, and </tool_call> at its end.'
MANY = [call("{}", "g", index=at, id_=f"c{at}") for at in range(129)]

FAULTS = (
    args("F72", "arguments cut by max_tokens", '{"path": "/home/us', finish="length"),
    Fault(
        "F73a",
        "arguments cut by the end of the stream",
        CUT,
        stream=[[*stream(piece(tool_calls=[call('{"path": "/ho')]), done=False), send(END)]],
        why_not="the answer comes in one piece",
        settings={"max_retries": 2},
    ),
    Fault(
        "F73b",
        "arguments cut by an error",
        BROKEN,
        stream=[stream(piece(tool_calls=[call('{"path": "/ho')]), error())],
        why_not="the answer comes in one piece",
    ),
    Fault(
        "F73c",
        "whole arguments, and the end of the stream",
        Wants(StreamInterruptedError, kept=[GOOD]),
        stream=[[*stream(piece(tool_calls=[call(GOOD)]), done=False), send(END)]],
        why_not="the answer comes in one piece",
        settings={"max_retries": 2},
    ),
    *(args(f"F74.{i:02}", f"{i} characters of the arguments", GOOD[:i]) for i in range(1, len(GOOD))),
    args("F75", "whole arguments, and the answer was cut", GOOD, finish="length"),
    args("F76", "arguments that are garbage", "{path: /a, oops"),
    args("F77a", "no arguments for a tool that needs one", ""),
    args("F77b", "null for a tool that needs nothing", "null", name="g", wants=Wants(calls=[("g", {})])),
    args("F77c", "no arguments for a tool that needs nothing", "", name="g", wants=Wants(calls=[("g", {})])),
    Fault(
        "F78",
        "arguments that are an object already",
        ONE,
        stream=[stream(piece(tool_calls=[call(PATH)]), piece("tool_calls"))],
        unary=[answer(whole(None, "tool_calls", tool_calls=[call(PATH)]))],
    ),
    args("F79a", "arguments that are a list", "[1]"),
    args("F79b", "arguments that are a string", '"rm"'),
    args("F79c", "arguments that are a number", "7"),
    args("F80", "an object in a string", json.dumps(GOOD)),
    args("F81a", "NaN", '{"path": NaN}'),
    args("F81b", "Infinity", '{"path": -Infinity}'),
    args("F81c", "a number too large", '{"path": 1e400}'),
    args(
        "F82a", "an integer of 65 bits", '{"path": 18446744073709551616}', wants=Wants(calls=[("f", {"path": 2**64})])
    ),
    args(
        "F82b",
        "an integer of 4,300 digits",
        '{"path": ' + "9" * 4300 + "}",
        wants=Wants(calls=[("f", {"path": 10**4300 - 1})]),
    ),
    args("F82c", "an integer of 5,000 digits", '{"path": ' + "9" * 5000 + "}"),
    args("F83", "the same key twice", '{"path": "/a", "path": "/b"}'),
    args("F84a", "ten thousand deep", '{"path": ' + "[" * 10_000 + "]" * 10_000 + "}"),
    args("F84b", "a hundred thousand deep and open", "[" * 100_000),
    args("F85", "two objects", GOOD + GOOD),
    args("F86a", "lone surrogate", '{"path": "\\ud800"}'),
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
        "F91a",
        "id and name in every event",
        ONE,
        stream=[
            stream(*(piece(tool_calls=[call(each)]) for each in ('{"path"', ': "/data', '/a"}')), piece("tool_calls"))
        ],
        why_not="the answer comes in one piece",
    ),
    *(
        Fault(
            number,
            title,
            Wants(calls=[("fetch", PATH)]),
            stream=[stream(*(piece(tool_calls=[each]) for each in pieces), piece("tool_calls"))],
            why_not="the answer comes in one piece",
        )
        for number, title, pieces in (
            ("F91b", "a name that comes late", [call('{"path"', None), call(': "/data/a"}', "fetch", id_=None)]),
            ("F91c", "a name in two pieces", [call("", "fet"), call(GOOD, "ch", id_=None)]),
        )
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
    *(
        Fault(
            number,
            title,
            ONE,
            stream=[stream(piece(tool_calls=[call(GOOD, index=index)]), piece("tool_calls"))],
            unary=[answer(whole(None, "tool_calls", tool_calls=[call(GOOD, index=index)]))],
        )
        for number, title, index in (
            ("F92b", "an index of a thousand million", 10**9),
            ("F92c", "an index below 0", -1),
        )
    ),
    args("F93a", "a tool that does not exist", "{}", name="rm", wants=Wants(calls=[("rm", {})])),
    args("F93b", "a tool without a name", GOOD, name=""),
    Fault(
        "F94a",
        "more than 128 calls",
        Wants(ProtocolError, {"code": "too_many_calls"}, calls=[("g", {})] * 127, kept=["{}"]),
        stream=[stream(*(piece(tool_calls=[each]) for each in MANY), piece("tool_calls"))],
        unary=[answer(whole(None, "tool_calls", tool_calls=MANY))],
    ),
    args("F94b", "arguments of 9 MB", json.dumps({"path": "x" * 9_000_000}), slices=65_536),
    Fault(
        "F95",
        "a call's tags that the answer only quotes",
        Wants(text=QUOTED),
        stream=[stream(piece(content=QUOTED), piece("stop"))],
        unary=[answer(whole(QUOTED))],
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
