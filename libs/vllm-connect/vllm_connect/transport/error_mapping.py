"""What the libraries below raise, mapped to the errors of this package.

`ssl.SSLEOFError`, `httpx.RemoteProtocolError` and `ConnectionResetError` are all the same to a caller:
`ConnectionFailedError` with the code `connection_error`. Classes are known by name, so that no library has to be imported
to ask for its errors. What is returned holds neither the cause nor its context: those of the HTTP libraries carry the
request's headers, the key among them.
"""

import time

from vllm_connect.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
    TransportError,
    VllmError,
)
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.target import Target

__all__ = ["Call", "kind_of"]

KINDS = {
    # standard library
    "gaierror": "dns",
    "herror": "dns",
    "SSLEOFError": "cut",
    "SSLZeroReturnError": "cut",
    "SSLError": "tls",
    "CertificateError": "tls",
    "TimeoutError": "timeout",
    "OSError": "cut",
    # http1
    "MalformedResponseError": "protocol",
    # httpx, httpx2, httpcore, httpcore2 and socksio
    "ConnectTimeout": "timeout",
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "PoolTimeout": "timeout",
    "TimeoutException": "timeout",
    "ProxyError": "proxy",
    "NetworkError": "cut",
    "RemoteProtocolError": "protocol",
    "LocalProtocolError": "configuration",
    "UnsupportedProtocol": "configuration",
    "ProtocolError": "protocol",
    "ConnectionNotAvailable": "cut",
    "DecodingError": "protocol",
    "TooManyRedirects": "protocol",
    "SSEError": "protocol",
    "TransportError": "cut",
    "HTTPStatusError": "protocol",
    "HTTPError": "protocol",
    "InvalidURL": "configuration",
    "CookieConflict": "configuration",
    "StreamError": "configuration",
    "RuntimeError": "configuration",
}
"""Kinds of failures by the name of a class; the first name in a class's resolution order counts."""

PHASES = {"ConnectTimeout": "connect", "PoolTimeout": "pool", "WriteTimeout": "write"}
"""Phases that a timeout's class tells; the deadlines tell the others."""

CUTS = ("server disconnected", "peer closed", "not enough data", "incomplete chunked read")
"""How httpx says, in an error of protocol, that the connection was cut."""

TIMEOUTS = {
    "connect": ("no connection to", "is the address right, and does a firewall let you through?"),
    "pool": (
        "no free connection to",
        "all {limit} connections are in use: raise max_connections, close streams, or send less at once",
    ),
    "write": ("the request was not accepted by", "the server does not read it: is it overloaded?"),
    "first_token": (
        "no answer from",
        "the server is overloaded, the prompt is long, or the model hangs: raise timeout.first_token",
    ),
    "stall": (
        "no more data from",
        "the server stopped in the middle, or the caller did not read the stream: see its log, or raise timeout.stall",
    ),
    "body": ("no more data from", "the server stopped in the middle: look at its log, or raise timeout.stall"),
    "total": ("no complete answer from", "raise timeout.total, or ask for fewer tokens"),
}
"""What happened and what to do, by the phase that took too long."""

SETTING = {"body": "stall"}
"""The limit of a phase, where it has another name."""


