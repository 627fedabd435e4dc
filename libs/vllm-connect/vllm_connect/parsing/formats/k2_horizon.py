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
    call_start=CALL,
    call_end="</ifm|tool_call>",
    key_start="<ifm|arg_key>",
    key_end="</ifm|arg_key>",
    value_start="<ifm|arg_value>",
    value_end="</ifm|arg_value>",
    type_start="<ifm|arg_type>",
    type_end="</ifm|arg_type>",
    block_ends=(END,),
)


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    if not (yield from scanner.accept(CALL)):
        return False
    yield from scanner.skip_whitespace()
    if (yield from scanner.peek()) != "{":
        return (yield from _pairs(scanner, CALL, tools))
    del marker
    while True:
        if not (yield from call_object(scanner)):
            return False
        yield from scanner.skip_whitespace()
        yield from scanner.accept("</ifm|tool_call>")
        yield from scanner.skip_whitespace()
        if (yield from scanner.accept(CALL, END)) != CALL:
            return True
        yield from scanner.skip_whitespace()


FORMAT = Format(names=("k2_horizon",), start_markers=("<ifm|tool_calls>",), block=_block)
