"""What the libraries below raise, named as this package names it.

`aiohttp.ServerDisconnectedError`, `httpx.RemoteProtocolError` and `http.client.RemoteDisconnected` are all the same to
a caller: `ConnectionFailedError` with the code `connection_error`. Classes are known by name, so that no library has
to be imported to ask for its errors. What is returned holds neither the cause nor its context: those of the HTTP
libraries carry the request's headers, the key among them.
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
from vllm_connect.transport.target import Route

__all__ = ["Place", "kind_of"]

KINDS = {
    # standard library
    "gaierror": "dns",
    "herror": "dns",
    "SSLEOFError": "cut",
    "SSLZeroReturnError": "cut",
    "SSLError": "tls",
    "CertificateError": "tls",
    "TimeoutError": "timeout",
    "RemoteDisconnected": "cut",
    "IncompleteRead": "cut",
    "HTTPException": "protocol",
    "OSError": "cut",
    # aiohttp
    "ClientConnectorDNSError": "dns",
    "ClientConnectorSSLError": "tls",
    "ClientConnectorCertificateError": "tls",
    "ClientSSLError": "tls",
    "ServerFingerprintMismatch": "tls",
    "ClientProxyConnectionError": "proxy",
    "ClientHttpProxyError": "proxy",
    "ServerTimeoutError": "timeout",
    "ClientPayloadError": "cut",
    "UploadAbortedError": "cut",
    "ClientConnectionError": "cut",
    "InvalidURL": "configuration",
    "NonHttpUrlClientError": "configuration",
    "RedirectClientError": "protocol",
    "ClientResponseError": "protocol",
    "ClientError": "protocol",
    "HttpProcessingError": "protocol",
    "WSMessageTypeError": "protocol",
    # httpx, httpx2, httpcore and httpcore2
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
    "CookieConflict": "configuration",
    "StreamError": "configuration",
    "RuntimeError": "configuration",
}
"""Kinds of failures by the name of a class; the first name in a class's resolution order counts."""

PHASES = {
    "ConnectTimeout": "connect",
    "ConnectionTimeoutError": "connect",
    "PoolTimeout": "pool",
    "WriteTimeout": "write",
}
"""Phases that a timeout's class tells; the deadlines tell the others."""

HANG_UPS = ("server disconnected", "peer closed", "not enough data", "response payload is not completed")
"""How the libraries say, in an error of protocol, that the connection was cut."""

SETTING = {"body": "stall", "headers": "first_token"}
ADVICE = {
    "connect": "is the address right, and does a firewall let you through?",
    "pool": "all {limit} connections are in use: raise max_connections, close streams, or send less at once",
    "write": "the server does not take the request: is it overloaded?",
    "first_token": "the server is overloaded, the prompt is long, or the model hangs: raise timeout.first_token",
    "stall": "the server stopped in the middle, or nobody read the stream: look at its log, or raise timeout.stall",
    "body": "the server stopped in the middle: look at its log, or raise timeout.stall",
    "total": "raise timeout.total, or ask for fewer tokens",
}


