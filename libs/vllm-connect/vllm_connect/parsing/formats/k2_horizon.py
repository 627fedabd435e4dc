r"""K2 Horizon, as XML or as JSON.

`<ifm|tool_calls>\n<ifm|tool_call>f<ifm|arg_key>k</ifm|arg_key><ifm|arg_value>v</ifm|arg_value></ifm|tool_call>`, ended by
`</ifm|tool_calls>`; a type may stand between key and value, in `<ifm|arg_type>`. Or
`<ifm|tool_call>{"name": "f", "arguments": {}}</ifm|tool_call>`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import call_object
from vllm_connect.parsing.grammars.pair_calls import PairCalls
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

CALL, END = "<ifm|tool_call>", "</ifm|tool_calls>"

_pairs = PairCalls(
    call=CALL,
    call_end="</ifm|tool_call>",
    key="<ifm|arg_key>",
    key_end="</ifm|arg_key>",
    value="<ifm|arg_value>",
    value_end="</ifm|arg_value>",
    kind="<ifm|arg_type>",
    kind_end="</ifm|arg_type>",
    block_ends=(END,),
)


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    yield from scanner.space()
    if not (yield from scanner.find(CALL)):
        return False
    yield from scanner.space()
    if (yield from scanner.peek()) != "{":
        return (yield from _pairs(scanner, CALL, tools))
    del opener
    while True:
        if not (yield from call_object(scanner)):
            return False
        yield from scanner.space()
        yield from scanner.find("</ifm|tool_call>")
        yield from scanner.space()
        if (yield from scanner.find(CALL, END)) != CALL:
            return True
        yield from scanner.space()


FORMAT = Format(names=("k2_horizon",), openers=("<ifm|tool_calls>",), block=_block)
