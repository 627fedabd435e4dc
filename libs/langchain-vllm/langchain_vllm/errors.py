"""Errors with two parents: the core's tree, and langchain-core's `ModelError` family.

Code that catches either keeps working: a 400 that says "This model's maximum context length is 4096 tokens" is
`vllm_connect.ContextOverflowError` and `langchain_core.exceptions.ContextOverflowError`, on which summarising
middleware acts, and `is_retryable` tells retrying middleware what to do.
"""

from types import TracebackType
from typing import Any

import vllm_connect as core
from langchain_core import exceptions as langchain

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
    """Anything `ChatVllm` raises on purpose."""


class ConfigurationError(VllmError, core.ConfigurationError, langchain.ModelInvalidRequestError):
    """The settings or the request are wrong; nothing was sent."""


class StreamingDisabledError(ConfigurationError, core.StreamingDisabledError):
    """A stream was asked for where the configuration forbids streaming."""


class TransportError(VllmError, core.TransportError):
    """The way to the server failed."""


class ConnectionFailedError(TransportError, core.ConnectionFailedError, langchain.ModelConnectionError):
    """The server was not reached, or it hung up before it answered."""


class RequestTimeoutError(TransportError, core.RequestTimeoutError, langchain.ModelTimeoutError):
    """A timer ran out; `phase` says which."""


class StreamInterruptedError(TransportError, core.StreamInterruptedError, langchain.ModelConnectionError):
    """The answer was cut; `partial` holds what came and must not be taken for the answer."""


class ProtocolError(VllmError, core.ProtocolError, langchain.ModelAPIError):
    """The answer is not what the API promises."""


class ConstraintError(VllmError, core.ConstraintError):
    """The server did not enforce what was asked: a schema, a required tool, a named tool."""


class StructuredOutputError(ConstraintError, langchain.OutputParserException):
    """The answer does not have the form of the schema; `llm_output` is its text."""

    def __init__(self, message: str, *, llm_output: str | None = None, **facts: Any) -> None:
        ConstraintError.__init__(self, message, **facts)
        self.observation = None
        self.llm_output = llm_output
        self.send_to_llm = False


class RefusalError(VllmError, core.RefusalError):
    """The model refused to answer."""


class StatusError(VllmError, core.StatusError):
    """The server answered with an error."""


class BadRequestError(StatusError, core.BadRequestError, langchain.ModelInvalidRequestError):
    """The server rejects the request; sending it again does not help."""


class ContextOverflowError(BadRequestError, core.ContextOverflowError, langchain.ContextOverflowError):
    """The prompt, or prompt and answer, do not fit the model's context window."""


class ToolParserMissingError(BadRequestError, core.ToolParserMissingError):
    """The server was started without a tool-call parser."""


class AuthenticationError(StatusError, core.AuthenticationError, langchain.ModelAuthenticationError):
    """The key is missing or wrong."""


class PermissionDeniedError(StatusError, core.PermissionDeniedError, langchain.ModelPermissionDeniedError):
    """The key does not allow this."""


class ModelNotFoundError(StatusError, core.ModelNotFoundError, langchain.ModelNotFoundError):
    """The server does not serve the model, or not at this URL."""


class RateLimitedError(StatusError, core.RateLimitedError, langchain.ModelRateLimitError):
    """Too many requests; `retry_after` says how long to wait, where the server told."""


class ServerFailureError(StatusError, core.ServerFailureError, langchain.ModelAPIError):
    """The server failed or is overloaded."""


OURS: dict[type[core.VllmError], type[VllmError]] = {
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
"""The class that stands for each of the core's."""


def as_model_error(error: core.VllmError) -> VllmError:
    """Give an error of the core its second parent.

    Args:
        error: An error of the core.

    Returns:
        The same error as a `ModelError`: same message, same facts, same traceback. `is_retryable` is what the
        core says of this very error, and what langchain-core says of its kind where the core says nothing.
    """
    if isinstance(error, VllmError):
        return error
    kind = next(OURS[parent] for parent in type(error).__mro__ if parent in OURS)
    ours = kind(*error.args)
    ours.__dict__.update(error.__dict__)
    if "retryable" in error.__dict__:
        ours.is_retryable = error.retryable
    ours.__cause__ = error.__cause__
    return ours.with_traceback(error.__traceback__)


class _ModelErrors:
    """Raises errors of the core as `ModelError`s; this is the one place where they pass."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, core.VllmError):
            ours = as_model_error(error)
            raise ours from ours.__cause__


model_errors = _ModelErrors()
"""`with model_errors:`; it keeps nothing, and so there is one for all."""
