r"""Kimi K2.

`<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>`, ended
by `<|tool_calls_section_end|>`; the section's markers may be missing. The header is the call's id, and the template expects it unchanged.
"""

import re

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_calls

_INDEX = re.compile(r"[:.]\s{0,9}\d{1,9}\Z")


def _read_header(header: str) -> tuple[str, str | None]:
    header = header.strip()
    name = _INDEX.sub("", header)
    return name.rpartition(".")[2] if name.startswith("functions.") else name, header or None


def _call_id(name: str, index: int, random: str) -> str:
    del random
    return f"functions.{name}:{index}"


FORMAT = Format(
    names=("kimi_k2",),
    start_markers=("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>", "<|tool_call_begin|>"),
    block=header_calls(
        ("<|tool_call_begin|>",),
        ("<|tool_call_argument_begin|>",),
        ("<|tool_call_end|>",),
        ("<|tool_calls_section_end|>", "<|tool_call_section_end|>"),
        read_header=_read_header,
    ),
    forced=CallMarkup(
        "<|tool_call_begin|>functions.{name}:{index}<|tool_call_argument_begin|>",
        "<|tool_call_end|>",
        separator="",
        before="<|tool_calls_section_begin|>",
        after="<|tool_calls_section_end|>",
    ),
    call_id=_call_id,
)
