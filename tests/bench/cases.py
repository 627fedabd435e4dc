"""What is measured: each case is a way to ask, a workload, and what its cost is divided by.

`text-astream` is one stream of 1,000 events read without blocking; its cost is that of an event.
"""

from typing import Literal, NamedTuple

from tests.bench.workloads import Workload

__all__ = ["CASES", "GROWTH", "Case", "Way"]

Way = Literal["stream", "astream", "call", "acall", "history", "construct", "first"]

FLOORS = ("LangChain, chunks built", "LangChain, chunks ready", "LlamaIndex, responses built")
ALONE = ("openai", "httpx", "aiohttp", "socket")
OURS = ("ChatVllm", "ChatVllm, uvloop", "VllmLLM")
PEERS = ("ChatOpenAI", "OpenAILike")
APART = ("ChatVllm, a chunk an event", "VllmLLM, a chunk an event")
ALL = (*OURS, *APART, *PEERS, *FLOORS, *ALONE)
MODELS = (*OURS, *PEERS)
ASKING = (*OURS, *PEERS, *ALONE)


class Case(NamedTuple):
    """One thing to measure.

    Attributes:
        name: Its name.
        way: How it is asked; `first` is the time on the clock to a stream's first chunk with text.
        workload: What is asked.
        subjects: Who is measured.
        unit: What its cost is divided by.
        at_once: How many ask at once.
        times: How often, in one round.
    """

    name: str
    way: Way
    workload: Workload
    subjects: tuple[str, ...]
    unit: Literal["event", "call"] = "event"
    at_once: int = 1
    times: int = 1

    def units(self) -> int:
        """Count what the cost is divided by."""
        return self.at_once * self.times * (self.workload.events if self.unit == "event" else 1)


CASES = [
    Case("text-astream", "astream", Workload("text", 1000), ALL, times=3),
    Case("text-stream", "stream", Workload("text", 1000), ALL, times=3),
    Case("reasoning-astream", "astream", Workload("reasoning", 1000), ALL, times=2),
    Case("tool-astream", "astream", Workload("tool", 100), ALL, times=10),
    Case("bursts-astream", "astream", Workload("text", 500, 10, 2), (*MODELS, *FLOORS, *ALONE), times=2),
    Case("astreams-64", "astream", Workload("text", 100), ALL, at_once=64),
    Case("astreams-256", "astream", Workload("text", 50), ALL, at_once=256),
    Case("paced-64", "astream", Workload("text", 40, 1, 40), ASKING, at_once=64),
    Case("calls-64", "acall", Workload("unary", 50), (*MODELS, *FLOORS, *ALONE), "call", at_once=64, times=5),
    Case("call", "call", Workload("unary", 50), (*MODELS, *FLOORS, *ALONE), "call", times=50),
    Case("acall", "acall", Workload("unary", 50), (*MODELS, *FLOORS, *ALONE), "call", times=50),
    Case("short-stream", "stream", Workload("text", 5), (*MODELS, *FLOORS, *ALONE), "call", times=50),
    Case("short-astream", "astream", Workload("text", 5), (*MODELS, *FLOORS, *ALONE), "call", times=50),
    Case("first-chunk", "first", Workload("text", 5), ASKING, "call", times=50),
    Case("history-new", "history", Workload("unary", 50), MODELS, "call", times=1),
    Case("history-again", "history", Workload("unary", 50), MODELS, "call", times=5),
    Case("construct", "construct", Workload("unary", 50), MODELS, "call", times=10),
]

GROWTH = {
    "chunks": [Case(f"chunks-{n}", "astream", Workload("text", n), APART) for n in (200, 2000, 20000)],
    "streams": [Case(f"streams-{n}", "astream", Workload("text", 50), APART, at_once=n) for n in (1, 16, 256)],
}
"""Cases whose cost should be in proportion to their number."""
