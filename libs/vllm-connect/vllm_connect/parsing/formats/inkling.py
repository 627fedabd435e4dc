"""Inkling: `<|message_model|><|content_invoke_tool_json|>{"name": "f", "args": {"x": 1}}<|end_message|>`, repeated.

The tool's name may stand in the header too, `<|message_model|>f<|content_invoke_tool_json|>`, and there alone.
"""

from functools import partial

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import is_name, named_call
from vllm_connect.parsing.grammars.json_calls import call_object, end_marker, json_objects
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

MESSAGE, CALL, END = "<|message_model|>", "<|content_invoke_tool_json|>", "<|end_message|>"
TEXTS = ("<|content_text|>", "<|content_invoke_tool_text|>", "<|content_tool_error|>")
THINKING = "<|content_thinking|>"

_object = json_objects(END, item=partial(call_object, arguments=frozenset({"args", "arguments"})))


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    if marker == MESSAGE:
        header, mark = yield from scanner.read_until(CALL, THINKING, END, MESSAGE, *TEXTS, "\n", limit=MAX_NAME)
        name = header.strip()
        has_name = mark == CALL and (yield from _has_name(scanner))
        if mark == CALL and not has_name and is_name(name):
            whole = yield from named_call(scanner, name)
            yield from end_marker(scanner, (END,))
            return whole
        if mark != CALL or (name and not (tools.known and tools.declares(name))):
            scanner.unread(header + mark)
            scanner.commit()
            return False
    return (yield from _object(scanner, marker, tools))


def _has_name(scanner: Scanner) -> Reading[bool]:
    """Check whether an object begins with a key of a call; it is read again."""
    space = yield from scanner.skip_whitespace()
    brace = yield from scanner.accept("{")
    inner = yield from scanner.skip_whitespace()
    key = yield from scanner.accept('"name"', '"args"', '"arguments"')
    scanner.unread(space + brace + inner + key)
    return bool(key)


FORMAT = Format(
    names=("inkling",),
    start_markers=(CALL, MESSAGE),
    block=_block,
    prefilled=MESSAGE,
    ignored_markers=(*TEXTS, END, "<|content_model_end_sampling|>"),
    forced=CallMarkup(f'{CALL}{{"name": "{{name}}", "args": ', f"}}{END}", separator=MESSAGE),
)
