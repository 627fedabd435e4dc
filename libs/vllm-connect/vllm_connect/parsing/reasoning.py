"""Where reasoning begins and ends in a model's text.

`<think>The user wants ...</think>The answer.` Some chat templates put the start marker into the prompt, so that the text
begins inside the reasoning; some models reason again later. A block without an end marker is reasoning to the end of the
text. The names are those of vLLM's `--reasoning-parser`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from vllm_connect.parsing.scanner import WHITESPACE
from vllm_connect.parsing.unknown_names import unknown_name

__all__ = ["SPLIT_OFF", "Reasoning", "ReasoningText", "find_reasoning", "reasoning_names"]


@dataclass(frozen=True, eq=False)
class Reasoning:
    """How a model family marks its reasoning.

    Attributes:
        start_marker: The marker that begins it; empty if the text has none.
        end_marker: The marker that ends it.
        starts_in_reasoning: Whether the text usually begins inside the reasoning, its start marker being part of the prompt.
        answer_markers: Markers around the answer, which are dropped.
        alternative_starts: Other start markers.
        is_end_unambiguous: Whether the end marker alone proves that what precedes it is reasoning; it does not if it ends
            other messages too, or may be prose.
        separator: What stands between the end marker and the answer.
    """

    start_marker: str
    end_marker: str
    starts_in_reasoning: bool = False
    answer_markers: tuple[str, ...] = ()
    alternative_starts: tuple[str, ...] = ()
    is_end_unambiguous: bool = True
    separator: str = ""

    @cached_property
    def start_markers(self) -> tuple[str, ...]:
        """All start markers."""
        return tuple(marker for marker in (self.start_marker, *self.alternative_starts) if marker)


SPLIT_OFF = Reasoning("", "\uffff", starts_in_reasoning=True)
"""Reasoning that the server split off from the answer, which has no marker; its end is a character that no text contains."""


class ReasoningText:
    """The text of one reasoning, without blank lines at its start and end.

    Args:
        sink: Receives the text in pieces.
    """

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        self._is_empty = True
        self._space: list[str] = []

    def push(self, piece: str) -> None:
        """Read a piece; whitespace at its end waits for the next."""
        text = piece.rstrip(WHITESPACE)
        after = len(text)
        if text:
            if self._space:
                text = "".join(self._space) + text
                self._space.clear()
            if self._is_empty:
                self._is_empty = False
                text = text.lstrip(WHITESPACE)
            self._sink(text)
        if after < len(piece):
            self._space.append(piece[after:])


THINK = Reasoning("<think>", "</think>", starts_in_reasoning=True, separator="\n\n")
MAYBE = Reasoning("<think>", "</think>", separator="\n\n")
MINIMAX = Reasoning("<mm:think>", "</mm:think>")
MISTRAL = Reasoning("[THINK]", "[/THINK]")
LONGCAT = Reasoning("<longcat_think>", "</longcat_think>")
GEMMA = Reasoning("<|channel>thought\n", "<channel|>")
COHERE = Reasoning("<|START_THINKING|>", "<|END_THINKING|>", answer_markers=("<|START_RESPONSE|>", "<|END_RESPONSE|>"))
HARMONY = Reasoning(
    "<|channel|>analysis<|message|>",
    "<|end|>",
    answer_markers=(
        "<|start|>assistant",
        "<|channel|>final<|message|>",
        "<|channel|>commentary<|message|>",
        "<|return|>",
    ),
    is_end_unambiguous=False,
)

NAMED: dict[str, Reasoning | tuple[Reasoning, ...]] = {
    "deepseek_r1": THINK,
    "deepseek_v3": MAYBE,
    "deepseek_v4": THINK,
    "deepseek_v41": THINK,
    "poolside_v1": MAYBE,
    "cohere_command3": COHERE,
    "cohere_command4": Reasoning(
        "<|START_THINKING|>", "<|END_THINKING|>", answer_markers=("<|START_TEXT|>", "<|END_TEXT|>")
    ),
    "ernie45": Reasoning(
        "<think>",
        "</think>",
        starts_in_reasoning=True,
        answer_markers=("<response>\n", "\n</response>", "<response>", "</response>"),
    ),
    "gemma4": GEMMA,
    "glm45": THINK,
    "glm47": THINK,
    "ling3": THINK,
    "openai_gptoss": HARMONY,
    "granite": Reasoning(
        "Here is my thought process:",
        "Here is my response:",
        alternative_starts=("Here's my thought process:",),
        is_end_unambiguous=False,
    ),
    "granite_thinking_parser": THINK,
    "holo2": THINK,
    "hunyuan_a13b": Reasoning("<think>\n", "\n</think>\n", answer_markers=("<answer>\n", "\n</answer>")),
    "hy_v3": MAYBE,
    "hy_v4": THINK,
    "kimi_k2": THINK,
    "kimi_k3": Reasoning("<|open|>think<|sep|>", "<|close|>think<|sep|>", starts_in_reasoning=True),
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
    "plamo3": Reasoning("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", starts_in_reasoning=True),
    "beam": HARMONY,
    "muse": MAYBE,
    "musespark1x": MAYBE,
    "muse_glimmer": MAYBE,
    "qwen3": THINK,
    "seed_oss": Reasoning("<seed:think>", "</seed:think>", starts_in_reasoning=True),
    "step3": Reasoning("", "</think>", starts_in_reasoning=True),
    "step3p5": THINK,
    "step5": THINK,
    "inkling": Reasoning("<|content_thinking|>", "<|end_message|>", is_end_unambiguous=False),
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
"""What is searched for where nothing is known of the model: only markers that have no other meaning."""


def reasoning_names() -> list[str]:
    """Return the names of all reasoning parsers, sorted."""
    return sorted(NAMED)


def find_reasoning(parser: str | Reasoning | None) -> tuple[Reasoning, ...]:
    """Find how reasoning is marked.

    Args:
        parser: A name of vLLM's `--reasoning-parser`; `auto` for any unambiguous start marker; markers of a custom kind;
            None to search for nothing.

    Returns:
        The markers to search for; the first that is found is the one.

    Raises:
        ConfigurationError: There is no reasoning parser of that name; the message lists similar ones.
    """
    if parser is None:
        return ()
    if isinstance(parser, Reasoning):
        return (parser,)
    if parser == "auto":
        return AUTO
    if parser not in NAMED:
        raise unknown_name("reasoning parser", parser, NAMED, "reasoning_names()")
    found = NAMED[parser]
    return found if isinstance(found, tuple) else (found,)
