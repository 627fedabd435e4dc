"""The arguments of one call.

A call may set every field of the request and every setting of the connection. `call_settings(model, {"top_k": 5,
"timeout": 3})` has the model's fields with `top_k` replaced in `fields`, and `{"timeout": 3}` in `connection`. None removes
a value of the model; `extra_body`, `chat_template_kwargs` and the like are merged into the model's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_connect.adapters.adapter_model import AdapterModel
from vllm_connect.adapters.foreign_names import translate_foreign_names
from vllm_connect.adapters.hidden import Hidden, reveal
from vllm_connect.adapters.replay import ReasoningReplay
from vllm_connect.config.config import VllmConfig
from vllm_connect.config.validation import refuse_unknown
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.overrides import explicit_fields, override_fields
from vllm_connect.request.structured_outputs import OLDER_NAMES, translate_older

__all__ = ["CALL_ARGUMENTS", "CONNECTION_SETTINGS", "CallSettings", "call_settings"]

REQUEST_FIELDS = frozenset(ChatRequest.model_fields) - {"messages", "stream"}
CONNECTION_SETTINGS = frozenset(VllmConfig.model_fields)
CALL_ARGUMENTS = REQUEST_FIELDS | CONNECTION_SETTINGS | {"extra_headers", "reasoning_replay"}
"""The names of what a call may set."""
MEANT = CALL_ARGUMENTS | OLDER_NAMES.keys()
"""Names that are not those of another client."""


@dataclass(repr=False)
class CallSettings:
    """What one call is made with; not a tuple, whose items are shown by what reports tracebacks.

    Attributes:
        fields: The fields of the request, but its messages; `tools` are as the caller gave them.
        connection: The settings of the connection that this call alone has; see `hidden`.
        reasoning_replay: Which assistant messages are sent back with their reasoning.
    """

    fields: dict[str, Any]
    connection: dict[str, Any]
    reasoning_replay: ReasoningReplay


def call_settings(
    model: AdapterModel, given: Mapping[str, Any], *, known: Collection[str] = CALL_ARGUMENTS
) -> CallSettings:
    """Check a call's arguments and lay them over the model's settings.

    Args:
        model: The model.
        given: The arguments of the call.
        known: The names that an error message may suggest in place of a wrong one.

    Raises:
        ConfigurationError: An argument is not known; the message has the name that was probably meant.
    """
    if not given:
        return CallSettings(explicit_fields(model), {}, model.reasoning_replay)
    revealed = {name: value if name in CONNECTION_SETTINGS else reveal(value) for name, value in given.items()}
    arguments = translate_older(translate_foreign_names(revealed, MEANT))
    refuse_unknown(arguments, known)
    replay = arguments.pop("reasoning_replay", None) or model.reasoning_replay
    extra_headers = arguments.pop("extra_headers", None)
    connection = {name: arguments.pop(name) for name in CONNECTION_SETTINGS & arguments.keys()}
    if extra_headers:
        connection["headers"] = Hidden({**(reveal(connection.get("headers")) or model.headers), **extra_headers})
        extra_headers = None  # tracebacks, and what reports them, show the variables of a frame
    return CallSettings(override_fields(explicit_fields(model), arguments), connection, replay)
