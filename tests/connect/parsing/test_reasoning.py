"""Where reasoning begins and ends, and what becomes of the calls in it."""

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st
from vllm_connect import Completion, OutputParser, ReasoningDelta, TextDelta, fold, format_names, parse_output
from vllm_connect.parsing.reasoning import SPLIT_OFF, find_reasoning

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS
from tests.fuzzing import examples

RENDERERS = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "n": {"type": "integer"}},
                "required": ["path"],
            },
        },
    }
    for name in ("ls", "rm")
]
UNMARKED = {"openai"}
"""Formats whose own markup decides what is reasoning."""
FORMATS = sorted(name for name in RENDERERS if name in format_names() and name not in UNMARKED)
EVERY = pytest.mark.parametrize("name", FORMATS)
LS = ("ls", {"path": "/a"})
LS_TWICE: tuple[str, dict[str, Any]] = ("ls", {"path": "b", "n": 2})
RM = ("rm", {"path": "/"})


def call(name: str, *calls: tuple[str, dict[str, Any]]) -> str:
    return RENDERERS[name](list(calls))


def read(name: str | None, reasoning: str | None, text: str, **options: Any) -> Completion:
    """Parse a text whole, by character and in pieces, which must be the same."""
    truncated = options.pop("truncated", False)
    source = random.Random(text)  # noqa: S311 - splits, not secrets
    cuts = sorted(source.sample(range(len(text) + 1), min(5, len(text))))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    answers = []
    for pushed in ([text], list(text), pieces):
        parser = OutputParser(name, reasoning, TOOLS, new_id=lambda tool, index: f"{tool}{index}", **options)
        deltas = [delta for piece in pushed for delta in parser.push(piece)]
        answers.append(fold([*deltas, *parser.finish(truncated=truncated)], tools=TOOLS))
        assert parser.calls == len(answers[-1].tool_calls) + len(answers[-1].invalid_tool_calls)
        assert parser.held_calls == 0
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def executed(answer: Completion) -> list[tuple[str, dict[str, Any]]]:
    return [(one.name, one.parsed()) for one in answer.tool_calls]


@EVERY
@pytest.mark.parametrize(
    ("reasoning", "before", "starts"),
    [
        ("qwen3", "<think>\n", None),
        ("qwen3", "", None),
        ("qwen3", "", True),
        ("deepseek_v3", "", None),
        ("deepseek_v3", "<think>", None),
        ("auto", "", None),
        ("auto", "", True),
        ("auto", "<think>", False),
        ("step3", "", None),
    ],
)
def test_a_draft_is_never_executed(name: str, reasoning: str, before: str, starts: bool | None) -> None:
    draft = call(name, RM)
    text = f"{before}Maybe\n{draft}\nNo, rather not.\n</think>\n\nNo need."
    for option in (None, True, False):
        answer = read(name, reasoning, text, starts_in_reasoning=starts, calls_in_reasoning=option)
        assert (executed(answer), answer.invalid_tool_calls, answer.text) == ([], (), "No need.")
        assert answer.reasoning == f"Maybe\n{draft}\nNo, rather not."


@EVERY
@pytest.mark.parametrize(("reasoning", "before"), [("qwen3", "<think>\n"), ("qwen3", ""), ("auto", "")])
def test_a_call_after_a_draft_is_the_call(name: str, reasoning: str, before: str) -> None:
    text = f"{before}Maybe {call(name, RM)}\n</think>\n\n{call(name, LS)}"
    answer = read(name, reasoning, text)
    assert executed(answer) == [LS]
    assert answer.text.strip() == ""


@EVERY
@pytest.mark.parametrize("reasoning", ["qwen3", "auto"])
def test_a_draft_that_breaks_off_does_not_reach_beyond_the_reasoning(name: str, reasoning: str) -> None:
    draft = call(name, RM)
    for end in range(3, len(draft)):
        answer = read(name, reasoning, f"Hm. {draft[:end]} no.</think>{call(name, LS)}")
        assert executed(answer) == [LS], draft[:end]
        assert answer.reasoning.startswith("Hm.")


@EVERY
@pytest.mark.parametrize(
    ("reasoning", "before", "starts"), [("qwen3", "", None), ("auto", "<think>", None), ("auto", "", True)]
)
def test_a_call_that_ends_a_reasoning_without_an_end_is_a_call(
    name: str, reasoning: str, before: str, starts: bool | None
) -> None:
    answer = read(name, reasoning, f"{before}Look first. {call(name, LS)}", starts_in_reasoning=starts)
    assert (executed(answer), answer.reasoning, answer.text) == ([LS], "Look first.", "")
    assert answer.metadata == {"tool_calls_in_reasoning": [answer.tool_calls[0].id]}


