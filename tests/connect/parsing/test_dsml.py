"""DSML in the variants that models write."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "days": {"type": "integer"}, "tags": {"type": "array"}},
                "required": ["place"],
            },
        },
    }
]
EVERY = pytest.mark.parametrize("name", ["deepseek_v32", "deepseek_v4", "deepseek_v41", "auto"])
INVOKE = (
    '<｜DSML｜invoke name="look_up">\n<｜DSML｜parameter name="place" string="true">Oslo</｜DSML｜parameter>\n'
    '<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
)
CALL = {"place": "Oslo", "days": 3}


def read(name: str, text: str) -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(name, None, TOOLS, new_id=lambda tool, index: f"{tool}{index}")
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


@EVERY
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", "</｜DSML｜tool_calls>"),
        ("", ""),
        ("<｜DSML｜toolcalls>\n", "</｜DSML｜tool_calls>"),
        ("<｜DSML｜tool>\n", "</｜DSML｜tool>"),
        ("<｜DSML｜tool_calls>\n", "</｜DSML｜tool_calls>"),
        ("<｜DSML｜function_calls>\n", "</｜DSML｜function_calls>"),
        ("<｜DSML｜ calls>\n", "</｜DSML｜ calls>"),
        ("<｜DSML｜calls>\n", "</｜DSML｜calls>"),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_a_missing_or_misspelt_start_is_read(name: str, start: str, end: str, spaced: bool) -> None:
    invoke = INVOKE.replace("｜DSML｜", "｜DSML｜ ") if spaced else INVOKE
    answer = read(name, f"Let me.\n\n{start}{invoke}{end}")
    assert [call.parsed() for call in answer.tool_calls] == [CALL]
    assert answer.text.strip() == "Let me."


@EVERY
@pytest.mark.parametrize(
    "text",
    [
        'Write <｜DSML｜invoke name="look_up"> to call it.',
        INVOKE.replace("look_up", "other"),
        INVOKE.replace("place", "spot"),
        INVOKE[:-20],
        "a <｜DSML｜oops",
    ],
)
def test_an_invoke_alone_is_a_call_only_if_it_is_complete_declared_and_valid(name: str, text: str) -> None:
    answer = read(name, text)
    assert (answer.tool_calls, answer.invalid_tool_calls, answer.text) == ((), (), text)


@EVERY
@pytest.mark.parametrize("key", ["arguments", "input"])
@pytest.mark.parametrize("string", ["true", "false"])
def test_arguments_one_level_too_deep_are_unwrapped(name: str, key: str, string: str) -> None:
    def call(body: str) -> dict[str, Any]:
        parameter = f'<｜DSML｜parameter name="{key}" string="{string}">{body}</｜DSML｜parameter>'
        text = f'<｜DSML｜tool_calls><｜DSML｜invoke name="look_up">{parameter}</｜DSML｜invoke></｜DSML｜tool_calls>'
        return read(name, text).tool_calls[0].parsed()

    assert call('{"place": "Rome", "days": 2}') == {"place": "Rome", "days": 2}
    assert call('{"place": "Rome", "other": 2}').keys() == {key}
    assert call("Rome").keys() == {key}


@EVERY
def test_the_declared_type_has_precedence_over_the_attribute(name: str) -> None:
    parameters = "".join(
        f'<｜DSML｜parameter name="{key}" string="{string}">{value}</｜DSML｜parameter>'
        for key, string, value in (("place", "false", "42"), ("days", "true", "3"), ("tags", "true", '["a"]'))
    )
    text = f'<｜DSML｜tool_calls><｜DSML｜invoke name="look_up">{parameters}</｜DSML｜invoke></｜DSML｜tool_calls>'
    assert read(name, text).tool_calls[0].parsed() == {"place": "42", "days": 3, "tags": ["a"]}
