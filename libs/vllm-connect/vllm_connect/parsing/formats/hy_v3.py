r"""Hunyuan 3.

`<tool_calls>\n<tool_call>f<tool_sep>\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>\n</tool_calls>`.
Some checkpoints end each word with one and the same suffix, `<tool_calls:6124c78e>`.
"""

from functools import lru_cache

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

MAX_SUFFIX = 32


@lru_cache(maxsize=16)
def _calls(suffix: str) -> PairCalls:
    return PairCalls(
        call=f"<tool_call{suffix}>",
        call_end=f"</tool_call{suffix}>",
        name_end=f"<tool_sep{suffix}>",
        key=f"<arg_key{suffix}>",
        key_end=f"</arg_key{suffix}>",
        value=f"<arg_value{suffix}>",
        value_end=f"</arg_value{suffix}>",
        block_ends=(f"</tool_calls{suffix}>",),
    )


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    suffix = ""
    if opener.endswith(":"):
        word, mark = yield from scanner.up_to(">", limit=MAX_SUFFIX)
        if not mark or not word.isalnum():
            return False
        suffix = f":{word}"
    return (yield from _calls(suffix)(scanner, opener, tools))


FORMAT = Format(names=("hy_v3", "hy_v4"), openers=("<tool_calls>", "<tool_calls:"), block=_block)