@EVERY
@pytest.mark.parametrize("starts", [None, True])
def test_a_call_in_the_midst_of_a_reasoning_without_an_end_is_not_executed(name: str, starts: bool | None) -> None:
    text = f"Look first. {call(name, RM)}\nNo, not that"
    answer = read(name, "qwen3", text, starts_in_reasoning=starts)
    assert (executed(answer), answer.invalid_tool_calls) == ([], ())
    assert answer.reasoning + answer.text == text
    if starts:
        widened = read(name, "qwen3", text, starts_in_reasoning=True, calls_in_reasoning=True)
        assert (executed(widened), widened.reasoning) == ([RM], text)


@pytest.mark.parametrize(
    "last",
    [
        call("hermes", ("mv", {"path": "/a"})),
        call("hermes", ("ls", {"path": 1})),
        call("hermes", ("ls", {})),
        call("hermes", LS)[:-14],
    ],
)
def test_only_a_complete_declared_and_valid_call_ends_a_reasoning(last: str) -> None:
    text = f"Look. {last}"
    answer = read("hermes", "qwen3", text, starts_in_reasoning=True)
    assert (executed(answer), answer.invalid_tool_calls, answer.reasoning) == ([], (), text)


@pytest.mark.parametrize("reasoning", ["auto", "deepseek_v3"])
@pytest.mark.parametrize("after", ["", "\nNow", "\n"])
def test_a_call_in_a_truncated_text_that_may_be_reasoning_is_not_executed(reasoning: str, after: str) -> None:
    text = f"Look. {call('hermes', RM)}{after}"
    answer = read("hermes", reasoning, text, truncated=True)
    assert (executed(answer), [one.name for one in answer.invalid_tool_calls]) == ([], ["rm"])
    for options in ({"truncated": False}, {"truncated": True, "starts_in_reasoning": False}):
        assert executed(read("hermes", reasoning, text, **options)) == [RM]


def test_an_option_and_a_cut_leave_a_call_in_the_reasoning() -> None:
    text = f"Look. {call('hermes', LS)}"
    options: dict[str, bool]
    for options in ({"calls_in_reasoning": False}, {"truncated": True}):
        answer = read("hermes", "qwen3", text, starts_in_reasoning=True, **options)
        assert (executed(answer), answer.reasoning) == ([], text.strip())


@pytest.mark.parametrize("name", ["kimi_k2", "glm45", "seed_oss", "qwen3", "deepseek_r1", "step3", "plamo3"])
def test_an_answer_without_reasoning_is_the_answer(name: str) -> None:
    (reasoning,) = find_reasoning(name)
    assert read(None, name, "Hello\n").text == "Hello\n"
    assert read(None, name, "Hello").reasoning == ""
    assert read(None, name, "Hello", starts_in_reasoning=True).reasoning == "Hello"
    assert read(None, name, "Hello", truncated=True).reasoning == "Hello"
    assert read(None, name, f"Hm.{reasoning.end_marker}Hello", starts_in_reasoning=False).reasoning == ""
    if reasoning.start_marker:
        assert read(None, name, f"{reasoning.start_marker}Hello").reasoning == "Hello"


@pytest.mark.parametrize(
    "name", ["deepseek_v3", "auto", "mistral", "minimax_m3", "gemma4", "cohere_command3", "hunyuan_a13b"]
)
def test_an_end_marker_alone_proves_the_reasoning_before_it(name: str) -> None:
    for reasoning in find_reasoning(name):
        answer = read(None, name, f"Think.{reasoning.end_marker}\n\nHi.")
        assert (answer.reasoning, answer.text) == ("Think.", "Hi.")


@pytest.mark.parametrize("name", ["openai_gptoss", "inkling", "granite"])
def test_an_end_marker_with_other_uses_proves_nothing(name: str) -> None:
    (reasoning,) = find_reasoning(name)
    assert read(None, name, f"Hi.{reasoning.end_marker}").reasoning == ""


def test_blank_lines_between_reasoning_and_answer_belong_to_neither() -> None:
    for text in ("<think>\nHm.\n\n</think>\n\nHi.\n", "Hm.\n</think>\n\nHi.\n", "\n\n<think>\nHm.</think>\nHi.\n"):
        for name in ("qwen3", "auto"):
            answer = read("hermes", name, text)
            assert (answer.reasoning, answer.text) == ("Hm.", "Hi.\n")
    assert read(None, "qwen3", "Hm.</think>\n\n    code").text == "    code"