def kind_of(error: BaseException) -> str | None:
    """Return the kind of a failure: dns, tls, proxy, timeout, cut, protocol or configuration; None for any other error."""
    kind = next((KINDS[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in KINDS), None)
    if kind == "protocol" and any(words in str(error).lower() for words in CUTS):
        return "cut"
    cause = error.__cause__ or error.__context__
    if kind == "cut" and cause is not None:
        # httpx says ConnectError for all that goes wrong while connecting; what it was stands in the cause.
        below = kind_of(cause)
        return below if below in ("dns", "tls") else kind
    return kind


def _reason(error: BaseException) -> str:
    """Return the words of the lowest cause; those above it are the library's own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


class Call:
    """One request on its way, for the errors it may end with.

    Args:
        target: The server.
        deadlines: The call's deadlines.
        streaming: Whether a stream was asked for.

    Attributes:
        phase: `connect`, `pool`, `write`, `headers` or `body`.
    """

    __slots__ = ("deadlines", "phase", "streaming", "target")

    def __init__(self, target: Target, deadlines: Deadlines, *, streaming: bool) -> None:
        self.target = target
        self.deadlines = deadlines
        self.streaming = streaming
        self.phase = "pool"

    def enter_phase(self, phase: str) -> None:
        """Start a phase: `pool`, `connect`, `write`, or `headers`, in which the first data is waited for."""
        self.phase = phase
        if phase == "headers":
            self.deadlines.start_attempt(time.monotonic())
        else:
            self.deadlines.enter_phase(phase, time.monotonic())

    def timed_out(self, phase: str) -> RequestTimeoutError:
        """Build the error of a deadline that has passed."""
        seconds = getattr(self.deadlines.timeouts, SETTING.get(phase, phase))
        waited = "" if seconds is None else f" within {seconds:g} s"
        what, advice = TIMEOUTS[phase]
        return RequestTimeoutError(
            f"{what} {self.target.authority}{waited}: {advice.format(limit=self.target.config.max_connections)}",
            phase=phase,
            retryable=phase == "connect",
        )

    def failed(self, error: BaseException) -> VllmError | None:
        """Build the error for what a library raised, None if it is not one of theirs."""
        if isinstance(error, VllmError):
            return error
        kind = kind_of(error)
        if kind is None:
            return None
        if kind == "timeout":
            return self.timed_out(self._timeout_phase(error))
        reason = self.target.scrubbed(_reason(error))
        if kind == "configuration":
            return ConfigurationError(f"the request to {self.target.authority} cannot be sent: {reason}")
        if kind == "protocol":
            return ProtocolError(
                f"the response of {self.target.authority} is not valid HTTP/1.1 ({reason}): is it vLLM, or is a proxy "
                "between?",
                code="bad_http",
                phase=self.phase,
            )
        return self._connection_failed(kind, reason)

    def cut(self, reason: str) -> TransportError:
        """Build the error of a connection that ended too soon."""
        if self.phase == "body" and self.streaming:
            return StreamInterruptedError(
                f"{self.target.authority} closed the connection in the middle of its answer ({reason}): look at the "
                "server's log; what was received is in `partial`",
                phase="body",
            )
        return ConnectionFailedError(
            f"{self.target.authority} closed the connection before its answer was complete ({reason}): look at the "
            "server's log",
            phase=self.phase,
        )

    def _connection_failed(self, kind: str, reason: str) -> TransportError:
        authority, proxy = self.target.authority, self.target.proxy
        if kind == "tls":
            return ConnectionFailedError(
                f"TLS with {authority} failed ({reason}): is it an https:// server, and is its certificate known? "
                "verify takes the path of a CA file",
                code="tls",
                phase="connect",
                retryable=False,
            )
        if kind == "dns":
            name = proxy.authority if proxy else self.target.host
            return ConnectionFailedError(
                f"the host name {name!r} cannot be resolved ({reason}): is it spelled right?",
                code="dns",
                phase="connect",
            )
        if kind == "proxy" or (proxy and self.phase == "connect"):
            refused = "407" in reason
            advice = "give its user name and password as proxy_auth" if refused else "is it running?"
            at = f"the proxy {proxy.authority}" if proxy else "the proxy"
            return ConnectionFailedError(
                f"{at} does not lead to {authority} ({reason}): {advice}",
                code="proxy",
                phase="connect",
                retryable=not refused,
            )
        if self.phase == "connect":
            return ConnectionFailedError(
                f"cannot connect to {authority} ({reason}): is vLLM running there, and is base_url right?",
                phase="connect",
            )
        return self.cut(reason)

    def _timeout_phase(self, error: BaseException) -> str:
        if self.deadlines.remaining(time.monotonic()) <= 0:
            return "total"
        named = next((PHASES[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in PHASES), None)
        if named:
            return named
        if self.phase in ("connect", "pool", "write"):
            return self.phase
        return self.deadlines.next_deadline()[1]
