"""The ratios that a run is judged by: who is compared with whom, in which case, and what is wanted.

`Goal("text-astream", "ChatVllm", "ChatOpenAI", 15, "times cheaper")` is reached where ChatOpenAI costs 15 times as much.
"""

import statistics
from typing import NamedTuple

from tests.bench.measure import Results, cost, exponent, quartiles

__all__ = ["GOALS", "Goal", "verdicts"]


class Goal(NamedTuple):
    """One ratio.

    Attributes:
        case: The case.
        ours: Who is to be cheap.
        other: Whom it is compared with.
        wanted: The ratio wanted: at least, for `cheaper`, else at most.
        cheaper: Whether the other's cost is divided by ours, or ours by the other's.
    """

    case: str
    ours: str
    other: str
    wanted: float
    cheaper: bool = True


BUILT, RESPONSES = "LangChain, chunks built", "LlamaIndex, responses built"
GOALS = [
    Goal("text-astream", "ChatVllm", "ChatOpenAI", 15),
    Goal("text-astream", "ChatVllm", BUILT, 0.25, cheaper=False),
    Goal("text-astream", "ChatVllm", "socket", 3, cheaper=False),
    Goal("text-stream", "ChatVllm", "ChatOpenAI", 10),
    Goal("tool-astream", "ChatVllm", "ChatOpenAI", 10),
    Goal("text-astream", "VllmLLM", "OpenAILike", 10),
    Goal("text-astream", "VllmLLM", RESPONSES, 1.2, cheaper=False),
    Goal("astreams-256", "ChatVllm", "ChatOpenAI", 10),
    Goal("paced-64", "ChatVllm", "ChatOpenAI", 10),
    Goal("paced-64", "ChatVllm", "socket", 2.5, cheaper=False),
    Goal("paced-64", "VllmLLM", "ChatVllm", 1.3, cheaper=False),
    Goal("bursts-astream", "ChatVllm", BUILT, 0.8, cheaper=False),
    Goal("first-chunk", "ChatVllm", "ChatOpenAI", 2),
    Goal("calls-64", "ChatVllm", "ChatOpenAI", 7),
    Goal("call", "ChatVllm", "ChatOpenAI", 3),
    Goal("acall", "ChatVllm", "ChatOpenAI", 4),
    Goal("short-stream", "ChatVllm", "ChatOpenAI", 3),
    Goal("short-astream", "ChatVllm", "ChatOpenAI", 3),
    Goal("history-again", "ChatVllm", "ChatOpenAI", 5),
    Goal("history-again", "VllmLLM", "OpenAILike", 5),
]


def verdicts(found: Results) -> list[tuple[str, str, bool]]:
    """Judge a run.

    Args:
        found: What `measure` gave.

    Returns:
        What is compared, what came out beside what is wanted, and whether it was reached.
    """
    judged = []
    for goal in GOALS:
        rows = found["cases"].get(goal.case, {})
        if goal.ours not in rows or goal.other not in rows:
            continue
        ours, other = (quartiles(cost(rows[name]))[1] for name in (goal.ours, goal.other))
        ratio = other / ours if goal.cheaper else ours / other
        reached = ratio >= goal.wanted if goal.cheaper else ratio <= goal.wanted
        word = "times cheaper, at least" if goal.cheaper else "of its cost, at most"
        judged.append((f"{goal.case}: {goal.ours} and {goal.other}", f"{ratio:.2f} {word} {goal.wanted:g}", reached))
    for name, rounds in found["imports"].items():
        limit = {"ChatVllm": 0.15, "VllmLLM": 0.05}.get(name)
        share = statistics.median(each["added"] / each["framework"] for each in rounds)
        if limit is not None:
            judged.append(
                (f"import: {name} beside its framework", f"{share:.1%} more, at most {limit:.0%}", share <= limit)
            )
    for name in ("ChatVllm", "VllmLLM"):
        if name in (rows := found["cases"].get("construct", {})):
            made = quartiles(cost(rows[name]))[1]
            judged.append((f"construct: {name}", f"{made:.0f} µs, at most 1000", made <= 1000))
    for which in ("chunks", "streams"):
        for name in ("ChatVllm, a chunk an event", "VllmLLM, a chunk an event"):
            if name in found["cases"].get(f"{which}-{'20000' if which == 'chunks' else '256'}", {}):
                grown = exponent(found, which, name)
                judged.append((f"growth with {which}: {name}", f"exponent {grown:.2f}, at most 1.1", grown <= 1.1))
    for name, sizes in found["grown"].items():
        tail = (sizes[-1] - sizes[len(sizes) // 4]) / 2**20
        judged.append((f"memory over {500 * len(sizes):,} requests: {name}", f"{tail:+.1f} MiB, at most 4", tail <= 4))
    return judged
