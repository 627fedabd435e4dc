"""Gemma's values: strings quoted as in Python, and strings without quotes."""

from typing import Any

import pytest
from vllm_connect import OutputParser, fold

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "s": {"type": "string"},
                    "n": {"type": "integer"},
                    "refs": {"type": "array", "items": {"type": "string"}},
                    "opts": {"type": "object"},
                    "o": {"type": "object", "properties": {"s": {"type": "string"}}},
                    "either": {"type": ["string", "integer"]},
                    "maybe": {"type": ["string", "null"]},
                },
            },
        },
    }
]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s:42,n:7", {"s": "42", "n": 7}),
        ("s:true", {"s": "true"}),
        ("s:None", {"s": "None"}),
        ("maybe:None", {"maybe": None}),
        ("maybe:7", {"maybe": "7"}),
        ("either:42", {"either": 42}),
        ("refs:['ds_11aa','b']", {"refs": ["ds_11aa", "b"]}),
        ("refs:[11,0.5]", {"refs": ["11", "0.5"]}),
        ("opts:{'mode': 'fast', \"n\": 2}", {"opts": {"mode": "fast", "n": 2}}),
        ("o:{s:3}", {"o": {"s": "3"}}),
        ("s:'it\\'s, so'", {"s": "it's, so"}),
        ("s:it's", {"s": "it's"}),
        ("s:'a'b'", {"s": "a'b"}),
    ],
)
def test_strings_without_the_marker_are_strings(written: str, meant: dict[str, Any]) -> None:
    text = f"<|tool_call>call:f{{{written}}}<tool_call|>"
    for pieces in ([text], list(text)):
        parser = OutputParser("gemma4", None, TOOLS)
        answer = fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS)
        assert [call.parsed() for call in answer.tool_calls] == [meant]