def test_text_streams_while_a_call_is_held_back() -> None:
    parser = OutputParser("hermes", "auto", TOOLS)
    assert parser.push("Let me") == [TextDelta("Let me")]
    assert parser.push(call("hermes", LS)) == []
    assert (parser.calls, parser.held_calls) == (0, 1)
    assert parser.push(" So") == [TextDelta(" So")]
    assert [type(delta) for delta in parser.push("</think>")] == [ReasoningDelta]
    assert (parser.calls, parser.held_calls) == (0, 0)
    assert parser.push("Hi") == [TextDelta("Hi")]
    known = OutputParser("hermes", "auto", TOOLS, starts_in_reasoning=False)
    assert len(known.push(call("hermes", LS))) > 1


def test_calls_of_reasoning_that_the_server_split_off() -> None:
    def parser() -> OutputParser:
        found = OutputParser("hermes", SPLIT_OFF, TOOLS)
        assert found.push("Look.") == [ReasoningDelta("Look.")]
        assert found.push(call("hermes", LS)) == []
        return found

    assert executed(fold(parser().finish())) == [LS]
    assert fold(parser().end_reasoning()) == Completion(reasoning=call("hermes", LS))


def test_a_value_may_contain_an_end_marker() -> None:
    note = ("ls", {"path": "<think>a</think>"})
    for name in ("hermes", "qwen3_coder", "glm45", "kimi_k2"):
        for reasoning in ("auto", "qwen3", None):
            assert executed(read(name, reasoning, call(name, note))) == [note]


def test_parse_output_has_the_same_options() -> None:
    text = f"Look. {call('hermes', LS)}"
    assert executed(parse_output(text, "hermes", "qwen3", TOOLS)) == [LS]
    assert executed(parse_output(text, "hermes", "qwen3", TOOLS, calls_in_reasoning=False)) == [LS]
    assert not executed(
        parse_output(text, "hermes", "qwen3", TOOLS, calls_in_reasoning=False, starts_in_reasoning=True)
    )


@pytest.mark.parametrize("name", ["xlam", "pythonic", "llama3_json"])
@pytest.mark.parametrize("starts", [None, False])
def test_a_bracket_in_the_reasoning_does_not_quote_the_call_after_it(name: str, starts: bool | None) -> None:
    for bracket in ("[", "{", "so ["):
        answer = read(name, "auto", f"<think>\n{bracket}</think>\n\n{call(name, LS)}", starts_in_reasoning=starts)
        assert (executed(answer), answer.text) == ([LS], "")


WORDS = st.sampled_from(["Hm. ", "so\n", "\n\n", "<", "maybe {", '"', "`</tool", "東京 "])


@examples(200)
@given(data=st.data())
def test_no_draft_is_executed_and_every_call_after_it_is(data: st.DataObject) -> None:
    """`make drafts` runs a hundred thousand of them."""
    name = data.draw(st.sampled_from(FORMATS))
    cases: list[tuple[str, str, bool | None]] = [
        ("qwen3", "<think>", None),
        ("qwen3", "", None),
        ("qwen3", "", True),
        ("auto", "", None),
        ("deepseek_v3", "", None),
        ("auto", "<think>\n", None),
        ("auto", "<think>\n", False),
    ]
    reasoning, before, starts = data.draw(st.sampled_from(cases))
    thoughts = []
    for _ in range(data.draw(st.integers(1, 3))):
        draft = call(name, *data.draw(st.lists(st.sampled_from([RM, LS]), min_size=1, max_size=2)))
        cut = data.draw(st.sampled_from([None, None, 1, 2]))
        end = len(draft) if cut is None else data.draw(st.integers(1, len(draft)))
        thoughts += ["".join(data.draw(st.lists(WORDS, max_size=3))), draft[:end]]
    thoughts.append("".join(data.draw(st.lists(WORDS, max_size=2))))
    most = 1 if name in ONE_CALL else 2
    wanted = data.draw(st.lists(st.sampled_from([LS, LS_TWICE]), max_size=most))
    text = f"{before}{''.join(thoughts)}</think>\n\n{call(name, *wanted) if wanted else 'Hello.'}"
    answer = read(name, reasoning, text, starts_in_reasoning=starts)
    assert executed(answer) == wanted
    assert answer.text.strip() == ("" if wanted else "Hello.")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<think>", "</think>"),
        ("<mm:think>", "</mm:think>"),
        ("[THINK]", "[/THINK]"),
        ("<seed:think>", "</seed:think>"),
        ("<longcat_think>", "</longcat_think>"),
        ("<|channel>thought\n", "<channel|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
    ],
)
def test_every_unambiguous_start_marker_is_detected(start: str, end: str) -> None:
    answer = read(None, "auto", f"{start}Hm.{end}Hello.")
    assert (answer.reasoning, answer.text) == ("Hm.", "Hello.")
