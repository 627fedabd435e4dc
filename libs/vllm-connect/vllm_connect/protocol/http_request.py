"""A request as a value.

```
POST /v1/chat/completions HTTP/1.1
authorization: Bearer …
content-type: application/json

{"messages": […], "stream": true}
```

Source: RFC 9110.
"""

from collections.abc import Mapping

from msgspec import Struct, field

__all__ = ["HttpRequest"]


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
