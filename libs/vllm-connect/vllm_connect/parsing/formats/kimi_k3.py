r"""Kimi K3, in XTML.

`<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|><|open|>argument key="x" type="number"<|sep|>1`, then
`<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>`. A value that is not a string is JSON. In attributes, and
nowhere else, `"` is written `&quot;` and `&` is `&amp;`.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

MARK = "<|"


def _attribute(head: str, name: str) -> str | None:
    _, found, rest = head.partition(f'{name}="')
    if MARK in head:  # the head's own end was damaged
        return None
    return rest.partition('"')[0].replace("&quot;", '"').replace("&amp;", "&") if found else None


def _read_name(head: str) -> str:
    return _attribute(head, "tool") or ""


def _read_key(head: str) -> tuple[str, bool | None]:
    kind = _attribute(head, "type")
    return _attribute(head, "key") or "", None if kind is None else kind == "string"


FORMAT = Format(
    names=("kimi_k3",),
    start_markers=("<|open|>tools<|sep|>",),
    block=TagCalls(
        "<|open|>call ",
        "<|close|>call<|sep|>",
        "<|open|>argument ",
        "<|close|>argument<|sep|>",
        block_ends=("<|close|>tools<|sep|>",),
        head_end="<|sep|>",
        read_name=_read_name,
        read_key=_read_key,
    ),
    forced=CallMarkup(
        '<|open|>call tool="{name}" index="{index}"<|sep|>',
        "<|close|>call<|sep|>",
        separator="",
        before="<|open|>tools<|sep|>",
        after="<|close|>tools<|sep|>",
        style="kimi_k3_xml",
    ),
    ignored_markers=("<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"),
)
