"""After a broken call the next one is read, and the markup of the broken one is not answer text."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

from tests.connect.parsing.renderers import ELEMENTS, TAG_FORMATS

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {
                    "zone": {"type": "string"},
                    "body": {"type": "object"},
                    "n": {"type": "integer"},
                    "m": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                },
            },
        },
    }
    for name in ("f", "g")
]
NAMES = [name for name in TAG_FORMATS if name not in ("gemma4", "functiongemma")]
EVERY = pytest.mark.parametrize("name", NAMES)


def render(name: str, *calls: tuple[str, dict[str, Any]]) -> str:
    return {**TAG_FORMATS, **ELEMENTS}[name](list(calls))


def read(name: str, text: str) -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(name, None, TOOLS, new_id=lambda tool, index: f"{tool}{index}")
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def without_end_tag(name: str, text: str, value: str) -> str:
    """Remove the end tag of a value."""
    before, found, after = text.partition(value)
    assert found
    stripped = after.lstrip("\n")
    end = stripped.index("<|sep|>") + 7 if name == "kimi_k3" else stripped.index(">") + 1
    return before + value + after[: len(after) - len(stripped)] + stripped[end:]


@EVERY
def test_a_last_value_without_its_end_tag_is_kept_if_its_type_shows_its_end(name: str) -> None:
    for key, value, text in (("body", {"on": True}, '{"on": true}'), ("n", 42, "42")):
        damaged = without_end_tag(name, render(name, ("f", {"zone": "north", key: value})), text)
        answer = read(name, damaged)
        assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("f", {"zone": "north", key: value})]
        assert answer.text.strip() == ""


@EVERY
def test_the_call_after_a_broken_one_is_read(name: str) -> None:
    whole = render(name, ("f", {"n": 1, "zone": "north"}), ("g", {"zone": "south"}))
    answer = read(name, without_end_tag(name, whole, "north"))
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("g", {"zone": "south"})]
    assert [call.name for call in answer.invalid_tool_calls] == ["f"]
    assert "north" in answer.invalid_tool_calls[0].arguments
    assert answer.text.strip() == ""


@EVERY
def test_a_call_broken_in_its_midst_does_not_leave_its_tags_as_text(name: str) -> None:
    whole = render(name, ("f", {"zone": "north", "other": 1}), ("g", {"zone": "south"}))
    answer = read(name, without_end_tag(name, whole, "north").replace("north", "north\n") + "\nDone.")
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("g", {"zone": "south"})]
    assert [call.name for call in answer.invalid_tool_calls] == ["f"]
    assert answer.text.strip() == "Done."


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("qwen3_coder", "</function>\n"),
        ("mimo", "</function>\n"),
        ("seed_oss", "</function>\n"),
        ("minimax_m2", "</invoke>\n"),
        ("dots", "</invoke>\n"),
        ("minicpm5", "</function>"),
        ("muse", "</atem:invoke>"),
        ("kimi_k3", "<|close|>call<|sep|>"),
        ("deepseek_v32", "</｜DSML｜invoke>\n"),
        ("deepseek_v41", "</｜DSML｜ invoke>\n"),
    ],
)
def test_a_missing_end_tag_of_a_call_is_no_loss_if_the_next_call_or_the_end_of_the_block_follows(
    name: str, end: str
) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [("f", {"zone": "north", "n": 1}), ("g", {"zone": "south"})]
    text = render(name, *calls)
    assert text.count(end) == len(calls)
    answer = read(name, text.replace(end, "", 1) + "\nDone.")
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == calls
    assert answer.text.strip() == "Done."


@pytest.mark.parametrize("name", ["qwen3_coder", "minicpm5"])
def test_a_start_tag_without_parameters_and_end_is_not_a_call(name: str) -> None:
    start = render(name, ("f", {}))
    start = start[start.index("<function") : start.index("</function>")]
    assert read(name, f"Write {start} or {start.replace('f', 'g')} here.").tool_calls == ()


@pytest.mark.parametrize("name", ["qwen3_coder", "glm45", "minimax_m2", "deepseek_v4"])
def test_a_marker_in_prose_does_not_hide_the_next_call(name: str) -> None:
    call = render(name, ("f", {"zone": "north"}))
    marker = call[: call.index(">") + 1]
    answer = read(name, f"I use {marker} now: {call}")
    assert [(one.name, one.parsed()) for one in answer.tool_calls] == [("f", {"zone": "north"})]
    assert answer.text.strip() == f"I use {marker} now:"


@pytest.mark.parametrize("name", ["qwen3_coder", "glm45", "minimax_m2"])
@pytest.mark.parametrize("text", ["None", "null", "none"])
def test_none_is_null_for_an_integer_or_null(name: str, text: str) -> None:
    rendered = render(name, ("f", {"m": "VALUE"})).replace("VALUE", text)
    assert read(name, rendered).tool_calls[0].parsed() == {"m": None}


@pytest.mark.parametrize("value", ["line\n", "\nline", "\n\nline\n\n", "", "\n"])
def test_a_value_keeps_its_own_newlines(value: str) -> None:
    for name in ("qwen3_coder", "seed_oss"):
        assert read(name, render(name, ("f", {"zone": value}))).tool_calls[0].parsed() == {"zone": value}
    bare = render("qwen3_coder", ("f", {"zone": "VALUE"})).replace("\nVALUE\n", "line\n")
    assert read("qwen3_coder", bare).tool_calls[0].parsed() == {"zone": "line\n"}
