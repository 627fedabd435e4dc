r"""A question beside the chat that an answer needs: which models, which tokens, which text.

`GET /v1/models` tells what is served under an alias before the answer is parsed, and
`POST /detokenize {"tokens": [1400, 201]}` gives `{"prompt": "<tool_call>\n"}` after it has come.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec

from vllm_connect.errors import ProtocolError, VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.response.deltas import Delta

__all__ = ["Errand", "json_post", "member", "refuse"]

T = TypeVar("T")
JSON = {"content-type": "application/json"}


class Errand(NamedTuple):
    """One question.

    Attributes:
        request: What to ask.
        take: Takes the body of the answer and gives the deltas it makes.
        missed: Takes what went wrong where no answer is to be had; raises if the chat cannot go on without.
    """

    request: HttpRequest
    take: Callable[[bytes], list[Delta]]
    missed: Callable[[VllmError], None]


def json_post(path: str, body: dict[str, Any], *, streaming: bool = False) -> HttpRequest:
    """Make a request with a JSON body, from which what is None is left out."""
    sent = {name: value for name, value in body.items() if value is not None}
    return HttpRequest("POST", path, msgspec.json.encode(sent), JSON, streaming=streaming)


def member(body: bytes, name: str, kind: type[T]) -> T:
    """Read one member of a JSON object.

    Raises:
        ProtocolError: It is not there, or of another type.
    """
    try:
        return msgspec.convert(msgspec.json.decode(body, type=dict[str, Any]).get(name), kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProtocolError(f"the server's answer has no usable {name!r}: {error}; is it a vLLM server?") from None


def refuse(advice: str) -> Callable[[VllmError], None]:
    """Make an errand's `missed` for an answer that the chat cannot do without."""

    def missed(error: VllmError) -> NoReturn:
        error.args = (f"{error.args[0]}; {advice}", *error.args[1:])
        raise error

    return missed
