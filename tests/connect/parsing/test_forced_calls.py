"""Calls that a structural tag forces: what it lets the model write is what the format's parser reads."""

import json
from typing import Any

import pytest
from vllm_connect import Format, find_format, format_names, parse_output
from vllm_connect.parsing.bare_calls import STARTS
from vllm_connect.parsing.forced_calls import forced_schema, forced_tag
from vllm_connect.parsing.reasoning import find_reasoning
from vllm_connect.schema.validate import find_violation

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS, Call

RENDERERS = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}},
        },
    }
    for name in ("f", "g_h")
]
CALLS: list[Call] = [("f", {"a": "x y", "n": 3}), ("g_h", {"a": "z", "n": -1})]
FORCED = sorted({find_format(name).names[0] for name in format_names() if find_format(name).forced})
STYLES = {
    "qwen_xml": "<parameter=KEY>VALUE</parameter>",
    "minimax_xml": '<parameter name="KEY">VALUE</parameter>',
    "deepseek_xml": '<｜DSML｜parameter name="KEY" string="STRING">VALUE</｜DSML｜parameter>',
    "glm_xml": "<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>",
    "kimi_k3_xml": '<|open|>argument key="KEY" type="TYPE"<|sep|>VALUE<|close|>argument<|sep|>',
}
"""How xgrammar writes a parameter in each of its styles."""


def arguments_in(style: str, arguments: dict[str, Any]) -> str:
    if style == "json":
        return json.dumps(arguments)
    parameters = []
    for key, value in arguments.items():
        is_text = isinstance(value, str)
        filled = STYLES[style].replace("KEY", key).replace("STRING", str(is_text).lower())
        parameters.append(filled.replace("TYPE", "string" if is_text else "number").replace("VALUE", str(value)))
    return "\n".join(parameters)


def written(tag: str, calls: list[Call]) -> str:
    """Return the text of calls that a structural tag allows, without thinking."""
    text = ""
    for element in json.loads(tag)["format"]["elements"]:
        if element["type"] == "const_string":
            text += element["value"]
        elif element["type"] == "tags_with_separator":
            text += element["separator"].join(
                one_call(tag, index, arguments)
                for index, (tag, (_, arguments)) in enumerate(zip(element["tags"], calls, strict=False))
            )
    return text


def one_call(tag: dict[str, Any], index: int, arguments: dict[str, Any]) -> str:
    content, number = tag["content"], ""
    if content["type"] == "sequence":
        digits, separator, content = content["elements"]
        assert digits == {"type": "regex", "pattern": "[0-9]+"}
        number = f"{index}{separator['value']}"
    assert content["json_schema"] == TOOLS[0]["function"]["parameters"]
    assert ("style" in content) is ("max_whitespace_cnt" not in content)
    return str(tag["begin"]) + number + arguments_in(content.get("style", "json"), arguments) + str(tag["end"])


def called(name: str | Format, text: str) -> list[Call]:
    answer = parse_output(text, name, None, TOOLS)
    assert answer.text.strip() == ""
    return [(call.name, call.parsed()) for call in answer.tool_calls]


@pytest.mark.parametrize("name", FORCED)
def test_forced_calls_are_parsed(name: str) -> None:
    tag = forced_tag(find_format(name), TOOLS, None, parallel=True)
    assert tag is not None
    assert called(name, written(tag, CALLS)) == CALLS


@pytest.mark.parametrize("name", FORCED)
def test_a_named_tool_is_the_only_one_in_the_tag(name: str) -> None:
    tag = forced_tag(find_format(name), TOOLS, "g_h", parallel=False)
    assert tag is not None
    (calls,) = [one for one in json.loads(tag)["format"]["elements"] if one["type"] == "tags_with_separator"]
    assert len(calls["tags"]) == 1
    assert (calls["at_least_one"], calls["stop_after_first"]) == (True, True)
    assert called(name, written(tag, CALLS[1:])) == CALLS[1:]


def read_alike(one: str, other: str) -> bool:
    """Check whether two formats read each other's text as the same calls."""
    calls = CALLS[:1] if one in ONE_CALL or other in ONE_CALL else CALLS
    texts = [RENDERERS[one](calls), RENDERERS[other](calls)]
    if any(text.startswith(STARTS) for text in texts):
        return False  # bare calls, which every format reads
    answers = [parse_output(text, name, None, TOOLS) for text in texts for name in (one, other)]
    return (
        all([(call.name, call.arguments) for call in answer.tool_calls] == found for answer in answers)
        if (found := [(call.name, call.arguments) for call in answers[0].tool_calls])
        else False
    )


DIALECTS = {"deepseek_v32", "deepseek_v4", "deepseek_v41"}
"""Formats that read each other's markup, though each model writes its own."""


def test_formats_of_one_markup_force_alike() -> None:
    read = [(one, other) for one in RENDERERS for other in RENDERERS if one < other and read_alike(one, other)]
    pairs = [pair for pair in read if not DIALECTS.issuperset(pair)]
    assert ("granite4", "hermes") in pairs
    assert ("ernie45", "hermes") in pairs
    for one, other in pairs:
        assert find_format(one).forced == find_format(other).forced, (one, other)


def test_a_format_that_a_structural_tag_cannot_express_is_not_forced() -> None:
    assert forced_tag(find_format("pythonic"), TOOLS, None, parallel=True) is None


@pytest.mark.parametrize("name", ["qwen3", "seed_oss", "mistral", "gemma4", "kimi_k3"])
@pytest.mark.parametrize(("starts", "begins"), [(False, [None, True]), (True, [""]), (None, [None, True, ""])])
def test_reasoning_before_forced_calls_has_the_markers_of_the_model(
    name: str, starts: bool | None, begins: list[str | bool | None]
) -> None:
    (reasoning,) = find_reasoning(name)
    tag = forced_tag(find_format("hermes"), TOOLS, None, parallel=True, reasoning=reasoning, starts_in_reasoning=starts)
    assert tag is not None
    form = json.loads(tag)["format"]
    answers = form["elements"] if form["type"] == "or" else [form]
    found = [answer["elements"][0] for answer in answers]
    expected = [reasoning.start_marker if begin is True else begin for begin in begins]
    assert [one.get("begin") for one in found] == expected
    assert all(one["end"].startswith(reasoning.end_marker) for one in found if "begin" in one)
    assert '"value": ""' not in tag


@pytest.mark.parametrize("parallel", [True, False])
def test_a_schema_forces_one_call_or_more(parallel: bool) -> None:
    schema = forced_schema(TOOLS, None, parallel=parallel)
    calls = [{"name": name, "parameters": arguments} for name, arguments in CALLS]
    assert [is_valid(schema, calls[:number]) for number in (0, 1, 2)] == [False, True, parallel]


def test_definitions_of_a_tool_are_at_the_root_of_a_forcing_schema() -> None:
    parameters = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Count"}},
        "required": ["a"],
        "$defs": {"Count": {"type": "integer"}},
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    schema = forced_schema([tool, *TOOLS[1:]], None, parallel=True)
    assert [is_valid(schema, [{"name": "f", "parameters": {"a": value}}]) for value in (1, "x")] == [True, False]
    assert "$defs" in parameters
    assert forced_schema([tool], "f", parallel=True) == parameters


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    return find_violation(value, schema) is None
