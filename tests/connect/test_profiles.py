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
