"""Renderers of calls in each format: names and arguments to text, so that the parsed calls can be compared."""

import json
from collections.abc import Callable
from typing import Any

Call = tuple[str, dict[str, Any]]
Render = Callable[[list[Call]], str]


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def bare(value: Any) -> str:
    """Return a value as tags contain it: a string unchanged, anything else as JSON."""
    return value if isinstance(value, str) else dumps(value)


def kind(value: Any) -> str:
    """Return the JSON type of a value."""
    kinds = ((str, "string"), (bool, "boolean"), (int | float, "number"), (list, "array"), (dict, "object"))
    return next((name for type_, name in kinds if isinstance(value, type_)), "null")


def objects(before: str, after: str, *, joined: str = "\n", arguments: str = "arguments", name: str = "name") -> Render:
    def render(calls: list[Call]) -> str:
        return joined.join(before + dumps({name: tool, arguments: args}) + after for tool, args in calls)

    return render


def array(before: str, after: str, *, arguments: str = "arguments", name: str = "name") -> Render:
    return lambda calls: before + dumps([{name: tool, arguments: args} for tool, args in calls]) + after


def headers(before: str, call: str, after: str) -> Render:
    return lambda calls: (
        before
        + "".join(
            call.replace("NAME", n).replace("INDEX", str(i)).replace("@JSON@", dumps(a))
            for i, (n, a) in enumerate(calls)
        )
        + after
    )


def tags(before: str, call: str, parameter: str, call_end: str, after: str, *, each: bool = False) -> Render:
    def one(name: str, arguments: dict[str, Any]) -> str:
        parts = (
            parameter.replace("KEY", k)
            .replace("STRING", str(isinstance(v, str)).lower())
            .replace("TYPE", kind(v))
            .replace("VALUE", bare(v))
            for k, v in arguments.items()
        )
        return call.replace("NAME", name) + "".join(parts) + call_end

    if each:
        return lambda calls: "\n".join(before + one(n, a) + after for n, a in calls)
    return lambda calls: before + "\n".join(one(n, a) for n, a in calls) + after


def python(before: str, after: str, joined: str) -> Render:
    def render(calls: list[Call]) -> str:
        return before + joined.join(f"{n}({', '.join(f'{k}={v!r}' for k, v in a.items())})" for n, a in calls) + after

    return render


