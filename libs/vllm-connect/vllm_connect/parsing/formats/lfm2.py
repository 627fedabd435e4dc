"""LFM 2 and 2.5: `<|tool_call_start|>[f(city="Paris")]<|tool_call_end|>`, text after it; or JSON, if the prompt asks for it."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array
from vllm_connect.parsing.grammars.python_calls import python_list
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

END = "<|tool_call_end|>"

_python, _json = python_list(END), json_array(END)


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    space = yield from scanner.skip_whitespace()
    bracket = yield from scanner.accept("[")
    inner = yield from scanner.skip_whitespace()
    is_json = (yield from scanner.peek()) == "{"
    scanner.unread(space + bracket + inner)
    return (yield from (_json if is_json else _python)(scanner, marker, tools))


FORMAT = Format(names=("lfm2",), start_markers=("<|tool_call_start|>",), block=_block)
