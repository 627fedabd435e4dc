"""Which parsers a model family wants, by the model's name.

`Qwen/Qwen3-8B` writes calls as `hermes` and reasoning as `qwen3`. A row is a piece of the name in lower case; the more
specific stand before the more general. The names are those of vLLM's flags, and the rows follow the models' own cards
and vLLM's recipes for serving them.
"""

from functools import lru_cache
from typing import NamedTuple

__all__ = ["Family", "find_family"]


class Family(NamedTuple):
    """What a model family wants.

    Attributes:
        pattern: A piece of the model's name, lower case.
        tools: The tool-call format, None where the family has none of its own.
        reasoning: The reasoning parser, None where the family does not reason.
    """

    pattern: str
    tools: str | None
    reasoning: str | None


FAMILIES = (
    Family("mistral-small-4", "mistral", "mistral"),
    Family("magistral", "mistral", "mistral"),
    Family("ministral", "mistral", "mistral"),
    Family("mistral", "mistral", None),
    Family("mixtral", "mistral", None),
    Family("devstral", "mistral", None),
    Family("mimo", "mimo", "mimo"),
    Family("qwen3-coder", "qwen3_coder", None),
    Family("qwen3.5", "qwen3_coder", "qwen3"),
    Family("qwen3.6", "qwen3_coder", "qwen3"),
    Family("qwen3.8", "qwen3_coder", "qwen3"),
    Family("qwq", "hermes", "deepseek_r1"),
    Family("qwen3", "hermes", "qwen3"),
    Family("qwen2.5", "hermes", None),
    Family("hermes", "hermes", None),
    Family("internlm", "internlm", None),
    Family("toolace", "pythonic", None),
    Family("llama-4", "llama4_pythonic", None),
    Family("llama-3.2", "pythonic", None),
    Family("llama-3", "llama3_json", None),
    Family("llama3", "llama3_json", None),
    Family("xlam", "xlam", None),
    Family("deepseek-v4.1", "deepseek_v41", "deepseek_v41"),
    Family("deepseek-v4", "deepseek_v4", "deepseek_v4"),
    Family("deepseek-v3.2", "deepseek_v32", "deepseek_v3"),
    Family("deepseek-v3.1", "deepseek_v31", "deepseek_v3"),
    Family("deepseek-r1-distill-qwen", "hermes", "deepseek_r1"),
    Family("deepseek-r1", "deepseek_v3", "deepseek_r1"),
    Family("deepseek-v3", "deepseek_v3", None),
    Family("glm-4.7", "glm47", "glm45"),
    Family("glm-5", "glm47", "glm45"),
    Family("glm-4.", "glm45", "glm45"),
    Family("granite-20b-functioncalling", "granite-20b-fc", None),
    Family("granite-4", "granite4", None),
    Family("granite-3.2", "granite", "granite"),
    Family("granite", "granite", None),
    Family("kimi-k3", "kimi_k3", "kimi_k3"),
    Family("kimi-k2", "kimi_k2", "kimi_k2"),
    Family("minimax-m3", "minimax_m3", "minimax_m3"),
    Family("minimax", "minimax_m2", "minimax_m2"),
    Family("seed-oss", "seed_oss", "seed_oss"),
    Family("step-3.5", "step3p5", "step3p5"),
    Family("step-5", "step5", "step5"),
    Family("muse-spark", "muse", "muse"),
    Family("muse-glimmer", "muse_glimmer", "muse_glimmer"),
    Family("step3", "step3", "step3"),
    Family("functiongemma", "functiongemma", None),
    Family("gemma-4", "gemma4", "gemma4"),
    Family("hunyuan-a13b", "hunyuan_a13b", "hunyuan_a13b"),
    Family("hy3", "hy_v3", "hy_v3"),
    Family("hy4", "hy_v4", "hy_v4"),
    Family("jamba", "jamba", None),
    Family("phi-4-mini", "phi4_mini_json", None),
    Family("ernie-4.5", "ernie45", "ernie45"),
    Family("longcat", "longcat", None),
    Family("gigachat", "gigachat3", None),
    Family("apertus", "apertus", None),
    Family("command-a", "cohere_command3", "cohere_command3"),
    Family("gpt-oss", "openai", "openai_gptoss"),
    Family("olmo-3", "olmo3", "olmo3"),
    Family("lfm2", "lfm2", None),
    Family("minicpm5", "minicpm5", "minicpmv"),
    Family("nemotron", "qwen3_coder", "nemotron_v3"),
    Family("laguna", "poolside_v1", "poolside_v1"),
    Family("inkling", "inkling", "inkling"),
    Family("plamo-3", "plamo3", "plamo3"),
    Family("ling-3", "ling3", "ling3"),
    Family("dots", "dots", None),
)


@lru_cache(maxsize=256)
def find_family(*names: str | None) -> Family | None:
    """Find a model's family.

    Args:
        names: What the model is called, the best source first: what is really served, its id, the name asked for.

    Returns:
        The family, None where no name tells.
    """
    for name in names:
        lowered = (name or "").lower().replace("_", "-")
        for family in FAMILIES:
            if family.pattern in lowered:
                return family
    return None
