"""Unknown and duplicate members of a call's object: none of them is dropped while the rest is executed."""

import pytest
from vllm_connect import Completion, OutputParser, fold

AROUND = {
    "hermes": ("<tool_call>", "</tool_call>", "arguments"),
    "longcat": ("<longcat_tool_call>", "</longcat_tool_call>", "arguments"),
    "granite": ("<|tool_call|>[", "]", "arguments"),
    "jamba": ("<tool_calls>[", "]</tool_calls>", "arguments"),
    "internlm": ("<|action_start|><|plugin|>", "<|action_end|>", "parameters"),
    "inkling": ("<|content_invoke_tool_json|>", "<|end_message|>", "args"),
    "mistral": ("[TOOL_CALLS] [", "]", "arguments"),
}
EVERY = pytest.mark.parametrize("name", AROUND)


def read(name: str, members: str) -> Completion:
    before, after, key = AROUND[name]
    text = f"{before}{{{members.replace('ARGS', key)}}}{after}"
    answers = []
    for pieces in ([text], list(text)):
        parser = OutputParser(name, new_id=lambda tool, index: f"{tool}{index}")
        deltas = [delta for piece in pieces for delta in parser.push(piece)]
        answers.append(fold([*deltas, *parser.finish()]))
    assert answers[0] == answers[1]
    return answers[0]


@EVERY
@pytest.mark.parametrize(
    ("members", "kept"),
    [
        ('"name": "f", "ARGS": {"x": 1}, "ARGS": {"x": 2}', '{"x": 2}'),
        ('"ARGS": {"x": 1}, "name": "f", "ARGS": {"x": 2}', '{"x": 2}'),
        ('"name": "f", "ARGS": {"x": 1}, "name": "g"', '"g"'),
        ('"name": "f", "ARGS": {"x": 1}, "name": {"x": 3}', '{"x": 3}'),
        ('"name": "f", "arguemnts": {"x": 5}', '{"x": 5}'),
        ('"name": "f", "ARGS": {"x": 1}, "y": {"z": 5}', '{"z": 5}'),
        ('"x": 5, "name": "f"', "5"),
        ('"input": "what I want", "name": "f"', "what I want"),
    ],
)
def test_an_unexpected_member_invalidates_the_call_and_is_kept(name: str, members: str, kept: str) -> None:
    answer = read(name, members)
    assert answer.tool_calls == ()
    (call,) = answer.invalid_tool_calls
    assert call.name == "f"
    assert kept in call.arguments


@EVERY
@pytest.mark.parametrize(
    ("members", "arguments"),
    [
        ('"name": "f"', "{}"),
        ('"id": "1", "name": "f", "type": "function"', "{}"),
        ('"name": "f", "ARGS": {"x": 1}, "id": 7', '{"x": 1}'),
        ('"note": {"name": "g"}, "name": "f", "ARGS": {"x": 1}', '{"x": 1}'),
    ],
)
def test_a_member_beside_complete_arguments_is_ignored(name: str, members: str, arguments: str) -> None:
    answer = read(name, members)
    assert answer.invalid_tool_calls == ()
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", arguments)]


@EVERY
def test_an_unexpected_member_is_kept_at_the_end_of_the_text(name: str) -> None:
    before, _, _ = AROUND[name]
    parser = OutputParser(name)
    answer = fold([*parser.push(f'{before}{{"name": "f", "input": {{"x": "lo'), *parser.finish()])
    assert answer.tool_calls == ()
    assert [(call.name, call.arguments) for call in answer.invalid_tool_calls] == [("f", ', "input": {"x": "lo')]


@EVERY
@pytest.mark.parametrize("members", ['"x": 5', '"x": 5, "name": ""', '"ARGS": {"x": 1}, "y": [', '"x": {"y": "z'])
def test_an_object_without_a_name_is_text(name: str, members: str) -> None:
    before, _, key = AROUND[name]
    text = f"{before}{{{members.replace('ARGS', key)}}}"
    parser = OutputParser(name)
    assert fold([*parser.push(text), *parser.finish()]) == Completion(text=text)


def test_a_bare_object_with_an_index_is_not_a_call() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    for name, text in (("llama3_json", '{"name": "f", "index": 1}'), ("xlam", '[{"name": "f", "index": 1}]')):
        parser = OutputParser(name, None, tools)
        assert fold([*parser.push(text), *parser.finish()]) == Completion(text=text)
