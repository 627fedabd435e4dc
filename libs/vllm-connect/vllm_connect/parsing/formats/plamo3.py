r"""PLaMo 3.

`<|plamo:begin_tool_requests:plamo|><|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>f`, then
`<|plamo:end_tool_name:plamo|><|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>{"x": 1}`, and the
end markers of arguments, request and requests.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_calls

NAME = "<|plamo:begin_tool_name:plamo|>"


def _read_header(header: str) -> tuple[str, str | None]:
    return header.strip().removeprefix(NAME).strip(), None


FORMAT = Format(
    names=("plamo3",),
    start_markers=("<|plamo:begin_tool_requests:plamo|>",),
    block=header_calls(
        ("<|plamo:begin_tool_request:plamo|>", NAME),
        ("<|plamo:end_tool_name:plamo|>",),
        ("<|plamo:end_tool_arguments:plamo|>", "<|plamo:end_tool_request:plamo|>"),
        ("<|plamo:end_tool_requests:plamo|>",),
        read_header=_read_header,
        fences=("<|plamo:begin_tool_arguments:plamo|>", "<|plamo:constrain|>json", "<|plamo:msg|>"),
    ),
    ignored_markers=("<|plamo:tag|>",),
    forced=CallMarkup(
        f"<|plamo:begin_tool_request:plamo|>{NAME}{{name}}<|plamo:end_tool_name:plamo|>"
        "<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>",
        "<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>",
        separator="",
        before="<|plamo:begin_tool_requests:plamo|>",
        after="<|plamo:end_tool_requests:plamo|>",
    ),
)
