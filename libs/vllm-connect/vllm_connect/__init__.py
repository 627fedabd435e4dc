"""Client core for vLLM's OpenAI-compatible server: clients, streams, tool-call and reasoning parsers.

A name is imported when it is first used (PEP 562), so that a program which only names a model loads no client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_connect.client import (
        AsyncVllmClient as AsyncVllmClient,
        VllmClient as VllmClient,
    )
    from vllm_connect.config.config import (
        Timeouts as Timeouts,
        VllmConfig as VllmConfig,
    )
    from vllm_connect.conversation.message_policy import MessagePolicy as MessagePolicy
    from vllm_connect.errors import (
        AuthenticationError as AuthenticationError,
        BadRequestError as BadRequestError,
        ConfigurationError as ConfigurationError,
        ConnectionFailedError as ConnectionFailedError,
        ConstraintError as ConstraintError,
        ContextOverflowError as ContextOverflowError,
        ModelNotFoundError as ModelNotFoundError,
        PermissionDeniedError as PermissionDeniedError,
        ProtocolError as ProtocolError,
        RateLimitedError as RateLimitedError,
        RefusalError as RefusalError,
        RequestTimeoutError as RequestTimeoutError,
        ServerFailureError as ServerFailureError,
        StatusError as StatusError,
        StreamingDisabledError as StreamingDisabledError,
        StreamInterruptedError as StreamInterruptedError,
        ToolParserMissingError as ToolParserMissingError,
        TransportError as TransportError,
        VllmError as VllmError,
    )
    from vllm_connect.parsing.format import (
        Format as Format,
        find_format as find_format,
        format_names as format_names,
    )
    from vllm_connect.parsing.output_parser import (
        OutputParser as OutputParser,
        parse_output as parse_output,
    )
    from vllm_connect.parsing.reasoning import reasoning_names as reasoning_names
    from vllm_connect.protocol.server_info import (
        ModelCard as ModelCard,
        ServerInfo as ServerInfo,
    )
    from vllm_connect.protocol.sse import SSEDecoder as SSEDecoder
    from vllm_connect.request.chat_request import (
        ChatRequest as ChatRequest,
        RequestFields as RequestFields,
    )
    from vllm_connect.request.structured_outputs import StructuredOutputs as StructuredOutputs
    from vllm_connect.response.completion import (
        Completion as Completion,
        InvalidToolCall as InvalidToolCall,
        ToolCall as ToolCall,
        fold as fold,
        fold_choices as fold_choices,
    )
    from vllm_connect.response.deltas import (
        Delta as Delta,
        Finish as Finish,
        Logprobs as Logprobs,
        Metadata as Metadata,
        ReasoningDelta as ReasoningDelta,
        TextDelta as TextDelta,
        ToolCallDelta as ToolCallDelta,
        Usage as Usage,
        UsageReport as UsageReport,
    )
    from vllm_connect.response.json_extraction import extract_json as extract_json
    from vllm_connect.response.logprobs import (
        mean_probability as mean_probability,
        sequence_logprob as sequence_logprob,
        token_entropies as token_entropies,
    )
    from vllm_connect.schema.lint import (
        Finding as Finding,
        lint_schema as lint_schema,
    )

__version__ = "0.1.0"

_PUBLIC: dict[str, tuple[str, ...]] = {
    "client": ("AsyncVllmClient", "VllmClient"),
    "config.config": ("Timeouts", "VllmConfig"),
    "conversation.message_policy": ("MessagePolicy",),
    "errors": (
        "AuthenticationError",
        "BadRequestError",
        "ConfigurationError",
        "ConnectionFailedError",
        "ConstraintError",
        "ContextOverflowError",
        "ModelNotFoundError",
        "PermissionDeniedError",
        "ProtocolError",
        "RateLimitedError",
        "RefusalError",
        "RequestTimeoutError",
        "ServerFailureError",
        "StatusError",
        "StreamInterruptedError",
        "StreamingDisabledError",
        "ToolParserMissingError",
        "TransportError",
        "VllmError",
    ),
    "parsing.format": ("Format", "find_format", "format_names"),
    "parsing.output_parser": ("OutputParser", "parse_output"),
    "parsing.reasoning": ("reasoning_names",),
    "protocol.server_info": ("ModelCard", "ServerInfo"),
    "protocol.sse": ("SSEDecoder",),
    "request.chat_request": ("ChatRequest", "RequestFields"),
    "request.structured_outputs": ("StructuredOutputs",),
    "response.completion": ("Completion", "InvalidToolCall", "ToolCall", "fold", "fold_choices"),
    "response.deltas": (
        "Delta",
        "Finish",
        "Logprobs",
        "Metadata",
        "ReasoningDelta",
        "TextDelta",
        "ToolCallDelta",
        "Usage",
        "UsageReport",
    ),
    "response.json_extraction": ("extract_json",),
    "response.logprobs": ("mean_probability", "sequence_logprob", "token_entropies"),
    "schema.lint": ("Finding", "lint_schema"),
}
"""The public names, by the module that has them; a test holds the imports for type checkers against it."""

_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = list(_MODULES)

if not TYPE_CHECKING:  # a checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_MODULES})
