"""Errors with two parents: the tree of `vllm_connect`, and langchain-core's `ModelError` family.

Programs that catch either work: a 400 that says "This model's maximum context length is 4096 tokens" is
`vllm_connect.ContextOverflowError` and `langchain_core.exceptions.ContextOverflowError`, on which summarising
middleware acts, and retry middleware reads `is_retryable`.
"""

from types import TracebackType
from typing import Any

import vllm_connect as core
from langchain_core import exceptions as langchain
from langchain_core.messages import BaseMessage
from vllm_connect import adapters

__all__ = [
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
    "StructuredOutputError",
    "ToolParserMissingError",
    "TransportError",
    "VllmError",
    "as_model_error",
    "model_errors",
]


class VllmError(core.VllmError, langchain.ModelError):
    """Base class of the errors that `ChatVllm` raises."""


class ConfigurationError(VllmError, core.ConfigurationError, langchain.ModelInvalidRequestError):
    """The settings or the request are wrong; nothing was sent."""


class StreamingDisabledError(ConfigurationError, core.StreamingDisabledError):
    """A stream was requested, and the configuration does not allow streaming."""


class TransportError(VllmError, core.TransportError):
    """The request or the response could not be transferred."""


class ConnectionFailedError(TransportError, core.ConnectionFailedError, langchain.ModelConnectionError):
    """The server was not reached, or it closed the connection before it answered."""


class RequestTimeoutError(TransportError, core.RequestTimeoutError, langchain.ModelTimeoutError):
    """A timeout expired; `phase` names it."""


class StreamInterruptedError(TransportError, core.StreamInterruptedError, langchain.ModelConnectionError):
    """The stream ended early; `partial` is what arrived, which is not the answer."""


class ProtocolError(VllmError, core.ProtocolError, langchain.ModelAPIError):
    """The response is not what the API specifies."""


class ConstraintError(VllmError, core.ConstraintError):
    """The server did not enforce what was requested: a schema, a required tool, a named tool."""


class StructuredOutputError(ConstraintError, adapters.StructuredOutputError, langchain.OutputParserException):
    """The answer does not match the schema; `llm_output` is its text, `code` is `truncated`, `empty` or `schema`."""

    def __init__(self, message: str, *, llm_output: str | None = None, **facts: Any) -> None:
        ConstraintError.__init__(self, message, **facts)
        self.observation = None
        self.llm_output = llm_output
        self.send_to_llm = False


class RefusalError(VllmError, core.RefusalError, getattr(langchain, "ModelRefusalError", langchain.ModelError)):  # type: ignore[misc]  # since 1.7.5
    """The model refused to answer; `raw_message` is the answer where it was to be parsed."""

    raw_message: BaseMessage | None = None


class StatusError(VllmError, core.StatusError):
    """The server answered with an error status."""


class BadRequestError(StatusError, core.BadRequestError, langchain.ModelInvalidRequestError):
    """The server rejects the request; retrying does not help."""


class ContextOverflowError(BadRequestError, core.ContextOverflowError, langchain.ContextOverflowError):
    """The prompt, or prompt and answer, exceed the model's context window."""


class ToolParserMissingError(BadRequestError, core.ToolParserMissingError):
    """The server was started without a tool-call parser."""


class AuthenticationError(StatusError, core.AuthenticationError, langchain.ModelAuthenticationError):
    """The API key is missing or wrong."""


class PermissionDeniedError(StatusError, core.PermissionDeniedError, langchain.ModelPermissionDeniedError):
    """The API key does not allow this."""


class ModelNotFoundError(StatusError, core.ModelNotFoundError, langchain.ModelNotFoundError):
    """The server does not serve the model, or not at this URL."""


class RateLimitedError(StatusError, core.RateLimitedError, langchain.ModelRateLimitError):
    """Too many requests; `retry_after` is how long to wait, if the server says so."""


class ServerFailureError(StatusError, core.ServerFailureError, langchain.ModelAPIError):
    """The server failed or is overloaded."""


COUNTERPARTS: dict[type[core.VllmError], type[VllmError]] = {
    core.VllmError: VllmError,
    core.ConfigurationError: ConfigurationError,
    core.StreamingDisabledError: StreamingDisabledError,
    core.TransportError: TransportError,
    core.ConnectionFailedError: ConnectionFailedError,
    core.RequestTimeoutError: RequestTimeoutError,
    core.StreamInterruptedError: StreamInterruptedError,
    core.ProtocolError: ProtocolError,
    core.ConstraintError: ConstraintError,
    core.RefusalError: RefusalError,
    core.StatusError: StatusError,
    core.BadRequestError: BadRequestError,
    core.ContextOverflowError: ContextOverflowError,
    core.ToolParserMissingError: ToolParserMissingError,
    core.AuthenticationError: AuthenticationError,
    core.PermissionDeniedError: PermissionDeniedError,
    core.ModelNotFoundError: ModelNotFoundError,
    core.RateLimitedError: RateLimitedError,
    core.ServerFailureError: ServerFailureError,
}
"""The class for each error class of `vllm_connect`."""


def as_model_error(error: core.VllmError) -> VllmError:
    """Convert an error of `vllm_connect` to one that is also a `ModelError`.

    Args:
        error: The error.

    Returns:
        The same error: same message, attributes and traceback. `is_retryable` is the error's own `retryable` if it has
        one, else that of its class in langchain-core; a timeout is retryable for the caller, though the client did not
        retry it.
    """
    if isinstance(error, VllmError):
        return error
    kind = next(COUNTERPARTS[parent] for parent in type(error).__mro__ if parent in COUNTERPARTS)
    converted = kind(*error.args)
    converted.__dict__.update(error.__dict__)
    if "retryable" in error.__dict__ and not isinstance(error, core.RequestTimeoutError):
        converted.is_retryable = error.retryable
    converted.__cause__ = error.__cause__
    return converted.with_traceback(error.__traceback__)


class _ModelErrors:
    """Converts errors of `vllm_connect` that leave the context to `ModelError`s."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, core.VllmError):
            converted = as_model_error(error)
            raise converted from converted.__cause__


model_errors = _ModelErrors()
"""`with model_errors:`; it has no state."""
