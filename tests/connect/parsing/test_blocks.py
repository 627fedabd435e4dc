"""Blocks of calls: empty ones, text between their calls, missing outer markers, and the calls after a broken one."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, find_format, fold

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "parameters": {"properties": {"x": {"type": "integer"}}}}}
    for name in ("f", "g")
]


def read(name: str, text: str, reasoning: str | None = None) -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(name, reasoning, TOOLS, new_id=lambda tool, index: f"{tool}{index}")
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def calls(answer: Completion) -> list[tuple[str, Any]]:
    return [(call.name, call.parsed()) for call in answer.tool_calls]


EMPTY = {
    "hermes": "<tool_call>\n</tool_call>",
    "qwen3_coder": "<tool_call></tool_call>",
    "glm45": "<tool_call></tool_call>",
    "jamba": "<tool_calls></tool_calls>",
    "gemma4": "<|tool_call><tool_call|>",
    "kimi_k2": "<|tool_calls_section_begin|>\n<|tool_calls_section_end|>",
    "deepseek_v3": "<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>",
    "minimax_m2": "<minimax:tool_call>\n</minimax:tool_call>",
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_block_is_markup_and_within_a_sentence_text(name: str) -> None:
    block = EMPTY[name]
    assert read(name, f"{block}Hello.") == Completion(text="Hello.")
    assert read(name, f"Hello.\n{block}") == Completion(text="Hello.\n")
    for quoted in (f"Calls stand in {block} tags.", f"See `{block}`."):
        assert read(name, quoted) == Completion(text=quoted)


KIMI = "<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|>"
V31 = "<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{ARGUMENTS}<｜tool▁call▁end｜>"
V3 = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜>"
HEADERS = {
    "kimi_k2": ("<|tool_calls_section_begin|>", KIMI, "<|tool_calls_section_end|>"),
    "deepseek_v31": ("<｜tool▁calls▁begin｜>", V31, "<｜tool▁calls▁end｜>"),
    "deepseek_v3": ("<｜tool▁calls▁begin｜>", V3, "<｜tool▁calls▁end｜>"),
}


def header(name: str, tool: str, arguments: str) -> str:
    return HEADERS[name][1].replace("NAME", tool).replace("{ARGUMENTS}", arguments)


@pytest.mark.parametrize("name", HEADERS)
def test_text_between_calls_is_text(name: str) -> None:
    start, _, end = HEADERS[name]
    one, two = header(name, "f", '{"x": 1}'), header(name, "g", "{}")
    answer = read(name, f"{start} First {one} then {two} last {end}Done.")
    assert calls(answer) == [("f", {"x": 1}), ("g", {})]
    assert answer.text.split() == ["First", "then", "last", "Done."]


@pytest.mark.parametrize("name", HEADERS)
def test_the_call_after_a_broken_one_is_read(name: str) -> None:
    start, _, end = HEADERS[name]
    broken, whole = header(name, "f", '{"x": 1'), header(name, "g", '{"x": 2}')
    answer = read(name, f"{start}{broken}{whole}{end}Done.")
    assert calls(answer) == [("g", {"x": 2})]
    assert [(call.name, call.arguments.strip("\n`")) for call in answer.invalid_tool_calls] == [("f", '{"x": 1')]
    assert answer.text == "Done."


@pytest.mark.parametrize("name", HEADERS)
def test_the_outer_markers_may_be_missing(name: str) -> None:
    answer = read(name, "Hi " + header(name, "f", '{"x": 1}'))
    assert (calls(answer), answer.text) == ([("f", {"x": 1})], "Hi ")


@pytest.mark.parametrize("name", HEADERS)
def test_the_header_of_a_call_that_never_came_leaves_no_markup_of_the_call_before(name: str) -> None:
    start = HEADERS[name][0]
    begun = header(name, "g", "")[:-30].partition("g")[0]
    answer = read(name, start + header(name, "f", '{"x": 1}') + begun)
    assert calls(answer) == [("f", {"x": 1})]
    assert answer.text == begun


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hermes", '<tool_call>{"name": "f", "arguments": {"x": 1</tool_call>\n<tool_call>{"name": "g", "arguments": {}}</tool_call>'),
        ("jamba", '<tool_calls>[{"name": "f", "arguments": {"x": 1</tool_calls>\n<tool_calls>[{"name": "g"}]</tool_calls>'),
    ],
)  # fmt: skip
def test_the_json_call_after_a_broken_one_is_read(name: str, text: str) -> None:
    answer = read(name, f"{text}\nDone.")
    assert calls(answer) == [("g", {})]
    assert [(call.name, call.arguments) for call in answer.invalid_tool_calls] == [("f", '{"x": 1')]
    assert answer.text.strip() == "Done."


def test_the_element_call_after_a_broken_one_is_read() -> None:
    text = 'N<tool_call>N<invoke name="f">lostN<x>1N</x>N</invoke>N<invoke name="g">N</invoke>N</tool_call>'
    answer = read("minimax_m3", text.replace("N<", "]<]minimax[>[<"))
    assert (calls(answer), answer.text) == ([("g", {})], "")
    assert "lost" in answer.invalid_tool_calls[0].arguments


def test_plamo_may_leave_out_the_start_of_a_call() -> None:
    forced = find_format("plamo3").forced
    assert forced is not None
    text = forced.before + forced.begin.replace("{name}", "f") + '{"x": 1}' + forced.end + forced.after
    answer = read("plamo3", text.replace("<|plamo:begin_tool_request:plamo|>", ""))
    assert (calls(answer), answer.text) == ([("f", {"x": 1})], "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qwen3_coder", '<tool_call>\n<function=f>\n{"x": 1}\n</function>\n</tool_call>'),
        ("qwen3_coder", '<function=f>{"x": 1}</function>'),
        ("minimax_m2", '<minimax:tool_call>\n<invoke name="f">{"x": 1}</invoke>\n</minimax:tool_call>'),
        ("deepseek_v4", '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">\n{"x": 1}\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>'),
        ("dots", '<dots_function_call>\n{"name": "f", "arguments": {"x": 1}}\n</dots_function_call>'),
        ("dots", '<dots_function_call>[{"name": "f", "arguments": {"x": 1}}]</dots_function_call>'),
    ],
)  # fmt: skip
def test_json_may_stand_in_place_of_parameters(name: str, text: str) -> None:
    answer = read(name, f"Hi. {text}{text}\nDone.")
    assert calls(answer) == [("f", {"x": 1}), ("f", {"x": 1})]
    assert answer.text.split() == ["Hi.", "Done."]
    assert read(name, text.replace("1}", "1")).tool_calls == ()


@pytest.mark.parametrize(
    "arguments", ['{"name": "f", "args": {"x": 1}}', '{ "args": {"x": 1}, "name": "f" }', '{"x": 1}']
)
def test_a_name_in_inklings_header_is_not_text(arguments: str) -> None:
    text = f"<|message_model|>f<|content_invoke_tool_json|>{arguments}<|end_message|>"
    answer = read("inkling", f"<|content_text|>Hi.<|end_message|>{text}{text}<|content_model_end_sampling|>")
    assert (calls(answer), answer.text) == ([("f", {"x": 1}), ("f", {"x": 1})], "Hi.")


def test_other_messages_of_inkling_are_text() -> None:
    for marker in ("<|content_text|>", "<|content_invoke_tool_text|>", "<|content_tool_error|>", ""):
        assert read("inkling", f"Hi. <|message_model|>{marker}do it<|end_message|>", "inkling").text == "Hi. do it"
    thought = (
        "<|message_model|><|content_thinking|>Hm.<|end_message|><|message_model|><|content_text|>Hi.<|end_message|>"
    )
    assert read("inkling", thought, "inkling") == Completion(text="Hi.", reasoning="Hm.")


def test_an_inkling_header_that_is_no_tool_is_text() -> None:
    call = '<|content_invoke_tool_json|>{"name": "f", "args": {"x": 1}}<|end_message|>'
    for header, text in (("f", ""), ("Look here", "Look here"), ("Looking", "Looking")):
        answer = read("inkling", f"{header}{call}")
        assert (calls(answer), answer.text) == ([("f", {"x": 1})], text)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("recover", [False, True])
def test_text_before_a_broken_call_is_kept_once(name: str, *, recover: bool) -> None:
    start, _, end = HEADERS[name]
    for text in (
        f"{start}ZEBRA{header(name, 'f', '{')}",
        f"{start}ZEBRA{header(name, 'f', '{}')}{end}",
        f"{start}ZEBRA{end}",
    ):
        parser = OutputParser(name, None, TOOLS, recover=recover)
        answer = fold([*parser.push(text), *parser.finish()], tools=TOOLS)
        assert answer.text.count("ZEBRA") == 1


def test_a_bare_message_marker_is_not_searched_for_where_the_format_is_detected() -> None:
    text = "A <|message|> marker."
    assert read("auto", text) == Completion(text=text)
    assert read("muse", "<|message|>Hm.<|eom|>").reasoning == "Hm."