def kind_of(error: BaseException) -> str | None:
    """Name the kind of a failure: dns, tls, proxy, timeout, cut, protocol, configuration; None for none of ours."""
    kind = next((KINDS[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in KINDS), None)
    text = str(error).lower()
    if kind == "protocol" and any(words in text for words in HANG_UPS):
        return "cut"
    cause = error.__cause__ or error.__context__
    if kind == "cut" and cause is not None:
        # httpx says ConnectError for all that goes wrong on the way; what it was stands in the cause.
        below = kind_of(cause)
        return below if below in ("dns", "tls") else kind
    return kind


def _reason(error: BaseException) -> str:
    """Find the words of the lowest cause; those above it are the library's own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


class Place:
    """Where a call is, for the errors it may end with.

    Args:
        route: The way to the server.
        deadlines: The call's deadlines.
        streaming: Whether a stream was asked for.

    Attributes:
        phase: `connect`, `pool`, `write`, `headers` or `body`.
    """

    __slots__ = ("deadlines", "phase", "route", "streaming")

    def __init__(self, route: Route, deadlines: Deadlines, *, streaming: bool) -> None:
        self.route = route
        self.deadlines = deadlines
        self.streaming = streaming
        self.phase = "pool"

    def timed_out(self, phase: str) -> RequestTimeoutError:
        """Build the error of a timer that ran out."""
        timeouts = self.deadlines.timeouts
        seconds = getattr(timeouts, SETTING.get(phase, phase))
        waited = "" if seconds is None else f" within {seconds:g} s"
        advice = ADVICE[phase].format(limit=self.route.config.max_connections)
        what = {
            "connect": "no connection to",
            "pool": "no free connection to",
            "write": "the request was not taken by",
            "first_token": "no answer from",
            "total": "no complete answer from",
        }.get(phase, "no more data from")
        return RequestTimeoutError(
            f"{what} {self.route.place}{waited}: {advice}", phase=phase, retryable=phase == "connect"
        )

    def failed(self, error: BaseException) -> VllmError | None:
        """Build the error for what a library raised, None if it is none of theirs."""
        if isinstance(error, VllmError):
            return error
        kind = kind_of(error)
        if kind is None:
            return None
        if kind == "timeout":
            return self.timed_out(self._timeout_phase(error))
        reason = self.route.scrubbed(_reason(error))
        if kind == "configuration":
            return ConfigurationError(f"the request to {self.route.place} cannot be sent: {reason}")
        if kind == "protocol":
            return ProtocolError(
                f"{self.route.place} does not speak HTTP as it should: {reason}; is it vLLM, or is a proxy between?",
                code="bad_http",
                phase=self.phase,
            )
        return self._not_connected(kind, reason)

    def cut(self, reason: str) -> TransportError:
        """Build the error of a connection that ended too soon."""
        if self.phase == "body" and self.streaming:
            return StreamInterruptedError(
                f"{self.route.place} hung up in the middle of its answer ({reason}): look at the server's log; "
                "what had come is in `partial`",
                phase="body",
            )
        return ConnectionFailedError(
            f"{self.route.place} hung up before its answer was complete ({reason}): look at the server's log",
            phase=self.phase,
        )

    def _not_connected(self, kind: str, reason: str) -> TransportError:
        place, proxy = self.route.place, self.route.proxy
        if kind == "tls":
            return ConnectionFailedError(
                f"TLS with {place} failed ({reason}): is it an https:// server, and is its certificate known? "
                "verify takes the path of a CA file",
                code="tls",
                phase="connect",
                retryable=False,
            )
        if kind == "dns":
            host = proxy[0] if proxy else self.route.host
            return ConnectionFailedError(
                f"the name {host!r} cannot be resolved ({reason}): is it spelt right?", code="dns", phase="connect"
            )
        if kind == "proxy" or (proxy and self.phase == "connect"):
            refused = "407" in reason
            advice = "give its user name and password as proxy_auth" if refused else "is it running?"
            at = f"{proxy[0]}:{proxy[1]}" if proxy else "between"
            return ConnectionFailedError(
                f"the proxy {at} does not lead to {place} ({reason}): {advice}",
                code="proxy",
                phase="connect",
                retryable=not refused,
            )
        if self.phase == "connect":
            return ConnectionFailedError(
                f"cannot connect to {place} ({reason}): is vLLM running there, and is base_url right?", phase="connect"
            )
        return self.cut(reason)

    def _timeout_phase(self, error: BaseException) -> str:
        if self.deadlines.remaining(time.monotonic()) <= 0:
            return "total"
        told = next((PHASES[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in PHASES), None)
        if told:
            return told
        if self.phase in ("connect", "pool", "write"):
            return self.phase
        return self.deadlines.next_deadline()[1]
