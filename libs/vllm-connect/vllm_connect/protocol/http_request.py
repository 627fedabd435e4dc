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
from typing import Any

from msgspec import Struct, field

from vllm_connect.request.json_values import encode_json

__all__ = ["HttpRequest", "json_post", "json_request"]

_JSON = {"content-type": "application/json"}


class HttpRequest(Struct, frozen=True):
    """What to send; its repr shows neither the body nor the headers.

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

    def __repr__(self) -> str:
        """Show method and path."""
        return f"HttpRequest({self.method} {self.path})"


def json_post(path: str, body: Mapping[str, Any], *, streaming: bool = False) -> HttpRequest:
    """Build a request with a JSON body.

    Args:
        path: The path after the base URL.
        body: The body.
        streaming: Whether the answer is to be a stream of events.
    """
    return json_request(path, encode_json(body)[0], streaming=streaming)


def json_request(path: str, body: bytes, *, streaming: bool = False) -> HttpRequest:
    """Build a request with a body that is JSON text already; see `json_post`."""
    return HttpRequest("POST", path, body, _JSON, streaming=streaming)
