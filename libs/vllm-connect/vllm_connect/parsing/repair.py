"""Arguments that mean one thing and are not JSON: an option, never the default.

`{'city': 'Paris', 'metric': True,}` is `{"city": "Paris", "metric": true}`. What was cut is left alone: half an argument has no
one meaning. A call that was repaired is named in the answer's metadata, `{"repaired_tool_calls": ["call_1"]}`.
"""

import ast
import json
from typing import Any

from vllm_connect.response.deltas import Delta, Finish, Metadata, ToolCallDelta
from vllm_connect.response.tool_arguments import TRUNCATED, ArgumentsError, read_arguments

__all__ = ["RepairFilter", "repair_arguments", "repaired"]

MAX_CHARACTERS = 100_000
FENCE = "```"


def repair_arguments(text: str) -> str | None:
    """Find the JSON object that a call's arguments mean.

    Args:
        text: The arguments as the model wrote them.

    Returns:
        JSON text of one strict object: the text itself if it is one; None where there is no one meaning.
    """
    for attempt in (_as_it_is, _unfenced, _with_raw_line_ends, _quoted_twice, _python):
        repaired = attempt(text.strip()) if len(text) <= MAX_CHARACTERS else None
        if repaired is not None and _strict(repaired):
            return repaired
    return None


def _strict(text: str) -> bool:
    try:
        read_arguments(text)
    except ArgumentsError:
        return False
    return True


def _as_it_is(text: str) -> str:
    return text


def _unfenced(text: str) -> str | None:
    if not (text.startswith(FENCE) and text.endswith(FENCE)):
        return None
    return text[len(FENCE) : -len(FENCE)].removeprefix("json").strip()


def _with_raw_line_ends(text: str) -> str | None:
    """Allow line ends and tabs as they are inside of strings."""
    try:
        return _plain(_LENIENT.decode(text))
    except (ValueError, RecursionError):
        return None


def _quoted_twice(text: str) -> str | None:
    """Unpack an object that was written as a JSON string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.strip() if isinstance(value, str) else None


def _python(text: str) -> str | None:
    """Read a Python literal, which also forgives a comma after the last member."""
    words = {"true": "True", "false": "False", "null": "None"}
    for candidate in (text, _words_replaced(text, words)):
        try:
            tree = ast.parse(candidate, mode="eval")
            value = ast.literal_eval(tree)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        return _plain(value) if all(map(_names_once, ast.walk(tree))) else None
    return None


def _names_once(node: ast.AST) -> bool:
    """Tell whether a dict's keys are strings, each there once."""
    if not isinstance(node, ast.Dict):
        return True
    names = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return len(names) == len(node.keys) == len(set(names))


def _words_replaced(text: str, words: dict[str, str]) -> str:
    """Replace words that stand outside of strings."""
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            end = at + 1
            while end < len(text) and text[end] != char:
                end += 2 if text[end] == "\\" else 1
            out.append(text[at : end + 1])
            at = end + 1
        elif char.isalpha():
            end = at + 1
            while end < len(text) and text[end].isalnum():
                end += 1
            out.append(words.get(text[at:end], text[at:end]))
            at = end
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member is named twice")
    return dict(pairs)


_LENIENT = json.JSONDecoder(strict=False, object_pairs_hook=_unique)


def _plain(value: Any) -> str | None:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


class RepairFilter:
    """Holds a choice's arguments back until they are whole, and repairs them.

    Args:
        choice: The choice.
    """

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def push(self, delta: Delta) -> list[Delta]:
        """Take one delta of the choice and give what can be said of it now."""
        if isinstance(delta, ToolCallDelta):
            self._calls.setdefault(delta.index, []).append(delta)
            named = delta.name is not None
            return [ToolCallDelta(delta.index, delta.id, delta.name, choice=self._choice)] if named else []
        if isinstance(delta, Finish):
            return [*self.settle(cut=delta.reason in TRUNCATED), delta]
        return [delta]

    def finish(self) -> list[Delta]:
        """Return what was held back as it came: the end of the answer is missing."""
        calls, self._calls = self._calls, {}
        return [
            ToolCallDelta(index, None, None, "".join(piece.arguments for piece in pieces), self._choice, ended=False)
            for index, pieces in calls.items()
        ]

    def settle(self, *, cut: bool) -> list[Delta]:
        """Give what was held back, repaired where it means one thing.

        Args:
            cut: Whether the last call may be a fragment.
        """
        out: list[Delta] = []
        repaired: list[str] = []
        last = max(self._calls, default=-1)
        for index, pieces in self._calls.items():
            text = "".join(piece.arguments for piece in pieces)
            ended = next((piece.ended for piece in reversed(pieces) if piece.ended is not None), None)
            whole = ended if ended is not None else not (cut and index == last)
            better = repair_arguments(text) if whole and text.strip() not in ("", "null") else None
            if better is not None and better != text.strip():
                text = better
                repaired.extend(piece.id for piece in pieces if piece.id is not None)
            out.append(ToolCallDelta(index, None, None, text, self._choice, ended))
        self._calls.clear()
        if repaired:
            out.append(Metadata({"repaired_tool_calls": repaired}, self._choice))
        return out


def repaired(deltas: list[Delta]) -> list[Delta]:
    """Repair the calls of an answer that came without an end of its own.

    Args:
        deltas: The deltas of one choice.
    """
    held = RepairFilter(0)
    out = [said for delta in deltas for said in held.push(delta)]
    return [*out, *held.settle(cut=False)]
