"""What an event costs in calls of functions, which does not depend on the machine, and how that grows."""

import math
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.tools import StructuredTool
from langchain_vllm.chunks import Chunks
from langchain_vllm.tools import to_wire_tools
from llama_index_vllm.responses import ResponseChunks, ResponseConverter
from vllm_connect import ChatRequest, ConnectionFailedError, VllmConfig
from vllm_connect.chat.endpoints import Endpoints
from vllm_connect.chat.steps import Outcome, Round, Wait
from vllm_connect.protocol.split_events import split_events

from tests.bench import langchain_histories
from tests.bench.workloads import STREAM_HEAD, Kind, events

Show = Callable[[list[Any]], Any]
SHOWS: dict[str, Callable[[], Show]] = {
    "langchain": lambda: Chunks().push,
    "llamaindex": lambda: ResponseChunks(ResponseConverter()).push,
}


def counted(run: Callable[[], object]) -> Counter[str]:
    """Count the calls of functions, by name, those of C included."""
    calls: Counter[str] = Counter()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1
        elif event == "c_call":
            calls[argument.__name__] += 1

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls


def body(kind: Kind, count: int) -> bytes:
    """Give the events of a stream without their HTTP chunks."""
    data = b"".join(events(kind, count)).removeprefix(STREAM_HEAD)
    return b"".join(line + b"\n\n" for line in data.split(b"\n") if line.startswith(b"data: "))


def read(adapter: str, kind: Kind, count: int, *, together: bool) -> Callable[[], int]:
    """Prepare to read a stream, all of it at once or event by event; give the chunks."""
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    asked = ChatRequest(messages=[{"role": "user", "content": "Hi"}], tools=[tool] if kind == "tool" else None)
    step = next(Endpoints(VllmConfig(base_url="http://127.0.0.1:1")).stream(asked))
    assert isinstance(step, Round)
    reader = step.reader
    reader.begin(200, {"content-type": "text/event-stream"})
    show = SHOWS[adapter]()
    data = body(kind, count)
    pieces = [data] if together else split_events(data)

    def run() -> int:
        return sum(show(deltas) is not None for piece in pieces if (deltas := reader.push(piece)))

    return run


def calls_of_an_event(adapter: str, kind: Kind, *, together: bool) -> tuple[float, float]:
    """Count the calls of an event in a short stream and in a stream of eight times its length."""
    read(adapter, kind, 10, together=together)()
    few, middle, many = (counted(read(adapter, kind, n, together=together)).total() for n in (100, 200, 1600))
    return (middle - few) / 100, (many - middle) / 1400


@pytest.mark.parametrize("kind", ["text", "reasoning", "tool"])
@pytest.mark.parametrize("adapter", SHOWS)
def test_an_event_among_others_costs_few_calls(adapter: str, kind: Kind) -> None:
    short, long = calls_of_an_event(adapter, kind, together=True)
    assert long <= short * 1.02 + 0.5, "cost grows with the length of the stream"
    assert long <= 22


@pytest.mark.parametrize(("kind", "most"), [("text", 72), ("reasoning", 69), ("tool", 85)])
@pytest.mark.parametrize("adapter", SHOWS)
def test_an_event_alone_costs_a_bounded_number_of_calls(adapter: str, kind: Kind, most: int) -> None:
    short, long = calls_of_an_event(adapter, kind, together=False)
    assert long <= short * 1.02 + 0.5, "cost grows with the length of the stream"
    assert long <= most


@pytest.mark.parametrize("kind", ["text", "reasoning", "tool"])
@pytest.mark.parametrize("adapter", SHOWS)
def test_events_that_arrive_together_leave_together(adapter: str, kind: Kind) -> None:
    assert read(adapter, kind, 500, together=True)() == 1
    assert read(adapter, kind, 500, together=False)() > 490


def test_no_piece_of_a_call_is_parsed_by_langchain() -> None:
    calls = counted(read("langchain", "tool", 200, together=False))
    assert calls["feed_bytes"] >= 200
    assert not calls.keys() & {"parse_partial_json", "loads", "raw_decode", "from_json"}


def test_a_request_is_encoded_once_for_all_its_tries() -> None:
    asked = ChatRequest(messages=[{"role": "user", "content": "Hi"}])
    steps = Endpoints(VllmConfig(base_url="http://127.0.0.1:1")).complete(asked)
    first, wait, second = (
        next(steps),
        *(steps.send(Outcome(failure, math.inf)) for failure in (ConnectionFailedError("x"), None)),
    )
    assert isinstance(first, Round)
    assert isinstance(wait, Wait)
    assert isinstance(second, Round)
    assert first.request is second.request


def test_tools_are_converted_once() -> None:
    tools = langchain_histories.tools()
    first = counted(lambda: to_wire_tools(tools)).total()
    again = counted(lambda: to_wire_tools(tools)).total()
    assert again <= 10 * len(tools) < first
    assert isinstance(tools[0], StructuredTool)
