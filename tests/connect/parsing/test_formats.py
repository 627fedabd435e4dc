"""The formats: their names, auto-detection, and what they have in common."""

import pytest
from vllm_connect import (
    ConfigurationError,
    Format,
    OutputParser,
    find_format,
    fold,
    format_names,
    parse_output,
    reasoning_names,
)
from vllm_connect.parsing.auto_format import detecting_format
from vllm_connect.parsing.grammars.json_calls import json_array, json_objects, named_object
from vllm_connect.parsing.grammars.tag_calls import TagCalls

REGISTRY = (
    "apertus cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 "
    "deepseek_v41 dots ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite granite-20b-fc granite4 "
    "hermes hf hunyuan_a13b hy_v3 hy_v4 inkling internlm jamba k2_horizon kimi_k2 kimi_k3 lfm2 ling3 "
    "llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2 minimax_m3 mistral "
    "muse_glimmer olmo3 openai phi4_mini_json plamo3 poolside_v1 pythonic qwen3_coder qwen3_json "
    "qwen3_xml seed_oss step3 step3p5 xlam "
    "beam muse musespark1x step5"
)
"""The tool parsers of vLLM 0.33.0; the last four are new in it."""

REASONING = (
    "cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45 gemma4 "
    "glm45 glm47 granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3 hy_v4 inkling k2_horizon "
    "kimi_k2 kimi_k3 ling3 mimo minicpmv minimax_m2 minimax_m2_append_think minimax_m3 mistral "
    "muse_glimmer nemotron_v3 olmo3 openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3 step3p5 "
    "beam muse musespark1x step5"
)
"""The reasoning parsers of vLLM 0.33.0; the last four are new in it."""


def test_every_tool_parser_has_its_name() -> None:
    assert set(REGISTRY.split()) - set(format_names()) == {"hf"}


def test_every_reasoning_parser_has_its_name() -> None:
    assert set(REASONING.split()) - set(reasoning_names()) == {"hf"}


def test_a_name_that_the_checkpoint_defines_is_refused_with_advice() -> None:
    for refused in (lambda: find_format("hf"), lambda: OutputParser(None, "hf")):
        with pytest.raises(
            ConfigurationError, match=r"response template of the served checkpoint.*tool_parser='server'"
        ):
            refused()


@pytest.mark.parametrize("name", format_names())
def test_a_format_has_names_and_start_markers(name: str) -> None:
    format_ = find_format(name)
    assert name in format_.names
    assert format_.start_markers
    assert OutputParser(name).finish() == []


def test_an_unknown_name_is_refused_with_similar_names() -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_format("hermess")
    assert str(refused.value) == "there is no tool-call format 'hermess': use hermes, or another name of format_names()"
    with pytest.raises(ConfigurationError, match=r"there is no reasoning parser 'qwen33': use qwen3,"):
        OutputParser(None, "qwen33")
    with pytest.raises(ConfigurationError) as unlike:
        find_format("zzz")
    assert str(unlike.value) == "there is no tool-call format 'zzz': format_names() lists the names"


def test_a_custom_format() -> None:
    mine = Format(names=("mine",), start_markers=("<<call>>",), block=json_objects("<</call>>"))
    answer = parse_output('a<<call>>{"name": "f", "arguments": {}}<</call>>b', tool_parser=mine)
    assert ([call.name for call in answer.tool_calls], answer.text) == (["f"], "ab")


HERMES = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'


