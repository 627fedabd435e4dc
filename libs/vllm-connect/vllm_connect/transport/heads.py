r"""The head of a message of HTTP/1.1, written and read.

`b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"` is the status 200 and one header, and the connection can be
used again. The standard library parses headers as e-mail, which costs more in every call.
Source: RFC 9112, sections 2 to 5 and 9.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from vllm_connect.errors import ProtocolError

__all__ = ["FIRST_FINAL_STATUS", "RawHead", "read_raw_head", "write_request"]

MAX_LINE = 65536
MAX_HEADERS = 100
SWITCHING_PROTOCOLS = 101
FIRST_FINAL_STATUS = 200


class RawHead(Struct, frozen=True):
    """The head of an answer, as it came.

    Attributes:
        status: The status, `200`.
        headers: The headers in order, a name as often as it came.
        lasting: Whether the server keeps the connection open.
    """

    status: int
    headers: list[tuple[str, str]]
    lasting: bool


def write_request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write a request.

    Args:
        method: `GET` or `POST`.
        target: The path, or the whole address for a proxy.
        host: The server's name and port, of ASCII.
        headers: Checked names and values.
        body: The body, empty for none.
    """
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body


def read_raw_head(readline: Callable[[int], bytes]) -> RawHead:
    """Read the head of an answer; interim answers, such as `100 Continue`, are passed over.

    Args:
        readline: Reads up to a line's end, or as many bytes.

    Raises:
        ConnectionResetError: The connection ended before the head did.
        ProtocolError: It is no HTTP.
    """
    while True:
        version, status = _status(_line(readline, "status"))
        headers = _headers(readline)
        if status >= FIRST_FINAL_STATUS or status == SWITCHING_PROTOCOLS:
            return RawHead(status, headers, _lasting(version, headers))


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not (version in ("HTTP/1.1", "HTTP/1.0") and len(code) == 3 and code.isascii() and code.isdigit()):  # noqa: PLR2004 - of three digits
        raise _broken(f"its status line is {line[:40]!r}")
    if rest[3:4].strip() or code < "100":
        raise _broken(f"its status is {rest[:10]!r}")
    return version, int(code)


def _headers(readline: Callable[[int], bytes]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    while line := _line(readline, "header"):
        if line[0] in " \t" and headers:  # a value that goes on, which nobody writes any more
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _broken("a header has no name")
        headers.append((name, value.strip(" \t")))
        if len(headers) > MAX_HEADERS:
            raise _broken(f"it has more than {MAX_HEADERS} headers")
    return headers


def _line(readline: Callable[[int], bytes], what: str) -> str:
    line = readline(MAX_LINE + 1)
    if len(line) > MAX_LINE:
        raise _broken(f"a {what} line is longer than {MAX_LINE} bytes")
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the connection ended before the headers did")
    return line.decode("latin-1").rstrip("\r\n")


def _lasting(version: str, headers: list[tuple[str, str]]) -> bool:
    said = {
        word.strip() for name, value in headers if name.lower() == "connection" for word in value.lower().split(",")
    }
    return "close" not in said and (version == "HTTP/1.1" or "keep-alive" in said)


def _broken(what: str) -> ProtocolError:
    return ProtocolError(
        f"the server's answer is broken HTTP: {what}; is it vLLM, or is a proxy between?",
        code="bad_http",
        phase="headers",
    )
