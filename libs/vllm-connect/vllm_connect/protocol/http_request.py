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

import msgspec
from msgspec import Struct, field

__all__ = ["HttpRequest", "json_post"]

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
    return HttpRequest("POST", path, msgspec.json.encode(body), _JSON, streaming=streaming)
