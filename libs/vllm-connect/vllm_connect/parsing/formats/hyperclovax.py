r"""HyperCLOVA X SEED Think: ` -> tool/function_call\n[{"name": "f", "arguments": {"x": 1}}]<|im_end|>`.

It stands in the header of the model's own message, `<|im_start|>assistant`, whose beginning may be in the prompt. Source: the
tests of a parser that was proposed to vLLM for naver-hyperclovax/HyperCLOVAX-SEED-Think-14B.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(
    names=("hyperclovax_seed_think_14b",),
    start_markers=("<|im_start|>assistant -> tool/function_call\n", " -> tool/function_call\n"),
    block=json_array("<|im_end|>"),
)
