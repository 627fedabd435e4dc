"""In which order a model family's template takes messages, by the model's name.

`google/gemma-2-9b-it` has no system role and wants turns to alternate. A row is a piece of the name in lower case, what to
change, and where that is known from; the more specific stand before the more general.
"""

from functools import lru_cache
from typing import NamedTuple

from vllm_connect.conversation import AS_IT_IS, MessagePolicy

__all__ = ["FAMILY_POLICIES", "OTHERS", "FamilyPolicy", "family_policy"]


class FamilyPolicy(NamedTuple):
    """What a family's template asks for.

    Attributes:
        pattern: A piece of the model's name, lower case.
        policy: What to change.
        source: The template, and what it says or does.
    """

    pattern: str
    policy: MessagePolicy
    source: str


COMMON = MessagePolicy(developer="system")
ORDERED = MessagePolicy(developer="system", merge_leading_systems=True, late_systems="user")
STRICT = ORDERED.model_copy(update={"alternate": True})
NINE = STRICT.model_copy(update={"short_ids": True})
SINGLE = COMMON.model_copy(update={"single_calls": True})

HARMONY = "vLLM's Harmony renderer takes developers, and system messages anywhere"
QWEN = "chat_template.jinja of Qwen/Qwen3.5-9B: `System message must be at the beginning.`"
GEMMA_3 = (
    "chat_template.json of google/gemma-3-4b-it: `Conversation roles must alternate`, and a system message only first"
)
GEMMA_2 = "tokenizer_config.json of google/gemma-2-9b-it: `System role not supported`, and roles must alternate"
MISTRAL = (
    "chat templates of mistralai: `After the optional system message, conversation roles must alternate`, "
    "`Tool call IDs should be alphanumeric strings with length 9!`"
)
PHI = "tool_chat_template_phi4_mini.jinja of vLLM passes over each system message but the first"
LLAMA = (
    "tokenizer_config.json of meta-llama/Llama-3.1-8B-Instruct: `This model only supports single tool-calls at once!`"
)
NEMOTRON = "chat template of nvidia/Llama-3_3-Nemotron-Super-49B-v1_5 passes over each system message but the first"
HERMES = "chat templates of NousResearch take any order and each of a turn's calls, on a Llama or a Mistral too"

OTHERS = FamilyPolicy(
    "any other", COMMON, "templates such as DeepSeek-V3's and Phi-4's pass over a role that they do not know"
)

FAMILY_POLICIES = (
    FamilyPolicy("hermes", COMMON, HERMES),
    FamilyPolicy("gpt-oss", AS_IT_IS, HARMONY),
    FamilyPolicy("qwen3.5", ORDERED, QWEN),
    FamilyPolicy("qwen3.6", ORDERED, QWEN),
    FamilyPolicy("qwen3.8", ORDERED, QWEN),
    FamilyPolicy("gemma-3", STRICT, GEMMA_3),
    FamilyPolicy("gemma-2", STRICT.model_copy(update={"system": "first_user"}), GEMMA_2),
    FamilyPolicy("mistral", NINE, MISTRAL),
    FamilyPolicy("mixtral", NINE, MISTRAL),
    FamilyPolicy("devstral", NINE, MISTRAL),
    FamilyPolicy("ministral", NINE, MISTRAL),
    FamilyPolicy("magistral", NINE, MISTRAL),
    FamilyPolicy("phi-4-mini", ORDERED, PHI),
    FamilyPolicy("nemotron-super", ORDERED, NEMOTRON),
    FamilyPolicy("llama-3", SINGLE, LLAMA),
)
"""The families, the more specific first."""


@lru_cache(maxsize=256)
def family_policy(*names: str | None) -> MessagePolicy:
    """Choose the policy to begin with.

    Args:
        names: What the model is called, the best source first.
    """
    for name in names:
        lowered = (name or "").lower().replace("_", "-")
        for family in FAMILY_POLICIES:
            if family.pattern in lowered:
                return family.policy
    return OTHERS.policy
