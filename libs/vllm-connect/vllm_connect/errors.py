"""The errors, by whose problem it is.

```
VllmError                        .code .retryable .phase .attempts .request_id .status .partial .retry_after
├─ ConfigurationError            the settings or the request, caught before any I/O (also a ValueError)
│  └─ StreamingDisabledError     a stream was asked for where the configuration forbids it
├─ TransportError                the connection to the server
│  ├─ ConnectionFailedError      not reached: refused, name, TLS, proxy, reset before an answer
│  ├─ RequestTimeoutError        too late; .phase says which timeout
│  └─ StreamInterruptedError     interrupted; .partial has what arrived
├─ ProtocolError                 an answer that does not conform to the API
├─ ConstraintError               the server did not enforce a constraint
├─ RefusalError                  the model refused
└─ StatusError                   the server answered with an error status
   ├─ BadRequestError
   │  ├─ ContextOverflowError    .limit .requested
   │  └─ ToolParserMissingError
   ├─ AuthenticationError
   ├─ PermissionDeniedError
   ├─ ModelNotFoundError
   ├─ RateLimitedError
   └─ ServerFailureError
```

Every error pickles, and none holds a key, a header, a request or a prompt.
"""

from typing import Any, ClassVar

from vllm_connect.response.completion import Completion

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
    "ToolParserMissingError",
    "TransportError",
    "VllmError",
]


class VllmError(Exception):
    """The base of all errors that this client raises.

    Attributes:
        code: A short identifier for programs: `timeout`, `http_503`, `connection_error`, `tls` and the like.
        retryable: Whether the same request may succeed later.
        phase: Where it happened: `connect`, `pool`, `write`, `first_token`, `stall`, `total`, `body`.
        attempts: How many requests were sent.
        request_id: The server's id of the request, where it gave one.
        status: The HTTP status, where there was one.
        partial: What arrived of the answer, where anything did.
        retry_after: Seconds that the server asked to wait.
        limit: The served context window in tokens, where the server reported it.
        requested: The tokens that the request needed, where the server reported them.
        available: The models that the server has, where the model was not found.
        param: The request's field that the server complained about.
    """

    code: str = "error"
    retryable: bool = False
    phase: str | None = None
    attempts: int = 0
    request_id: str | None = None
    status: int | None = None
    partial: Completion | None = None
    retry_after: float | None = None
    limit: int | None = None
    requested: int | None = None
    available: tuple[str, ...] = ()
    param: str | None = None

    _FACTS: ClassVar[frozenset[str]] = frozenset(
        {
            "code",
            "retryable",
            "phase",
            "attempts",
            "request_id",
            "status",
            "partial",
            "retry_after",
            "limit",
            "requested",
            "available",
            "param",
        }
    )

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        unknown = facts.keys() - self._FACTS
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        self.__dict__.update(facts)

    @property
    def message(self) -> str:
        """What happened, where, and what to do next."""
        return str(self.args[0])


class ConfigurationError(VllmError, ValueError):
    """The settings or the request are wrong; nothing was sent."""

    code = "configuration"


class StreamingDisabledError(ConfigurationError):
    """A stream was asked for where the configuration forbids streaming."""

    code = "streaming_disabled"


class TransportError(VllmError):
    """The connection to the server failed."""

    code = "connection_error"


class ConnectionFailedError(TransportError):
    """The server was not reached, or it closed the connection before it answered."""

    retryable = True


class RequestTimeoutError(TransportError):
    """A timeout expired; `phase` says which."""

    code = "timeout"


class StreamInterruptedError(TransportError):
    """The answer was interrupted; `partial` has what arrived, which is not the answer."""

    code = "stream_interrupted"


class ProtocolError(VllmError):
    """The answer does not conform to the API."""

    code = "protocol"


class ConstraintError(VllmError):
    """The server did not enforce a constraint: a schema, a required tool, a named tool."""

    code = "constraint"


class RefusalError(VllmError):
    """The model refused to answer."""

    code = "refusal"


class StatusError(VllmError):
    """The server answered with an error."""

    code = "http_error"


class BadRequestError(StatusError):
    """The server rejects the request; a retry does not help."""

    code = "http_400"


class ContextOverflowError(BadRequestError):
    """The prompt, or prompt and answer, exceed the model's context window."""

    code = "context_overflow"


class ToolParserMissingError(BadRequestError):
    """The server was started without a tool-call parser."""

    code = "tool_parser_missing"


class AuthenticationError(StatusError):
    """The key is missing or wrong."""

    code = "http_401"


class PermissionDeniedError(StatusError):
    """The key does not allow this."""

    code = "http_403"


class ModelNotFoundError(StatusError):
    """The server does not serve the model, or not at this URL."""

    code = "http_404"


class RateLimitedError(StatusError):
    """Too many requests; `retry_after` says how long to wait, where the server reported it."""

    code = "http_429"
    retryable = True


class ServerFailureError(StatusError):
    """The server failed or is overloaded."""

    code = "http_500"
    retryable = True
