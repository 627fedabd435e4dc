"""Building blocks for framework adapters: what every framework's model class needs and no framework knows.

The model class of an adapter inherits `AdapterModel` and the framework's class. A call goes through it like this:

0. `hiding` wraps the framework's methods, so that no tracer receives the secrets among a call's arguments.
1. `call_settings` checks the call's arguments, lays them over the model's settings, and separates the settings of the
   connection from the fields of the request.
2. The adapter converts the framework's messages to wire messages; `replay_start` says from which one on reasoning is sent
   back. An `IdentityCache` converts each tool once.
3. `AdapterModel._build_request` builds the `ChatRequest`.
4. A client from `ClientCache.blocking` or `ClientCache.asynchronous` returns completions, or yields deltas.
5. The adapter converts them to the framework's objects: with `unvalidated` if the framework's constructors are slow, and
   with `PartialObject` if tool arguments are shown before they are complete.

`metadata` has the keys of `Completion.metadata`, with their meanings.

Structured output: `json_schema_format` builds the constraint; `strip_code_fence` and `structured_output_problem` help to
read the answer and to explain why it cannot be used.

Adapters import from `vllm_connect` and `vllm_connect.adapters`, and from no module inside of them.
"""

from vllm_connect.adapters.adapter_model import AdapterModel
from vllm_connect.adapters.call_settings import CALL_ARGUMENTS, CallSettings, call_settings
from vllm_connect.adapters.client_cache import ClientCache, ClientPair
from vllm_connect.adapters.foreign_names import translate_foreign_names
from vllm_connect.adapters.hidden import digest, hiding
from vllm_connect.adapters.identity_cache import IdentityCache
from vllm_connect.adapters.partial_json import PartialObject, parse_partial
from vllm_connect.adapters.replay import ReasoningReplay, replay_start
from vllm_connect.adapters.structured import (
    StructuredOutputError,
    is_response_format,
    json_schema_format,
    response_format,
    schema_name,
    strip_code_fence,
    structured_output_problem,
    validation_details,
)
from vllm_connect.adapters.unvalidated import (
    other_fields,
    set_extra,
    set_fields,
    set_fields_set,
    set_private,
    unvalidated,
)
from vllm_connect.config.environment import environment
from vllm_connect.config.validation import refuse_unknown
from vllm_connect.request.overrides import explicit_fields
from vllm_connect.request.tool_choice import resolve_tool_choice
from vllm_connect.response import metadata
from vllm_connect.schema.validate import find_violation

__all__ = [
    "CALL_ARGUMENTS",
    "AdapterModel",
    "CallSettings",
    "ClientCache",
    "ClientPair",
    "IdentityCache",
    "PartialObject",
    "ReasoningReplay",
    "StructuredOutputError",
    "call_settings",
    "digest",
    "environment",
    "explicit_fields",
    "find_violation",
    "hiding",
    "is_response_format",
    "json_schema_format",
    "metadata",
    "other_fields",
    "parse_partial",
    "refuse_unknown",
    "replay_start",
    "resolve_tool_choice",
    "response_format",
    "schema_name",
    "set_extra",
    "set_fields",
    "set_fields_set",
    "set_private",
    "strip_code_fence",
    "structured_output_problem",
    "translate_foreign_names",
    "unvalidated",
    "validation_details",
]
