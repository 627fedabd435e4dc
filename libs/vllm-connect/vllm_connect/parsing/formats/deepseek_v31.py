r"""DeepSeek V3.1: `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"x": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_calls

FORMAT = Format(
    names=("deepseek_v31",),
    start_markers=("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"),
    block=header_calls(
        ("<｜tool▁call▁begin｜>",), ("<｜tool▁sep｜>",), ("<｜tool▁call▁end｜>",), ("<｜tool▁calls▁end｜>",)
    ),
    forced=CallMarkup(
        "<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>",
        separator="",
        before="<｜tool▁calls▁begin｜>",
        after="<｜tool▁calls▁end｜>",
    ),
)
