"""Llama 4: `[f(x=1), g()]`, between `<|python_start|>` and `<|python_end|>` or bare."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.python_calls import python_list

FORMAT = Format(
    names=("llama4_pythonic",),
    start_markers=("[",),
    block=python_list(),
    unambiguous=False,
    ignored_markers=("<|python_start|>", "<|python_end|>"),
)
