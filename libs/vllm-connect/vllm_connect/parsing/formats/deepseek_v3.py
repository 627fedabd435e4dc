r"""DeepSeek V3 and R1.

`<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"x": 1}\n```<｜tool▁call▁end｜>`, ended by
`<｜tool▁calls▁end｜>`. Source: the chat template of deepseek-ai/DeepSeek-V3-0324.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_call, is_name, named_call
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

BEGIN, CALL, SEPARATOR = "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    del tools
    mark = marker
    while True:
        yield from scanner.skip_whitespace()
        if mark != CALL and not (yield from scanner.accept(CALL)):
            return False
        kind, mark = yield from scanner.read_until(SEPARATOR, limit=MAX_NAME)
        if not mark or not is_name(kind.strip()):
            return False
        if (yield from scanner.peek()) == "{":  # as V3.1 writes it, without a kind
            whole = yield from named_call(scanner, kind.strip())
        else:
            whole = yield from header_call(scanner, ("\n", "```"), fences=("```json", "json"))
        if not whole:
            return False
        yield from scanner.skip_whitespace()
        yield from scanner.accept("```")
        yield from scanner.skip_whitespace()
        yield from scanner.accept("<｜tool▁call▁end｜>")
        yield from scanner.skip_whitespace()
        mark = yield from scanner.accept(CALL, "<｜tool▁calls▁end｜>")
        if mark != CALL:
            return True


FORMAT = Format(
    names=("deepseek_v3",),
    start_markers=(BEGIN,),
    block=_block,
    rank=1,
    forced=CallMarkup(
        f"{CALL}function{SEPARATOR}{{name}}\n```json\n",
        "\n```<｜tool▁call▁end｜>",
        before=BEGIN,
        after="<｜tool▁calls▁end｜>",
    ),
)
