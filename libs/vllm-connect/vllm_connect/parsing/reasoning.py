"""Where reasoning begins and ends in a model's text.

`<think>The user wants ...</think>The answer.` Some templates put the opener into the prompt, so that the text begins
inside the reasoning; some models think again later. A block that is never closed is reasoning to the end of the text.
The names are those of vLLM's `--reasoning-parser`.
"""

import difflib
from dataclasses import dataclass
from functools import cached_property

from vllm_connect.errors import ConfigurationError

__all__ = ["Reasoning", "find_reasoning", "reasoning_names"]


@dataclass(frozen=True, eq=False)
class Reasoning:
    """How a model family marks its reasoning.

    Attributes:
        opener: The word that begins it; empty where the text says nothing.
        closer: The word that ends it.
        started: Whether the text begins inside the reasoning, its opener being part of the prompt.
        answer: Words around the answer, which are dropped.
        openers: Other spellings of the opener.
    """

    opener: str
    closer: str
    started: bool = False
    answer: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()

    @cached_property
    def all_openers(self) -> tuple[str, ...]:
        """All words that begin it."""
        return tuple(word for word in (self.opener, *self.openers) if word)


THINK = Reasoning("<think>", "</think>", started=True)
MAYBE = Reasoning("<think>", "</think>")
MINIMAX = Reasoning("<mm:think>", "</mm:think>")
MISTRAL = Reasoning("[THINK]", "[/THINK]")
LONGCAT = Reasoning("<longcat_think>", "</longcat_think>")
GEMMA = Reasoning("<|channel>thought\n", "<channel|>")
COHERE = Reasoning("<|START_THINKING|>", "<|END_THINKING|>", answer=("<|START_RESPONSE|>", "<|END_RESPONSE|>"))

TABLE: dict[str, Reasoning | tuple[Reasoning, ...]] = {
    "deepseek_r1": THINK,
    "deepseek_v3": MAYBE,
    "deepseek_v4": THINK,
    "deepseek_v41": THINK,
    "poolside_v1": MAYBE,
    "cohere_command3": COHERE,
    "cohere_command4": Reasoning("<|START_THINKING|>", "<|END_THINKING|>", answer=("<|START_TEXT|>", "<|END_TEXT|>")),
    "ernie45": Reasoning(
        "<think>", "</think>", started=True, answer=("<response>\n", "\n</response>", "<response>", "</response>")
    ),
    "gemma4": GEMMA,
    "glm45": THINK,
    "glm47": THINK,
    "ling3": THINK,
    "openai_gptoss": Reasoning("<|channel|>analysis<|message|>", "<|end|>"),
    "granite": Reasoning(
        "Here is my thought process:",
        "Here is my response:",
        openers=("Here's my thought process:",),
    ),
    "granite_thinking_parser": THINK,
    "hf": MAYBE,
    "holo2": THINK,
    "hunyuan_a13b": Reasoning("<think>\n", "\n</think>\n", answer=("<answer>\n", "\n</answer>")),
    "hy_v3": MAYBE,
    "hy_v4": THINK,
    "kimi_k2": THINK,
    "kimi_k3": Reasoning("<|open|>think<|sep|>", "<|close|>think<|sep|>", started=True),
    "k2_horizon": tuple(
        Reasoning(f"<ifm|{effort}>", f"</ifm|{effort}>") for effort in ("think", "think_fast", "think_faster")
    ),
    "mimo": THINK,
    "minicpmv": THINK,
    "minimax_m2": THINK,
    "minimax_m2_append_think": THINK,
    "minimax_m3": MINIMAX,
    "mistral": MISTRAL,
    "nemotron_v3": THINK,
    "olmo3": MAYBE,
    "plamo3": Reasoning("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", started=True),
    "beam": MAYBE,
    "muse": MAYBE,
    "musespark1x": MAYBE,
    "muse_glimmer": MAYBE,
    "qwen3": THINK,
    "seed_oss": Reasoning("<seed:think>", "</seed:think>", started=True),
    "step3": Reasoning("", "</think>", started=True),
    "step3p5": THINK,
    "step5": THINK,
    "inkling": Reasoning("<|content_thinking|>", "<|end_message|>"),
    "longcat": LONGCAT,
}

AUTO = (
    MAYBE,
    MINIMAX,
    MISTRAL,
    Reasoning("<seed:think>", "</seed:think>"),
    LONGCAT,
    GEMMA,
    COHERE,
)
"""What is looked for where nothing is known of the model: only words that mean nothing else."""


def reasoning_names() -> list[str]:
    """List the names, sorted."""
    return sorted(TABLE)


def find_reasoning(name: str | Reasoning | None) -> tuple[Reasoning, ...]:
    """Find how reasoning is marked.

    Args:
        name: A name of vLLM's `--reasoning-parser`; `auto` for any unmistakable opener; None for nothing.

    Returns:
        The ways to look for; the first one found is the one.

    Raises:
        ConfigurationError: There is none of that name; the message has the nearest ones.
    """
    if name is None:
        return ()
    if isinstance(name, Reasoning):
        return (name,)
    if name == "auto":
        return AUTO
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigurationError(
            f"there is no reasoning parser {name!r}{hint} The names are those of reasoning_names()"
        )
    found = TABLE[name]
    return found if isinstance(found, tuple) else (found,)
