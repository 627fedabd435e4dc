"""Model families: how each is recognised, how it writes calls and reasoning, and what its chat template accepts.

`Qwen/Qwen3-8B` writes calls in the format `hermes` and reasoning as `qwen3` does. A row is found by a part of the
model's name in lower case, and the first row that matches is used, so specific names precede general ones. Formats and reasoning
parsers have the names of vLLM's flags; a family with its own reasoning markup can have a `Reasoning` in its row. The rows
follow the models' cards, their chat templates and vLLM's recipes.
"""

from functools import lru_cache
from typing import NamedTuple

from vllm_connect.conversation.message_policy import UNCHANGED, MessagePolicy
from vllm_connect.parsing.reasoning import Reasoning

__all__ = ["OTHER", "PROFILES", "Profile", "find_profile"]

COMMON = MessagePolicy(developer="system")
SYSTEM_FIRST = MessagePolicy(developer="system", merge_leading_systems=True, late_systems="user")
ALTERNATING = SYSTEM_FIRST.model_copy(update={"alternate": True})
MISTRAL = ALTERNATING.model_copy(update={"tool_call_ids": "short"})
NUMBERED = COMMON.model_copy(update={"tool_call_ids": "numbered"})
ONE_CALL = COMMON.model_copy(update={"split_tool_calls": True})


class Profile(NamedTuple):
    """One model family.

    Attributes:
        pattern: A part of the model's name, lower case, with hyphens in place of underscores.
        tool_format: The name of its tool-call format; None if it has no native one.
        reasoning_parser: The name of its reasoning parser, or its markers; None if it does not reason.
        message_policy: The changes to a conversation that its chat template requires.
        reasoning_prefilled: Whether its chat template ends every prompt with the start marker of the reasoning.
        source: The source of the message policy, with a quotation of the template.
    """

    pattern: str
    tool_format: str | None = None
    reasoning_parser: str | Reasoning | None = None
    message_policy: MessagePolicy = COMMON
    reasoning_prefilled: bool = False
    source: str = ""


OTHER = Profile("", source="templates such as DeepSeek-V3's and Phi-4's ignore unknown roles")
"""Any other model."""

_HARMONY = "vLLM's Harmony renderer takes developer messages, and system messages anywhere"
_QWEN = "chat_template.jinja of Qwen/Qwen3.5-9B: `System message must be at the beginning.`"
_GEMMA_3 = (
    "chat_template.json of google/gemma-3-4b-it: `Conversation roles must alternate`, and a system message only first"
)
_GEMMA_2 = "tokenizer_config.json of google/gemma-2-9b-it: `System role not supported`, and roles must alternate"
_MISTRAL = (
    "chat templates of mistralai: `After the optional system message, conversation roles must alternate`, "
    "`Tool call IDs should be alphanumeric strings with length 9!`"
)
_KIMI = (
    "chat_template.jinja of moonshotai/Kimi-K2-Instruct writes ids of calls into the prompt, "
    "and the model's own are `functions.<name>:<number>`"
)
_PHI = "tool_chat_template_phi4_mini.jinja of vLLM ignores every system message but the first"
_LLAMA = (
    "tokenizer_config.json of meta-llama/Llama-3.1-8B-Instruct: `This model only supports single tool-calls at once!`"
)
_NEMOTRON = "chat template of nvidia/Llama-3_3-Nemotron-Super-49B-v1_5 ignores every system message but the first"
_APRIEL = Reasoning(
    "Here are my reasoning steps:\n",
    "[BEGIN FINAL RESPONSE]",
    starts_in_reasoning=True,
    answer_markers=("[END FINAL RESPONSE]",),
)
_MINICPM_4 = Reasoning("<|thought_start|>", "<|thought_end|>")
_SOLAR = Reasoning("<|think:start|>", "<|think:end|>")
_HYPERCLOVA = Reasoning("/think\n", "<|im_end|>", is_end_unambiguous=False)

_HERMES = "chat templates of NousResearch take any order and every call of a turn, on a Llama or a Mistral too"

