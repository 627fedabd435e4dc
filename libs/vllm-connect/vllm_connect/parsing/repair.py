"""Repair of arguments that are not JSON and have one possible meaning: an option, never the default.

`{'city': 'Paris', 'metric': True,}` is `{"city": "Paris", "metric": true}`. Truncated arguments are left alone, since they may
have meant anything. A repaired call is listed in the answer's metadata, `{"repaired_tool_calls": ["call_1"]}`.
"""

import ast
import json
from typing import Any

from vllm_connect.response.deltas import Delta, Finish, Metadata, ToolCallDelta
from vllm_connect.response.tool_arguments import TRUNCATED, ArgumentsError, read_arguments

__all__ = ["RepairFilter", "repair_arguments", "repair_deltas"]

MAX_CHARACTERS = 100_000
FENCE = "```"


def repair_arguments(text: str) -> str | None:
    """Find the JSON object that a call's arguments stand for.

    Args:
        text: The arguments as the model wrote them.

    Returns:
        JSON text of one strict object: the text itself if it is one; None if there is no single possible meaning.
    """
    for candidate in (_unchanged, _unfenced, _with_raw_newlines, _quoted_twice, _python):
        repaired = candidate(text.strip()) if len(text) <= MAX_CHARACTERS else None
        if repaired is not None and _strict(repaired):
            return repaired
    return None


def _strict(text: str) -> bool:
    try:
        read_arguments(text)
    except ArgumentsError:
        return False
    return True


def _unchanged(text: str) -> str:
    return text


def _unfenced(text: str) -> str | None:
    if not (text.startswith(FENCE) and text.endswith(FENCE)):
        return None
    return text[len(FENCE) : -len(FENCE)].removeprefix("json").strip()


def _with_raw_newlines(text: str) -> str | None:
    """Accept unescaped newlines and tabs in strings."""
    try:
        return _dumped(_LENIENT.decode(text))
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
    """Read a Python literal, which also allows a trailing comma."""
    names = {"true": "True", "false": "False", "null": "None"}
    for candidate in (text, _with_names_replaced(text, names)):
        try:
            tree = ast.parse(candidate, mode="eval")
            value = ast.literal_eval(tree)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        return _dumped(value) if all(map(_has_unique_keys, ast.walk(tree))) else None
    return None


def _has_unique_keys(node: ast.AST) -> bool:
    """Check whether a dict's keys are strings without duplicates."""
    if not isinstance(node, ast.Dict):
        return True
    names = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return len(names) == len(node.keys) == len(set(names))


def _with_names_replaced(text: str, names: dict[str, str]) -> str:
    """Replace names outside of strings."""
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
            out.append(names.get(text[at:end], text[at:end]))
            at = end
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a duplicate member")
    return dict(pairs)


_LENIENT = json.JSONDecoder(strict=False, object_pairs_hook=_unique)


def _dumped(value: Any) -> str | None:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


class RepairFilter:
    """A filter that holds a choice's arguments back until they are complete, and repairs them.

    Args:
        choice: The choice.
    """

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta of the choice.

        Returns:
            The deltas that can be emitted now; before the finish reason the arguments, repaired.
        """
        if isinstance(delta, ToolCallDelta):
            self._calls.setdefault(delta.index, []).append(delta)
            named = delta.name is not None
            return [ToolCallDelta(delta.index, delta.id, delta.name, choice=self._choice)] if named else []
        if isinstance(delta, Finish):
            return [*self._repaired(truncated=delta.reason in TRUNCATED), delta]
        return [delta]

    def finish(self) -> list[Delta]:
        """Read the end of a choice that has no finish reason.

        Returns:
            The arguments as they were received; they may be truncated.
        """
        held = [
            ToolCallDelta(index, None, None, "".join(piece.arguments for piece in pieces), self._choice, ended=False)
            for index, pieces in self._calls.items()
        ]
        self._calls.clear()
        return list(held)

    def _repaired(self, *, truncated: bool) -> list[Delta]:
        """Return the arguments, repaired if they have one possible meaning; the last call's may be truncated."""
        deltas: list[Delta] = []
        repaired_ids: list[str] = []
        last = max(self._calls, default=-1)
        for index, pieces in self._calls.items():
            text = "".join(piece.arguments for piece in pieces)
            ended = next((piece.ended for piece in reversed(pieces) if piece.ended is not None), None)
            complete = ended if ended is not None else not (truncated and index == last)
            repaired = repair_arguments(text) if complete and text.strip() not in ("", "null") else None
            if repaired is not None and repaired != text.strip():
                text = repaired
                repaired_ids.extend(piece.id for piece in pieces if piece.id is not None)
            deltas.append(ToolCallDelta(index, None, None, text, self._choice, ended))
        self._calls.clear()
        if repaired_ids:
            deltas.append(Metadata({"repaired_tool_calls": repaired_ids}, self._choice))
        return deltas


def repair_deltas(deltas: list[Delta]) -> list[Delta]:
    """Repair the calls of a complete answer that has no finish reason.

    Args:
        deltas: The deltas of one choice.
    """
    repair = RepairFilter(0)
    return [repaired for delta in (*deltas, Finish("stop")) for repaired in repair.push(delta)][:-1]