def braces(before: str, quote: str, after: str) -> Render:
    def value(item: Any) -> str:
        if isinstance(item, str):
            return f"{quote}{item}{quote}"
        if isinstance(item, dict):
            return "{" + ",".join(f"{k}:{value(v)}" for k, v in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ",".join(map(value, item)) + "]"
        return dumps(item)

    return lambda calls: "".join(f"{before}call:{n}{value(a)}{after}" for n, a in calls)


def escaped(before: str, quote: str, after: str) -> Render:
    def one(name: str, arguments: dict[str, Any]) -> str:
        return f"{before}call:{name}{{{','.join(f'{k}:{quote}{bare(v)}{quote}' for k, v in arguments.items())}}}{after}"

    return lambda calls: "".join(one(n, a) for n, a in calls)


FUNCTION = ("<function=NAME>\n", "<parameter=KEY>\nVALUE\n</parameter>\n", "</function>\n")
PAIRS = ("NAME\n", "<arg_key>KEY</arg_key>\n<arg_value>VALUE</arg_value>\n", "")
M3 = "]<]minimax[>["


def dsml(word: str, space: str = "") -> Render:
    d = f"｜DSML｜{space}"
    return tags(
        f"<{d}{word}>\n",
        f'<{d}invoke name="NAME">\n',
        f'<{d}parameter name="KEY" string="STRING">VALUE</{d}parameter>\n',
        f"</{d}invoke>\n",
        f"</{d}{word}>",
    )


JSON_FORMATS: dict[str, Render] = {
    "hermes": objects("<tool_call>\n", "\n</tool_call>"),
    "granite4": objects("<tool_call>\n", "\n</tool_call>"),
    "longcat": objects("<longcat_tool_call>", "</longcat_tool_call>"),
    "ernie45": objects("<tool_call>\n", "\n</tool_call>\n"),
    "granite-20b-fc": objects("<function_call> ", ""),
    "inkling": objects("<|message_model|><|content_invoke_tool_json|>", "<|end_message|>", joined="", arguments="args"),
    "jamba": array("<tool_calls>", "</tool_calls>"),
    "hunyuan_a13b": array("<tool_calls>", "</tool_calls>"),
    "granite": array("<|tool_call|>", ""),
    "phi4_mini_json": array("functools", ""),
    "cohere_command3": array("<|START_ACTION|>", "<|END_ACTION|>", name="tool_name", arguments="parameters"),
    "apertus": lambda calls: "<|tools_prefix|>" + dumps([{n: a} for n, a in calls]) + "<|tools_suffix|>",
    "xlam": array("", ""),
    "llama3_json": objects("", "", joined="; ", arguments="parameters"),
    "mistral": headers("", "[TOOL_CALLS]NAME[ARGS]@JSON@", ""),
    "deepseek_v3": headers(
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n@JSON@\n```<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
    ),
    "deepseek_v31": headers(
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>@JSON@<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
    ),
    "kimi_k2": headers(
        "<|tool_calls_section_begin|>",
        "<|tool_call_begin|>functions.NAME:INDEX<|tool_call_argument_begin|>@JSON@<|tool_call_end|>",
        "<|tool_calls_section_end|>",
    ),
    "plamo3": headers(
        "<|plamo:begin_tool_requests:plamo|>",
        "<|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>NAME<|plamo:end_tool_name:plamo|>"
        "<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>@JSON@<|plamo:end_tool_arguments:plamo|>"
        "<|plamo:end_tool_request:plamo|>",
        "<|plamo:end_tool_requests:plamo|>",
    ),
    "openai": headers(
        "", "<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>@JSON@<|call|><|start|>assistant", ""
    ),
    "pythonic": python("[", "]", ", "),
    "llama4_pythonic": python("<|python_start|>[", "]<|python_end|>", ", "),
    "olmo3": python("<function_calls>\n", "\n</function_calls>", "\n"),
    "lfm2": python("<|tool_call_start|>[", "]<|tool_call_end|>", ", "),
}
"""Formats that can contain any JSON value, and any text in a string."""

TAG_FORMATS: dict[str, Render] = {
    "qwen3_coder": tags("<tool_call>\n", *FUNCTION, "</tool_call>", each=True),
    "step3p5": tags("<tool_call>\n", *FUNCTION, "</tool_call>", each=True),
    "seed_oss": tags("<seed:tool_call>\n", *FUNCTION, "</seed:tool_call>", each=True),
    "mimo": tags(
        "<tool_call>\n",
        "<function=NAME>\n",
        "<parameter=KEY>VALUE</parameter>\n",
        "</function>\n",
        "</tool_call>",
        each=True,
    ),
    "minimax_m2": tags(
        "<minimax:tool_call>\n",
        '<invoke name="NAME">\n',
        '<parameter name="KEY">VALUE</parameter>\n',
        "</invoke>\n",
        "</minimax:tool_call>",
    ),
    "dots": tags(
        "<dots_function_call>\n",
        '<invoke name="NAME">\n',
        '<parameter name="KEY">VALUE</parameter>\n',
        "</invoke>\n",
        "</dots_function_call>",
    ),
    "minicpm5": tags("", '<function name="NAME">', '<param name="KEY">VALUE</param>', "</function>", ""),
    "muse_glimmer": tags(
        "<atem:function_calls>",
        '<atem:invoke name="NAME">',
        '<atem:parameter name="KEY">VALUE</atem:parameter>',
        "</atem:invoke>",
        "</atem:function_calls><|eom|>",
    ),
    "muse": tags(
        "<atem:function_calls>",
        '<atem:invoke name="NAME">',
        '<atem:parameter name="KEY">VALUE</atem:parameter>',
        "</atem:invoke>",
        "</atem:function_calls><|eom|>",
    ),
    "step3": tags(
        "<｜tool_calls_begin｜>",
        '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="NAME">',
        '<steptml:parameter name="KEY">VALUE</steptml:parameter>',
        "</steptml:invoke><｜tool_call_end｜>",
        "<｜tool_calls_end｜>",
    ),
    "deepseek_v32": dsml("function_calls"),
    "deepseek_v4": dsml("tool_calls"),
    "deepseek_v41": dsml("calls", " "),
    "glm45": tags("<tool_call>", *PAIRS, "</tool_call>", each=True),
    "ling3": tags("<tool_call>", *PAIRS, "</tool_call>", each=True),
    "poolside_v1": tags("<tool_call>", *PAIRS, "</tool_call>", each=True),
    "hy_v3": tags("<tool_calls>\n", "<tool_call>NAME<tool_sep>\n", PAIRS[1], "</tool_call>", "\n</tool_calls>"),
    "k2_horizon": tags(
        "<ifm|tool_calls>\n",
        "<ifm|tool_call>NAME\n",
        "<ifm|arg_key>KEY</ifm|arg_key>\n<ifm|arg_value>VALUE</ifm|arg_value>\n",
        "</ifm|tool_call>",
        "\n</ifm|tool_calls>",
    ),
    "kimi_k3": tags(
        "<|open|>tools<|sep|>",
        '<|open|>call tool="NAME" index="1"<|sep|>',
        '<|open|>argument key="KEY" type="TYPE"<|sep|>VALUE<|close|>argument<|sep|>',
        "<|close|>call<|sep|>",
        "<|close|>tools<|sep|>",
    ),
    "gemma4": braces("<|tool_call>", '<|"|>', "<tool_call|>"),
    "functiongemma": escaped("<start_function_call>", "<escape>", "<end_function_call>"),
}
"""Formats whose values are bare text between markers."""

ONE_CALL: dict[str, Render] = {
    "internlm": objects("<|action_start|><|plugin|>\n", "<|action_end|>", arguments="parameters"),
    "gigachat3": objects("<|function_call|>", ""),
}
"""Formats with one call in a block."""

ELEMENTS: dict[str, Render] = {
    "minimax_m3": tags(
        f"{M3}<tool_call>\n",
        f'{M3}<invoke name="NAME">',
        f"{M3}<KEY>VALUE{M3}</KEY>",
        f"{M3}</invoke>",
        f"{M3}</tool_call>",
    ),
}
"""Formats that write lists and maps as elements."""
