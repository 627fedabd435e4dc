"""Harmony's headers, in every order, and names that are damaged."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}},
    }
    for name in ("search", "container.exec", "python")
]


def read(text: str, tool_parser: str | None = "openai", reasoning: str | None = "openai_gptoss") -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(tool_parser, reasoning, TOOLS, new_id=lambda name, index: f"{name}{index}")
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


ANALYSIS = "<|channel|>analysis<|message|>Need it.<|end|>"
HEADERS = [
    "<|start|>assistant to=functions.search<|channel|>commentary <|constrain|>json",
    "<|start|>assistant<|channel|>commentary to=functions.search <|constrain|>json",
    "<|start|>assistant<|channel|>commentary to=functions.search json",
    "<|start|>assistant<|channel|>commentary to=functions.search",
    "<|start|>assistant<|channel|>commentary <|constrain|>json to=functions.search",
    "<|start|>assistant<|channel|>analysis to=functions.search code",
    "<|start|>assistant<|channel|>analysis to=functions.search<|channel|>commentary <|constrain|>json",
    "<|start|>assistant to=functions.search<|channel|>analysis<|channel|>commentary",
    "<|start|>assistant to=search<|channel|>commentary",
    "<|start|>assistant<|channel|>final to=functions.search <|constrain|>json",
    " to=functions.search<|channel|>commentary <|constrain|>json",
    "<|channel|>commentary to=functions.search <|constrain|>json",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("tool_parser", ["openai", "auto"])
def test_a_header_names_its_tool_in_any_order(header: str, tool_parser: str) -> None:
    if tool_parser == "auto" and "to=search" in header:
        pytest.skip("a header of Muse is the same")
    for before in ("", ANALYSIS):
        answer = read(f'{before}{header}<|message|>{{"q":"x"}}<|call|>', tool_parser)
        assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("search", {"q": "x"})]
        assert (answer.reasoning, answer.text) == ("Need it." if before else "", "")


@pytest.mark.parametrize("name", ["container.exec", "python", "browser.open"])
def test_a_recipient_without_a_namespace_is_a_tool(name: str) -> None:
    answer = read(f'<|start|>assistant<|channel|>analysis to={name} code<|message|>{{"q":"x"}}<|call|>')
    (call,) = answer.tool_calls
    assert (call.name, call.known) == (name, name != "browser.open")


def test_code_for_python_is_no_call() -> None:
    answer = read("<|start|>assistant<|channel|>analysis to=python code<|message|>print(1)<|call|>")
    assert (answer.tool_calls, answer.invalid_tool_calls) == ((), ())
    assert "print(1)" in answer.text


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (f"{ANALYSIS}<|start|>assistant<|channel|>final<|message|>Hi.", "Need it.", "Hi."),
        (f"{ANALYSIS}<|start|>assistant<|channel|>final <|constrain|>json<|message|>[1]<|return|>", "Need it.", "[1]"),
        ("<|channel|>commentary<|message|>Wait.<|end|>", "", "Wait."),
        ("<|channel|>commentary to=assistant<|message|>Wait.<|end|>", "", "Wait."),
        ("<|channel|>analysis<|message|>Need it.", "Need it.", ""),
        ("<|channel|>analysis<|message|>Need<|start|>assistant<|channel|>final<|message|>Hi.", "Need", "Hi."),
        ("<|start|>assistant<|message|>Hi.", "", "Hi."),
        ("Write it to=me, and <|channel|>oops\n", "", "Write it to=me, and <|channel|>oops\n"),
        ("a to=functions.f b", "", "a to=functions.f b"),
    ],
)
def test_channels_distinguish_reasoning_and_answer(text: str, reasoning: str, answer: str) -> None:
    for parser in ("openai_gptoss", None, "auto"):
        found = read(text, "openai", parser)
        assert (found.reasoning, found.text, found.tool_calls) == (reasoning, answer, ())


def test_reasoning_streams() -> None:
    for tool_parser in ("openai", "auto"):
        parser = OutputParser(tool_parser, "auto", TOOLS)
        parser.push("<|channel|>analysis<|message|>")
        assert parser.push("Hm") != []


def test_headers_are_no_text_without_tools() -> None:
    answer = read(f"{ANALYSIS}<|start|>assistant<|channel|>final<|message|>Hi.<|return|>", None)
    assert (answer.reasoning, answer.text) == ("Need it.", "Hi.")


def parameter(name: str, value: str) -> str:
    return f'<rfl:parameter name="{name}">\n{value}\n</rfl:parameter>'


BEAM = " to=search<|channel|>analysis <|constrain|>xml<|message|>"
THOUGHT = "<|channel|>analysis<|message|>plan<|end|><|start|>assistant"


@pytest.mark.parametrize("name", ["beam", "openai"])
def test_beam_writes_the_arguments_in_tags(name: str) -> None:
    first = f"{BEAM}{parameter('q', 'two lines')}\n"
    answer = read(f"{THOUGHT}{first}<|end|><|start|>assistant{BEAM}<|call|>", name, name if name == "beam" else None)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [
        ("search", {"q": "two lines"}),
        ("search", {}),
    ]
    assert (answer.reasoning, answer.text) == ("plan", "")
    assert read(f"{THOUGHT}<|channel|>final<|message|>Hi.<|return|>", name).text == "Hi."


def test_a_truncated_call_of_beam_is_not_executed() -> None:
    text = f"{BEAM}{parameter('q', 'x')}<|call|>"
    for end in range(text.index("x\n"), len(text) - len("<|call|>")):
        assert read(text[:end], "beam").tool_calls == ()


@pytest.mark.parametrize("end", ["<|call|>", "<|end|>"])
def test_a_call_without_a_body_has_no_arguments(end: str) -> None:
    answer = read(f"<|channel|>commentary to=functions.search <|constrain|>json<|message|>{end}")
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("search", {})]
