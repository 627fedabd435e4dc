"""Tools and a schema in one request, in two phases.

A schema beside tools suppresses the calls on most servers: the grammar lets the model write nothing but the schema's JSON.
So the request goes without the schema first. Calls are the answer, and so is a text that fits the schema as it is; any
other text is asked for again, with the schema and without a choice of calling. The prompt is the same, so the server's
prefix cache holds it. The first text is in the metadata, `{"unconstrained_draft": "The weather is fine."}`.
"""

from collections.abc import Sequence

from vllm_connect.chat.validation import verify_answer
from vllm_connect.errors import ConstraintError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import resolve_tool_choice
from vllm_connect.response.completion import Completion
from vllm_connect.response.deltas import Delta, Finish, Logprobs, Metadata, TextDelta

__all__ = ["TwoPhases"]

UNCONSTRAINED = frozenset({"text", None})


class TwoPhases:
    """One request in two phases.

    Args:
        request: What is asked.

    Attributes:
        first: What to ask first.
        second: What to ask if the first answer is neither a call nor of the form.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self.first = request.model_copy(update={"response_format": None, "structured_outputs": None})
        self.second = request.model_copy(update={"tool_choice": "none"})
        self._held: list[Delta] = []

    @staticmethod
    def needed(request: ChatRequest) -> bool:
        """Tell whether a request has tools that may be called and a form of the answer."""
        formed = request.structured_outputs is not None or (
            request.response_format is not None and request.response_format.get("type") not in UNCONSTRAINED
        )
        free = resolve_tool_choice(request.tool_choice, request.tools) in (None, "auto")
        return formed and bool(request.tools) and free and request.tool_parser != "server"

    def hold(self, deltas: list[Delta]) -> list[Delta]:
        """Keep the text of the first answer, and its end, until it is known whether it is the answer.

        Returns:
            What can be told in any case.
        """
        told: list[Delta] = [delta for delta in deltas if not isinstance(delta, TextDelta | Finish | Logprobs)]
        self._held += [delta for delta in deltas if isinstance(delta, TextDelta | Finish | Logprobs)]
        return told

    def accepts(self, answers: Sequence[Completion]) -> bool:
        """Tell whether what came first is the answer."""
        return all(self._accepts(answer) for answer in answers)

    def _accepts(self, answer: Completion) -> bool:
        if answer.tool_calls or answer.invalid_tool_calls:
            return True
        try:
            verify_answer(self._request, answer)
        except ConstraintError:
            return False
        return _can_be_checked(self._request)

    def released(self) -> list[Delta]:
        """Give what was kept: it is the answer."""
        held, self._held = self._held, []
        return held

    def set_aside(self) -> list[Delta]:
        """Tell of the first text, which is not the answer."""
        text = "".join(delta.text for delta in self.released() if isinstance(delta, TextDelta))
        return [Metadata({"unconstrained_draft": text})]


def _can_be_checked(request: ChatRequest) -> bool:
    wanted = request.structured_outputs
    return wanted is None or (wanted.grammar is None and wanted.structural_tag is None)