PROFILES = (
    Profile("hermes", "hermes", None, COMMON, source=_HERMES),
    Profile("mistral-small-4", "mistral", "mistral", MISTRAL, source=_MISTRAL),
    Profile("magistral", "mistral", "mistral", MISTRAL, source=_MISTRAL),
    Profile("ministral", "mistral", "mistral", MISTRAL, source=_MISTRAL),
    Profile("mistral", "mistral", None, MISTRAL, source=_MISTRAL),
    Profile("mixtral", "mistral", None, MISTRAL, source=_MISTRAL),
    Profile("devstral", "mistral", None, MISTRAL, source=_MISTRAL),
    Profile("mimo", "mimo", "mimo"),
    Profile("deepseek-r1-0528", "deepseek_v3", "deepseek_r1"),
    Profile("deepseek-r1", "deepseek_v3", "deepseek_r1", reasoning_prefilled=True),
    Profile("qwen3-coder", "qwen3_coder"),
    Profile("qwen3.5", "qwen3_coder", "qwen3", SYSTEM_FIRST, source=_QWEN),
    Profile("qwen3.6", "qwen3_coder", "qwen3", SYSTEM_FIRST, source=_QWEN),
    Profile("qwen3.8", "qwen3_coder", "qwen3", SYSTEM_FIRST, source=_QWEN),
    Profile("qwq", "hermes", "deepseek_r1", reasoning_prefilled=True),
    Profile("qwen3", "hermes", "qwen3"),
    Profile("qwen2.5", "hermes"),
    Profile("internlm", "internlm"),
    Profile("toolace", "pythonic", None, ONE_CALL, source=_LLAMA),
    Profile("nemotron-super", "nemotron_json", "deepseek_v3", SYSTEM_FIRST, source=_NEMOTRON),
    Profile("nemotron-nano-9b-v2", "nemotron_json", "deepseek_r1", reasoning_prefilled=True),
    Profile("nemotron-nano-12b-v2", "nemotron_json", "deepseek_r1", reasoning_prefilled=True),
    Profile("nemotron-nano", "nemotron_json", "deepseek_v3"),
    Profile("functionary-small-v3.1", "qwen3_coder"),
    Profile("functionary-medium-v3.1", "qwen3_coder"),
    Profile("functionary", "functionary_v3"),
    Profile("llama-4", "llama4_pythonic"),
    Profile("llama-3.2", "pythonic", None, ONE_CALL, source=_LLAMA),
    Profile("llama-3", "llama3_json", None, ONE_CALL, source=_LLAMA),
    Profile("llama3", "llama3_json"),
    Profile("xlam", "xlam"),
    Profile("deepseek-v4.1", "deepseek_v41", "deepseek_v41"),
    Profile("deepseek-v4", "deepseek_v4", "deepseek_v4"),
    Profile("deepseek-v3.2", "deepseek_v32", "deepseek_v3"),
    Profile("deepseek-v3.1", "deepseek_v31", "deepseek_v3"),
    Profile("deepseek-v3", "deepseek_v3"),
    Profile("glm-4.7", "glm47", "glm45"),
    Profile("glm-5", "glm47", "glm45"),
    Profile("glm-4.", "glm45", "glm45"),
    Profile("granite-20b-functioncalling", "granite-20b-fc"),
    Profile("granite-4", "granite4"),
    Profile("granite-3.2", "granite", "granite"),
    Profile("granite", "granite"),
    Profile("kimi-k3", "kimi_k3", "kimi_k3"),
    Profile("kimi-k2", "kimi_k2", "kimi_k2", NUMBERED, source=_KIMI),
    Profile("minimax-m3", "minimax_m3", "minimax_m3"),
    Profile("minimax", "minimax_m2", "minimax_m2"),
    Profile("seed-oss", "seed_oss", "seed_oss"),
    Profile("step-3.5", "step3p5", "step3p5"),
    Profile("step-5", "step5", "step5"),
    Profile("muse-spark", "muse", "muse"),
    Profile("muse-glimmer", "muse_glimmer", "muse_glimmer"),
    Profile("step3", "step3", "step3"),
    Profile("functiongemma", "functiongemma"),
    Profile("gemma-4", "gemma4", "gemma4"),
    Profile("gemma-3", message_policy=ALTERNATING, source=_GEMMA_3),
    Profile("gemma-2", message_policy=ALTERNATING.model_copy(update={"system": "first_user"}), source=_GEMMA_2),
    Profile("hunyuan", "hunyuan_a13b", "hunyuan_a13b"),
    Profile("hy3", "hy_v3", "hy_v3"),
    Profile("hy4", "hy_v4", "hy_v4"),
    Profile("jamba", "jamba"),
    Profile("phi-4-mini", "phi4_mini_json", None, SYSTEM_FIRST, source=_PHI),
    Profile("ernie-4.5", "ernie45", "ernie45"),
    Profile("longcat", "longcat"),
    Profile("gigachat", "gigachat3"),
    Profile("apertus", "apertus"),
    Profile("command-r7b", "cohere_command3", "cohere_command3"),
    Profile("command-r", "command_r"),
    Profile("aya-expanse", "command_r"),
    Profile("command-a", "cohere_command3", "cohere_command3"),
    Profile("gpt-oss", "openai", "openai_gptoss", UNCHANGED, source=_HARMONY),
    Profile("olmo-3", "olmo3", "olmo3"),
    Profile("lfm2.5", "lfm2", "deepseek_v3"),
    Profile("lfm2", "lfm2"),
    Profile("minicpm4.1", "minicpm4", "deepseek_v3"),
    Profile("minicpm4", "minicpm4", _MINICPM_4),
    Profile("minicpm3", "minicpm4", _MINICPM_4),
    Profile("apriel", "jamba", _APRIEL, reasoning_prefilled=True),
    Profile("smollm3", "hermes", "deepseek_v3"),
    Profile("exaone-4", "hermes", "deepseek_v3"),
    Profile("falcon-h1", "hermes"),
    Profile("hyperclovax-seed-think", "hyperclovax_seed_think_14b", _HYPERCLOVA),
    Profile("solar-open", "solar_open2", _SOLAR),
    Profile("minicpm5", "minicpm5", "minicpmv"),
    Profile("nemotron", "qwen3_coder", "nemotron_v3"),
    Profile("laguna", "poolside_v1", "poolside_v1"),
    Profile("inkling", "inkling", "inkling"),
    Profile("plamo-3", "plamo3", "plamo3"),
    Profile("ling-3", "ling3", "ling3"),
    Profile("dots", "dots"),
)
"""The families, more specific patterns first."""


@lru_cache(maxsize=256)
def find_profile(*names: str | None) -> Profile:
    """Find the profile of a model.

    Args:
        names: The model's names, the most reliable first: the served checkpoint, its id, the requested name.

    Returns:
        The profile; `OTHER` if no name is known.
    """
    for name in names:
        lowered = (name or "").lower().replace("_", "-")
        for profile in PROFILES:
            if profile.pattern in lowered:
                return profile
    return OTHER