@pytest.mark.parametrize(
    ("text", "via"),
    [
        (HERMES, "hermes"),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>", "qwen3_coder"),
        ("<tool_call>f\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", "glm45"),
        ('[TOOL_CALLS]f[ARGS]{"x": 1}', "mistral"),
        (
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"x": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
            "deepseek_v31",
        ),
        (
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"x": 1}\n```<｜tool▁call▁end｜>',
            "deepseek_v3",
        ),
        ('<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}<|call|>', "openai"),
        ('<|start|>assistant<|channel|>analysis to=functions.f code<|message|>{"x": 1}<|call|>', "openai"),
        ("<|tool_call>call:f{x:1}<tool_call|>", "gemma4"),
        ('<tool_call>[{"name": "f", "arguments": {"x": 1}}]', "granite"),
        ('<tool_calls> [{"name": "f", "arguments": {"x": 1}}]</tool_calls>', "jamba"),
        (
            "<tool_calls><tool_call>f<tool_sep><arg_key>x</arg_key><arg_value>1</arg_value></tool_call></tool_calls>",
            "hy_v3",
        ),
    ],
)
def test_an_unambiguous_format_is_detected(text: str, via: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "integer"}}}}}]
    for parser in ("auto", via):
        for pieces in ([text], list(text)):
            reader = OutputParser(parser, None, tools)
            (call,) = fold([d for piece in pieces for d in reader.push(piece)] + reader.finish()).tool_calls
            assert (call.name, call.parsed()) == ("f", {"x": 1})


def test_recovery_accepts_only_complete_declared_and_valid_calls() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "integer"}}}}}]

    def recover(text: str) -> tuple[int, str]:
        parser = OutputParser("hermes", None, tools, recover=True)
        answer = fold([*parser.push(text), *parser.finish()])
        return len(answer.tool_calls) + len(answer.invalid_tool_calls), answer.text

    assert recover(HERMES) == (1, "")
    for text in (HERMES[:30], HERMES.replace('"f"', '"g"'), HERMES.replace("1", '"one"'), HERMES.replace(": 1", ":")):
        assert recover(text) == (0, text)


@pytest.mark.parametrize(
    ("name", "text", "reasoning", "answer"),
    [
        ("qwen3", "<think>r</think>a", "r", "a"),
        ("qwen3", "r</think>a", "r", "a"),
        ("qwen3", "<think>r", "r", ""),
        ("deepseek_v3", "a", "", "a"),
        ("mistral", "[THINK]r[/THINK]a", "r", "a"),
        ("gemma4", "<|channel>thought\nr<channel|>a", "r", "a"),
        ("seed_oss", "<seed:think>r</seed:think>a", "r", "a"),
        ("plamo3", "r<|plamo:end_think:plamo|>a", "r", "a"),
        ("k2_horizon", "<ifm|think_fast>r </ifm|think>.</ifm|think_fast>a", "r </ifm|think>.", "a"),
        ("auto", "a <think>r</think> b", "r", "a  b"),
        ("auto", "a", "", "a"),
        (None, "<think>r</think>a", "", "<think>r</think>a"),
    ],
)
def test_reasoning_is_split_off(name: str | None, text: str, reasoning: str, answer: str) -> None:
    for pieces in ([text], list(text)):
        parser = OutputParser(None, name)
        found = fold([d for piece in pieces for d in parser.push(piece)] + parser.finish())
        assert (found.reasoning, found.text) == (reasoning, answer)


def test_ids_follow_the_family() -> None:
    (mistral,) = parse_output("[TOOL_CALLS]f{}", "mistral").tool_calls
    assert len(mistral.id) == 9
    assert mistral.id.isalnum()
    kimi = "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:3<|tool_call_argument_begin|>{}<|tool_call_end|>"
    assert parse_output(kimi, "kimi_k2").tool_calls[0].id == "functions.f:3"
    first, second = (parse_output(HERMES, "hermes").tool_calls[0].id for _ in range(2))
    assert first != second


ATEM = '<atem:function_calls><atem:invoke name="{name}"><atem:parameter name="x">1</atem:parameter></atem:invoke></atem:function_calls>'
X: dict[str, object] = {"properties": {"x": {"type": "integer"}}}
BARE_TOOLS: list[dict[str, object]] = [{"type": "function", "function": {"name": "f", "parameters": X}}]


@pytest.mark.parametrize("split", [False, True])
def test_muse_distinguishes_recipients(split: bool) -> None:
    text = (
        f"<|message|>hm <atem:function_calls> no<|eom|><|start|>assistant to=self<|message|>, go"
        f"<|start|>assistant to=commentary<|message|>Wait. <|eom|>"
        f"<|start|>assistant to=f.f<|message|>{ATEM.format(name='f.f')}<|eom|>"
        f"<|start|>assistant to=user<|message|>Done.<|eot|>"
    )
    parser = OutputParser("muse", None, BARE_TOOLS)
    pieces = list(text) if split else [text]
    answer = fold([delta for piece in pieces for delta in parser.push(piece)] + parser.finish(), tools=BARE_TOOLS)
    assert answer.reasoning == "hm <atem:function_calls> no, go"
    assert answer.text == "Wait. Done."
    assert [(call.name, call.arguments, call.known) for call in answer.tool_calls] == [("f", '{"x": 1}', True)]


def test_a_doubled_name_is_collapsed_only_if_that_is_a_tool() -> None:
    def name(called: str, tools: list[dict[str, object]] | None) -> str:
        return parse_output(ATEM.format(name=called), "muse_glimmer", None, tools).tool_calls[0].name

    doubled: dict[str, object] = {"type": "function", "function": {"name": "f.f"}}
    both = [*BARE_TOOLS, doubled]
    assert name("f.f", BARE_TOOLS) == "f"
    assert name("f.f", both) == "f.f"
    assert name("g.f", BARE_TOOLS) == "g.f"
    assert name("f.f", None) == "f.f"


def test_a_message_without_a_recipient_is_the_answer_of_muse_glimmer() -> None:
    answer = parse_output("<|start|>assistant<|message|>Hi<|eot|>", "muse_glimmer")
    assert (answer.text, answer.reasoning) == ("Hi", "")


def test_detection_selects_a_format_by_what_follows_and_then_by_rank() -> None:
    shared = ("<<call>>",)
    array = Format(("array",), shared, json_array("<</call>>"), followed_by=("[",))
    tags = Format(("tags",), shared, TagCalls("<f=", "</f>", "<p=", "</p>"), followed_by=("<f=",))
    low = Format(("low",), shared, json_objects("<</call>>", item=named_object))
    high = Format(("high",), (*shared, "<<high>>"), json_objects("<</call>>"), rank=1)
    bare = Format(("bare",), ("[",), json_array(), unambiguous=False)
    auto = detecting_format((array, tags, low, high, bare))
    for text in (
        '<<call>>\n[{"name": "f", "arguments": {"x": 1}}]',
        "<<call>>\n<f=f><p=x>1</p></f>",
        '<<call>>\n{"name": "f", "arguments": {"x": 1}}<</call>>',
        '<<high>>{"name": "f", "arguments": {"x": 1}}',
    ):
        for pieces in ([text], list(text)):
            parser = OutputParser(auto, None, BARE_TOOLS)
            answer = fold([d for piece in pieces for d in parser.push(piece)] + parser.finish())
            assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("f", {"x": 1})], text
    assert parse_output('So [{"name": "f", "arguments": {}}]', auto, None, BARE_TOOLS).tool_calls == ()
