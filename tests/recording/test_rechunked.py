"""However a recorded stream is cut, it is the same answer."""

from functools import partial

import pytest
from vllm_connect import ChatRequest, Completion, OutputParser, VllmClient, VllmConfig, fold, fold_choices
from vllm_connect.chat.filters.tool_parsing import ToolParsingFilter
from vllm_connect.protocol.stream import AnswerReader
from vllm_connect.testing import Recording, Size, pieces, read, replay

from tests.conftest import CASSETTES

FILES = sorted(CASSETTES.rglob("*.yaml"))


def new_id(name: str, index: int) -> str:
    return f"{name} {index}"


def new_filter(choice: int) -> ToolParsingFilter:
    """Parse what a server without parsers leaves in the text."""

    def new_parser(reasoning: str | None) -> OutputParser:
        return OutputParser("auto", reasoning, choice=choice, new_id=new_id)

    return ToolParsingFilter(choice, partial(new_parser, "auto"), partial(new_parser, None), None, "client:auto")


@pytest.fixture(scope="module")
def streams() -> list[Recording]:
    recordings = [recording for file in FILES for recording in read(file)]
    return [recording for recording in recordings if recording.answer.content_type == "text/event-stream"]


def answers(recording: Recording, size: Size, *, parsed: bool) -> list[Completion]:
    reader = AnswerReader(
        choices=recording.asked.body.get("n") or 1, new_filter=new_filter if parsed else None, new_id=new_id
    )
    reader.begin(200, {"content-type": recording.answer.content_type})
    for piece in pieces(recording.answer, size):
        reader.push(piece)
    reader.finish()
    reader.release()
    assert reader.failure is None
    return fold_choices(reader.deltas)


@pytest.mark.parametrize("parsed", [False, True], ids=["read", "parsed"])
def test_pieces_make_no_difference(streams: list[Recording], *, parsed: bool) -> None:
    assert len(streams) > 50
    calls = 0
    for recording in streams:
        whole = answers(recording, "whole", parsed=parsed)
        calls += sum(len(choice.tool_calls) for choice in whole)
        for size in (1, 7, "events"):
            assert answers(recording, size, parsed=parsed) == whole
    assert calls > 10


@pytest.mark.parametrize("size", [1, 7, "whole"])
def test_pieces_over_a_socket(size: Size) -> None:
    name = "test_langchain_without_flags-streamed"
    cassette = CASSETTES / "test_traces" / f"{name}.yaml"
    request = next(r.asked for r in read(cassette) if r.answer.content_type == "text/event-stream")
    asked = {key: value for key, value in request.body.items() if key not in ("stream", "stream_options")}
    with replay(cassette) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        whole = list(client.stream(ChatRequest(**asked, stream=True, tool_parser="server")))
    with replay(cassette, size=size) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        cut = list(client.stream(ChatRequest(**asked, stream=True, tool_parser="server")))
    assert server.unmatched == []
    assert fold([d for deltas in cut for d in deltas]) == fold([d for deltas in whole for d in deltas])
