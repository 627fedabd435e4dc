"""Client core for vLLM's OpenAI-compatible server: clients, streams, tool-call and reasoning parsers.

A name is imported when it is first asked for (PEP 562), so that a program which only names a model loads no client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_connect.chat.endpoints import Endpoints
    from vllm_connect.client import AsyncVllmClient, VllmClient
    from vllm_connect.config.config import Timeouts, VllmConfig
    from vllm_connect.config.environment import environment
    from vllm_connect.config.validation import configuration_error, refuse_unknown
    from vllm_connect.conversation.message_policy import MessagePolicy
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
    from vllm_connect.parsing.format import Format, find_format, format_names
    from vllm_connect.parsing.output_parser import OutputParser, parse_output
    from vllm_connect.parsing.reasoning import reasoning_names
    from vllm_connect.protocol.server_info import ModelCard, ServerInfo
    from vllm_connect.protocol.sse import SSEDecoder
    from vllm_connect.request.cache import RequestCache
    from vllm_connect.request.chat_request import ChatRequest, RequestFields
    from vllm_connect.request.merge import merge
    from vllm_connect.request.overrides import explicit_fields, override_fields
    from vllm_connect.request.structured_outputs import StructuredOutputs, translate_older
    from vllm_connect.request.tool_choice import resolve_tool_choice
    from vllm_connect.response.completion import Completion, InvalidToolCall, ToolCall, fold, fold_choices
    from vllm_connect.response.deltas import (
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
    from vllm_connect.response.json_extraction import extract_json
    from vllm_connect.response.logprobs import mean_probability, sequence_logprob, token_entropies
    from vllm_connect.schema.lint import Finding, lint_schema

__version__ = "0.1.0"

__all__ = [
    "AsyncVllmClient",
    "AuthenticationError",
    "BadRequestError",
    "ChatRequest",
    "Completion",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConstraintError",
    "ContextOverflowError",
    "Delta",
    "Endpoints",
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
    "RequestCache",
    "RequestFields",
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
    "explicit_fields",
    "extract_json",
    "find_format",
    "fold",
    "fold_choices",
    "format_names",
    "lint_schema",
    "mean_probability",
    "merge",
    "override_fields",
    "parse_output",
    "reasoning_names",
    "refuse_unknown",
    "resolve_tool_choice",
    "sequence_logprob",
    "token_entropies",
    "translate_older",
]

_HOMES: dict[str, str] = {
    "Endpoints": "chat.endpoints",
    "AsyncVllmClient": "client",
    "VllmClient": "client",
    "Completion": "response.completion",
    "InvalidToolCall": "response.completion",
    "ToolCall": "response.completion",
    "fold": "response.completion",
    "fold_choices": "response.completion",
    "Timeouts": "config.config",
    "VllmConfig": "config.config",
    "StructuredOutputs": "request.structured_outputs",
    "translate_older": "request.structured_outputs",
    "MessagePolicy": "conversation.message_policy",
    "Delta": "response.deltas",
    "Finish": "response.deltas",
    "Logprobs": "response.deltas",
    "Metadata": "response.deltas",
    "ReasoningDelta": "response.deltas",
    "TextDelta": "response.deltas",
    "ToolCallDelta": "response.deltas",
    "Usage": "response.deltas",
    "UsageReport": "response.deltas",
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
    "extract_json": "response.json_extraction",
    "mean_probability": "response.logprobs",
    "sequence_logprob": "response.logprobs",
    "token_entropies": "response.logprobs",
    "configuration_error": "config.validation",
    "refuse_unknown": "config.validation",
    "Format": "parsing.format",
    "find_format": "parsing.format",
    "format_names": "parsing.format",
    "OutputParser": "parsing.output_parser",
    "parse_output": "parsing.output_parser",
    "reasoning_names": "parsing.reasoning",
    "merge": "request.merge",
    "override_fields": "request.overrides",
    "ChatRequest": "request.chat_request",
    "RequestFields": "request.chat_request",
    "explicit_fields": "request.overrides",
    "RequestCache": "request.cache",
    "Finding": "schema.lint",
    "lint_schema": "schema.lint",
    "ModelCard": "protocol.server_info",
    "ServerInfo": "protocol.server_info",
    "resolve_tool_choice": "request.tool_choice",
    "environment": "config.environment",
    "SSEDecoder": "protocol.sse",
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
