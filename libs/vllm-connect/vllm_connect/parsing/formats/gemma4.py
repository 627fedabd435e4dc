r"""Gemma 4: `<|tool_call>call:f{city:<|"|>Tokyo<|"|>,n:42}<tool_call|>`, repeated."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.brace_calls import BraceCalls

FORMAT = Format(names=("gemma4",), start_markers=("<|tool_call>",), block=BraceCalls('<|"|>', ("<tool_call|>",)))
