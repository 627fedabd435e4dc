r"""LFM 2 and 2.5: `<|tool_call_start|>[f(city="Paris")]<|tool_call_end|>`, text after it; or JSON, if the prompt asks for it.

MiniCPM 3 and 4 write `<|tool_call_start|>\n```python\nf(city="Paris")\n```\n<|tool_call_end|>`. Source: the chat templates of
LiquidAI/LFM2 and openbmb/MiniCPM4.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import end_marker, json_array
from vllm_connect.parsing.grammars.python_calls import python_lines, python_list
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

END = "<|tool_call_end|>"

_list, _lines, _json = python_list(END), python_lines("```"), json_array(END)


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    space = yield from scanner.skip_whitespace()
    if (yield from scanner.accept("```python")):
        whole = yield from _lines(scanner, marker, tools)
        yield from end_marker(scanner, (END,) if whole else ())
        return whole
    bracket = yield from scanner.accept("[")
    inner = yield from scanner.skip_whitespace()
    is_json = (yield from scanner.peek()) == "{"
    scanner.unread(space + bracket + inner)
    return (yield from (_json if is_json else _list)(scanner, marker, tools))


FORMAT = Format(names=("lfm2", "minicpm4"), start_markers=("<|tool_call_start|>",), block=_block)
