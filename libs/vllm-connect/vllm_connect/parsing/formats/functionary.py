r"""Functionary 3.2: a recipient and a newline before each message, `all\nHi>>>f\n{"x": 1}`; the prompt ends with `>>>`.

Version 3.1 writes `<function=f>{"x": 1}</function>`, as the format `qwen3_coder` reads it. Source: the chat templates of meetkai.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import is_name, named_call
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

START = ">>>"


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    del marker
    recipient, end = yield from scanner.read_until("\n", " ", "{", limit=MAX_NAME)
    if recipient == "all" and end == "\n":
        scanner.commit()
        return False
    if end != "\n" or not is_name(recipient) or not tools.declares(recipient):
        return False
    return (yield from named_call(scanner, recipient))


FORMAT = Format(
    names=("functionary_v3",),
    start_markers=(START,),
    block=_block,
    prefilled=START,
    undetected=(START,),
    forced=CallMarkup("{name}\n", "", separator=START),
)
