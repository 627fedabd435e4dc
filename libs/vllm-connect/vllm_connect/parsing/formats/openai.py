r"""gpt-oss, in Harmony: messages, each after a header that ends with `<|message|>`.

`<|start|>assistant<|channel|>analysis<|message|>thinking<|end|>`, the answer in the channel `final`, and a call in
`<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}<|call|>`. Channel, recipient and
constraint stand in any order; the start of the first header is part of the prompt. Beam writes the arguments as
`<rfl:parameter name="x">\n1\n</rfl:parameter>`. Source: the Harmony response format, the chat template of openai/gpt-oss-20b,
and the tests of vLLM 0.33's beam parser.
"""

import re
from typing import NamedTuple

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import is_name, named_call
from vllm_connect.parsing.grammars.tag_calls import TagCalls
from vllm_connect.parsing.reasoning import ReasoningText
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

START, CHANNEL, TO = "<|start|>assistant", "<|channel|>", " to="
BODY, END, RETURN, CALL = "<|message|>", "<|end|>", "<|return|>", "<|call|>"
CHANNELS = frozenset({"analysis", "commentary", "final"})
CALLED = (CALL, END)
"""What ends a call."""

PEOPLE = frozenset({"assistant", "user", "all"})
"""Recipients that are not tools."""

_parameters = TagCalls("", CALL, "<rfl:parameter name=", "</rfl:parameter>", block_ends=(END, RETURN), wrapped=True)
_PART = re.compile(r"<\|(channel|constrain|start)\|>")


class _Header(NamedTuple):
    channel: str
    recipient: str


def _read_header(text: str) -> _Header | None:
    """Read a header; return None if it is not one.

    A second channel is ignored, and so is the name of the arguments' type, with or without its marker.
    """
    parts = _PART.split(text)
    words = [("role", word) for word in parts[0].split()]
    for kind, part in zip(parts[1::2], parts[2::2], strict=True):
        words += [(kind, word) for word in part.split()]
    recipients = [word.removeprefix("to=") for _, word in words if word.startswith("to=")]
    others = [(kind, word) for kind, word in words if not word.startswith("to=")]
    channels = [word for kind, word in others if kind == "channel" and word in CHANNELS]
    rest = [word for kind, word in others if word not in CHANNELS and kind != "start"]
    if len(rest) > 1 or not all(word.isalnum() for word in rest) or len(set(recipients)) > 1:
        return None
    if any(not is_name(name) for name in recipients) or not (channels or recipients or not others):
        return None
    return _Header(channels[0] if channels else "", recipients[0].removeprefix("functions.") if recipients else "")


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    if marker == START:
        scanner.drop_marker()
    head, body = yield from scanner.read_until(BODY, END, CALL, RETURN, "\n", limit=MAX_NAME)
    header = _read_header(("" if marker == START else marker) + head) if body == BODY else None
    if header is None:
        return False
    if header.recipient and header.recipient not in PEOPLE:
        whole = yield from _read_arguments(scanner, tools, header.recipient)
        yield from scanner.accept(*(CALLED if whole else ()))
        return whole
    scanner.commit()
    if header.channel == "analysis":
        following = yield from scanner.forward_until(
            (END, RETURN, CALL, START), ReasoningText(scanner.emit_reasoning).push
        )
        if following == START:
            scanner.unread(START)
    return False


def _read_arguments(scanner: Scanner, tools: Tools, name: str) -> Reading[bool]:
    """Read the body of a call: JSON, parameters in tags, or nothing."""
    yield from scanner.skip_whitespace()
    if (yield from scanner.peek()) == "{":
        return (yield from named_call(scanner, name))
    if mark := (yield from scanner.accept(_parameters.parameter_start, *CALLED)):
        name = scanner.start_call(name)
        if mark not in CALLED:
            scanner.unread(mark)
            return (yield from _parameters.read_parameters(scanner, tools, name))
        scanner.end_call("{}")
        return True
    return False


FORMAT = Format(
    names=("openai",),
    start_markers=(START, CHANNEL, TO),
    block=_block,
    ignored_markers=(END, RETURN, CALL),
    marks_reasoning=True,
    followed_by=(CHANNEL, "to=functions.", "functions."),
    forced=CallMarkup(
        "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
        "<|call|>",
        separator="<|start|>assistant",
    ),
)
