"""One request and its answer over HTTP/1.1, blocking or not.

```
POST /v1/chat/completions HTTP/1.1        HTTP/1.1 200 OK
authorization: Bearer …                   content-type: text/event-stream
                                          transfer-encoding: chunked
{"messages": […], "stream": true}
                                          data: {…}
```

Source: RFC 9110 and RFC 9112.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from msgspec import Struct, field

from vllm_connect.config import VllmConfig
from vllm_connect.timers import Timers

__all__ = ["AsyncReply", "AsyncTransport", "HttpRequest", "Reply", "Transport"]


class HttpRequest(Struct, frozen=True):
    """What to ask the server.

    Attributes:
        method: `GET` or `POST`.
        path: The path after the base URL, `/v1/chat/completions`.
        body: JSON, empty for none.
        headers: Headers beside those of the configuration, of which they replace the same names.
        streaming: Whether the answer is to be a stream of events.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    streaming: bool = False


class ReplyHead(Protocol):
    """What an answer begins with.

    Attributes:
        status: The status, `200`.
        headers: The headers, their names in lower case.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, where it gave one."""


class Reply(ReplyHead, Protocol):
    """An answer; iterating yields its decoded body, each piece all that has come since the last."""

    def __iter__(self) -> Iterator[bytes]: ...


class AsyncReply(ReplyHead, Protocol):
    """An answer; iterating yields its decoded body, each piece all that has come since the last."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Transport:
    """Blocking requests to one server, from any number of threads.

    Args:
        config: The server and how to talk to it.
        client: An `httpx.Client` (or of httpx2) to use in place of our own; it is never closed.
    """

    def __init__(self, config: VllmConfig, client: object | None = None) -> None: ...

    def open(self, request: HttpRequest, timers: Timers) -> AbstractContextManager[Reply]:
        """Send a request and wait for the answer's headers.

        Raises:
            ConnectionFailedError: The server was not reached, or hung up before it answered.
            RequestTimeoutError: A timer ran out; also while the body is read.
            StreamInterruptedError: While the body is read: it was cut.
            ProtocolError: The answer is no HTTP, a redirect, or too large.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close idle connections; those in use are closed when their answer is."""


class AsyncTransport:
    """Requests to one server that do not block, from any number of event loops.

    Args:
        config: The server and how to talk to it.
        client: An `httpx.AsyncClient` (or of httpx2) to use in place of our own; it is never closed.
    """

    def __init__(self, config: VllmConfig, client: object | None = None) -> None: ...

    def open(self, request: HttpRequest, timers: Timers) -> AbstractAsyncContextManager[AsyncReply]:
        """As `Transport.open`."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
