"""Client core for vLLM's OpenAI-compatible server: clients, streams, tool-call and reasoning parsers.

A name is imported when it is first asked for (PEP 562), so that a program which only names a model loads no client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_connect.calls import Calls
    from vllm_connect.client import AsyncVllmClient, VllmClient
    from vllm_connect.completion import Completion, InvalidToolCall, ToolCall, fold, fold_choices
    from vllm_connect.config import Timeouts, VllmConfig
    from vllm_connect.constraints import StructuredOutputs, translate_older
    from vllm_connect.conversation import MessagePolicy
    from vllm_connect.deltas import (
        Delta,
        Finish,
        Logprobs,
        Metadata,
        ReasoningDelta,
        TextDelta,
        ToolCallDelta,
        Usage,
        UsageReport,
    )
    from vllm_connect.errors import (
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConnectionFailedError,
        ConstraintError,
        ContextOverflowError,
        ModelNotFoundError,
        PermissionDeniedError,
        ProtocolError,
        RateLimitedError,
        RefusalError,
        RequestTimeoutError,
        ServerFailureError,
        StatusError,
        StreamingDisabledError,
        StreamInterruptedError,
        ToolParserMissingError,
        TransportError,
        VllmError,
    )
    from vllm_connect.json_extraction import extract_json
    from vllm_connect.logprobs import mean_probability, sequence_logprob, token_entropies
    from vllm_connect.mistakes import configuration_error, refuse_unknown
    from vllm_connect.overlays import merge, overlay
    from vllm_connect.parsing.format import Format, find_format, format_names
    from vllm_connect.parsing.output import OutputParser, parse_output
    from vllm_connect.parsing.reasoning import reasoning_names
    from vllm_connect.request import ChatRequest, RequestFields, set_fields
    from vllm_connect.request_maker import RequestMaker
    from vllm_connect.schema_rules import Finding, lint_schema
    from vllm_connect.server import ModelCard, ServerInfo
    from vllm_connect.tool_choice import resolve_tool_choice
    from vllm_connect.variables import environment
    from vllm_connect.wire.sse import SSEDecoder

__version__ = "0.1.0"

__all__ = [
    "AsyncVllmClient",
    "AuthenticationError",
    "BadRequestError",
    "Calls",
    "ChatRequest",
    "Completion",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConstraintError",
    "ContextOverflowError",
    "Delta",
    "Finding",
    "Finish",
    "Format",
    "InvalidToolCall",
    "Logprobs",
    "MessagePolicy",
    "Metadata",
    "ModelCard",
    "ModelNotFoundError",
    "OutputParser",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitedError",
    "ReasoningDelta",
    "RefusalError",
    "RequestFields",
    "RequestMaker",
    "RequestTimeoutError",
    "SSEDecoder",
    "ServerFailureError",
    "ServerInfo",
    "StatusError",
    "StreamInterruptedError",
    "StreamingDisabledError",
    "StructuredOutputs",
    "TextDelta",
    "Timeouts",
    "ToolCall",
    "ToolCallDelta",
    "ToolParserMissingError",
    "TransportError",
    "Usage",
    "UsageReport",
    "VllmClient",
    "VllmConfig",
    "VllmError",
    "configuration_error",
    "environment",
    "extract_json",
    "find_format",
    "fold",
    "fold_choices",
    "format_names",
    "lint_schema",
    "mean_probability",
    "merge",
    "overlay",
    "parse_output",
    "reasoning_names",
    "refuse_unknown",
    "resolve_tool_choice",
    "sequence_logprob",
    "set_fields",
    "token_entropies",
    "translate_older",
]

_HOMES: dict[str, str] = {
    "Calls": "calls",
    "AsyncVllmClient": "client",
    "VllmClient": "client",
    "Completion": "completion",
    "InvalidToolCall": "completion",
    "ToolCall": "completion",
    "fold": "completion",
    "fold_choices": "completion",
    "Timeouts": "config",
    "VllmConfig": "config",
    "StructuredOutputs": "constraints",
    "translate_older": "constraints",
    "MessagePolicy": "conversation",
    "Delta": "deltas",
    "Finish": "deltas",
    "Logprobs": "deltas",
    "Metadata": "deltas",
    "ReasoningDelta": "deltas",
    "TextDelta": "deltas",
    "ToolCallDelta": "deltas",
    "Usage": "deltas",
    "UsageReport": "deltas",
    "AuthenticationError": "errors",
    "BadRequestError": "errors",
    "ConfigurationError": "errors",
    "ConnectionFailedError": "errors",
    "ConstraintError": "errors",
    "ContextOverflowError": "errors",
    "ModelNotFoundError": "errors",
    "PermissionDeniedError": "errors",
    "ProtocolError": "errors",
    "RateLimitedError": "errors",
    "RefusalError": "errors",
    "RequestTimeoutError": "errors",
    "ServerFailureError": "errors",
    "StatusError": "errors",
    "StreamingDisabledError": "errors",
    "StreamInterruptedError": "errors",
    "ToolParserMissingError": "errors",
    "TransportError": "errors",
    "VllmError": "errors",
    "extract_json": "json_extraction",
    "mean_probability": "logprobs",
    "sequence_logprob": "logprobs",
    "token_entropies": "logprobs",
    "configuration_error": "mistakes",
    "refuse_unknown": "mistakes",
    "Format": "parsing.format",
    "find_format": "parsing.format",
    "format_names": "parsing.format",
    "OutputParser": "parsing.output",
    "parse_output": "parsing.output",
    "reasoning_names": "parsing.reasoning",
    "merge": "overlays",
    "overlay": "overlays",
    "ChatRequest": "request",
    "RequestFields": "request",
    "set_fields": "request",
    "RequestMaker": "request_maker",
    "Finding": "schema_rules",
    "lint_schema": "schema_rules",
    "ModelCard": "server",
    "ServerInfo": "server",
    "resolve_tool_choice": "tool_choice",
    "environment": "variables",
    "SSEDecoder": "wire.sse",
}
"""The module of each public name."""


if not TYPE_CHECKING:  # a checker would take every name for one of these

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
