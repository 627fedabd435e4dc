"""A server that answers from a script, as vLLM would: `script({"choices": […]}, 503)`."""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect.testing.exchanges import Answer, Asked, Size
from vllm_connect.testing.loopback import LoopbackServer

__all__ = ["script"]


def script(
    *answers: Answer | Mapping[str, Any] | Sequence[Mapping[str, Any]] | int,
    model: str = "demo",
    context_window: int = 4096,
    size: Size = "events",
) -> LoopbackServer:
    """Create a server that answers from a script.

    Args:
        *answers: What each POST gets, in order: a JSON body, a list of events, the status of an error, or an `Answer`.
        model: The one model of `/v1/models`.
        context_window: Its context window in tokens.
        size: How much of a stream is sent at once.

    Returns:
        The server, which also answers `/health`, `/version` and `/v1/models`.
    """
    left = [_scripted(answer) for answer in answers]
    card = {"id": model, "object": "model", "owned_by": "vllm", "root": model, "max_model_len": context_window}
    known = {
        "/health": Answer(),
        "/version": Answer.json({"version": "0.32.0"}),
        "/v1/models": Answer.json({"object": "list", "data": [card]}),
    }

    def answer(asked: Asked) -> Answer | None:
        if asked.method == "GET":
            return known.get(asked.path)
        return left.pop(0) if left else None

    return LoopbackServer(answer, size=size)


def _scripted(answer: Answer | Mapping[str, Any] | Sequence[Mapping[str, Any]] | int) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if isinstance(answer, int):
        return Answer.error(answer)
    return Answer.json(answer) if isinstance(answer, Mapping) else Answer.events(answer)
