"""FunctionGemma: `<start_function_call>call:f{city:<escape>Tokyo<escape>}<end_function_call>`, repeated."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.brace_calls import BraceCalls

FORMAT = Format(
    names=("functiongemma",),
    start_markers=("<start_function_call>",),
    block=BraceCalls("<escape>", ("<end_function_call>",), all_strings=True),
)
