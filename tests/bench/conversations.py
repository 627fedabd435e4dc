"""A long conversation with many tools, as plain values: what an agent sends in its 250th step.

`turns(4)` is a question, a call of a tool, the tool's answer, and an answer.
"""

from typing import Any

__all__ = ["MESSAGES", "TOOLS", "parameters", "turns"]

MESSAGES = 500
TOOLS = 50


def turns(count: int) -> list[dict[str, Any]]:
    """List messages as `{"role", "text"}`, with `"call"` and `"id"` where a tool is called or answers."""
    four: list[dict[str, Any]] = [
        {"role": "user", "text": "What is in the second drawer of the cupboard?" * 4},
        {"role": "assistant", "text": "", "call": {"drawer": 2, "question": "What is in it?"}},
        {"role": "tool", "text": "Spoons, a ladle and a very old map. " * 8},
        {"role": "assistant", "text": "There are spoons in it, and a map. " * 4},
    ]
    return [{**four[i % 4], "id": f"call_{i // 4}"} for i in range(count)]


def parameters() -> dict[str, Any]:
    """Give a tool's schema."""
    names = ("drawer", "question", "language", "depth", "unit", "limit")
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": f"The {name} of the request."} for name in names},
        "required": ["drawer"],
    }
