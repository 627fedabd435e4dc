"""The profiles of model families."""

import pytest
from vllm_connect.parsing.format import format_names
from vllm_connect.parsing.output_parser import parse_output
from vllm_connect.parsing.reasoning import Reasoning, reasoning_names
from vllm_connect.profiles import OTHER, PROFILES, Profile, find_profile


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.pattern for profile in PROFILES])
def test_a_profile_names_existing_parsers(profile: Profile) -> None:
    assert profile.tool_format is None or profile.tool_format in format_names()
    assert isinstance(profile.reasoning_parser, Reasoning | None) or profile.reasoning_parser in reasoning_names()


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.pattern for profile in PROFILES])
def test_a_profile_is_found_by_its_pattern(profile: Profile) -> None:
    assert find_profile(f"org/{profile.pattern}-9b") == profile


@pytest.mark.parametrize(
    ("names", "tool_format"),
    [
        (("Qwen/Qwen3-8B",), "hermes"),
        (("Qwen/Qwen3-Coder-30B-A3B-Instruct",), "qwen3_coder"),
        (("deepseek-ai/DeepSeek-V3.1",), "deepseek_v31"),
        (("meta-llama/Llama-3.1-8B-Instruct",), "llama3_json"),
        (("/models/Mistral-Small-3.2", "alias"), "mistral"),
        ((None, "zai-org/GLM-4.6"), "glm45"),
        (("openai/gpt-oss-20b",), "openai"),
        (("moonshotai/Kimi-K2-Instruct",), "kimi_k2"),
        (("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",), "deepseek_v3"),
        (("deepseek-ai/DeepSeek-R1-Distill-Llama-8B",), "deepseek_v3"),
        (("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",), "deepseek_v3"),
        (("nvidia/NVIDIA-Nemotron-Nano-9B-v2",), "nemotron_json"),
        (("nvidia/Llama-3.1-Nemotron-Nano-8B-v1",), "nemotron_json"),
        (("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5",), "nemotron_json"),
        (("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",), "qwen3_coder"),
        (("CohereForAI/c4ai-command-r-plus-08-2024",), "command_r"),
        (("CohereForAI/c4ai-command-r7b-12-2024",), "cohere_command3"),
        (("meetkai/functionary-small-v3.1",), "qwen3_coder"),
        (("meetkai/functionary-small-v3.2",), "functionary_v3"),
        (("ServiceNow-AI/Apriel-1.6-15b-Thinker",), "jamba"),
        (("LiquidAI/LFM2.5-1.2B-Instruct",), "lfm2"),
        (("openbmb/MiniCPM4-8B",), "minicpm4"),
        (("HuggingFaceTB/SmolLM3-3B",), "hermes"),
        (("LGAI-EXAONE/EXAONE-4.0-32B",), "hermes"),
        (("tiiuae/Falcon-H1-34B-Instruct",), "hermes"),
        (("tencent/Hunyuan-7B-Instruct",), "hunyuan_a13b"),
        (("naver-hyperclovax/HyperCLOVAX-SEED-Think-14B",), "hyperclovax_seed_think_14b"),
        (("upstage/Solar-Open-100B",), "solar_open2"),
    ],
)
def test_the_profile_of_a_model(names: tuple[str | None, ...], tool_format: str) -> None:
    assert find_profile(*names).tool_format == tool_format


def test_an_unknown_model_has_the_common_profile() -> None:
    assert find_profile("demo", None) is OTHER


def test_a_profile_may_have_its_own_reasoning_markup() -> None:
    profile = Profile("deepthinker", "hermes", Reasoning("<ponder>", "</ponder>", starts_in_reasoning=True))
    answer = parse_output("Hm.</ponder>Hello", profile.tool_format, profile.reasoning_parser)
    assert (answer.reasoning, answer.text) == ("Hm.", "Hello")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("Apriel-1.6", "Hm.\n[BEGIN FINAL RESPONSE]\nHello"),
        ("Apriel-1.5", "Hm.\n[BEGIN FINAL RESPONSE]\nHello\n[END FINAL RESPONSE]\n<|end|>"),
        ("MiniCPM4-8B", "<|thought_start|>\nHm.\n<|thought_end|>\nHello<|im_end|>"),
        ("NVIDIA-Nemotron-Nano-9B-v2", "Hm.\n</think>\n\nHello\n<SPECIAL_12>\n"),
        ("Solar-Open-100B", "<|think:start|>Hm.<|think:end|>Hello"),
        ("EXAONE-4.0-32B", "Hm.\n</think>\n\nHello"),
    ],
)
def test_reasoning_of_a_family_is_split_off(model: str, text: str) -> None:
    profile = find_profile(model)
    answer = parse_output(text, profile.tool_format, profile.reasoning_parser)
    assert (answer.reasoning, answer.text.strip()) == ("Hm.", "Hello")
