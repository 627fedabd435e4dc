r"""DeepSeek V3 and R1.

`<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"x": 1}\n```<｜tool▁call▁end｜>`, ended by
`<｜tool▁calls▁end｜>`. Source: the chat template of deepseek-ai/DeepSeek-V3-0324.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import call_block, header_call, is_name, named_call
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner

BEGIN, CALL, SEPARATOR = "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"


def _read_call(scanner: Scanner) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    kind, mark = yield from scanner.read_until(SEPARATOR, limit=MAX_NAME)
    if not mark or not is_name(kind.strip()):
        return False
    if (yield from scanner.peek()) == "{":  # as V3.1 writes it, without a kind
        whole = yield from named_call(scanner, kind.strip())
    else:
        whole = yield from header_call(scanner, ("\n", "```"), fences=("```json", "json"))
    if whole:
        yield from scanner.skip_whitespace()
        yield from scanner.accept("```")
    return whole


FORMAT = Format(
    names=("deepseek_v3",),
    start_markers=(BEGIN, CALL),
    block=call_block(_read_call, (CALL,), ("<｜tool▁call▁end｜>",), ("<｜tool▁calls▁end｜>",)),
    rank=1,
    forced=CallMarkup(
        f"{CALL}function{SEPARATOR}{{name}}\n```json\n",
        "\n```<｜tool▁call▁end｜>",
        before=BEGIN,
        after="<｜tool▁calls▁end｜>",
    ),
)
