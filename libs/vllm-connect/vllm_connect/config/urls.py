"""Addresses as users paste them: `http://user:password@gpu-1:8000/v1/chat/completions` is `http://gpu-1:8000`.

Credentials are parted from the address at once, and no message shows them.
"""

from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import SecretStr

from vllm_connect.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URL", "part_base_url", "part_proxy"]

DEFAULT_BASE_URL = "http://localhost:8000"

KNOWN_PATHS = ("/chat/completions", "/completions", "/models", "/v1")
"""Ends of a URL that are dropped, in this order: users paste the address of an endpoint."""


def _split(text: str, what: str, schemes: tuple[str, ...]) -> SplitResult:
    """Split a URL, or say what is wrong with it without its user name and password."""
    shown = text.rpartition("@")[2].partition("?")[0]
    if not shown.isprintable() or " " in shown:
        raise ConfigurationError(f"{what} has white space or control characters: {shown[:200]!r}")
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        host = url = None
    if url is not None and url.scheme not in schemes:
        raise ConfigurationError(
            f"{what} must start with {' or '.join(f'{scheme}://' for scheme in schemes)}: "
            f"write {schemes[0]}://{shown.rpartition('://')[2]}"
        )
    if url is None or not host:
        raise ConfigurationError(f"{what} {shown!r} has no valid host and port: write {schemes[0]}://host:8000")
    return url


def _without_auth(url: SplitResult, path: str) -> tuple[str, SecretStr | None]:
    """Part a URL from the credentials in it."""
    auth, _, address = url.netloc.rpartition("@")
    user, _, password = auth.partition(":")
    secret = SecretStr(f"{unquote(user)}:{unquote(password)}") if auth else None
    return urlunsplit((url.scheme, address, path, "", "")), secret


def part_base_url(text: str) -> tuple[str, SecretStr | None]:
    """Reduce the address of a server, or of one of its endpoints, to the part before `/v1`.

    Args:
        text: The address.

    Returns:
        The address without credentials and without `/v1`, and the credentials as `user:password`.

    Raises:
        ConfigurationError: It is none; the message has no credentials.
    """
    url = _split(text.strip(), "base_url", ("http", "https"))
    if url.query or url.fragment:
        raise ConfigurationError("base_url has a query or a fragment: leave it out, and put tokens into headers")
    path = url.path.rstrip("/")
    for end in KNOWN_PATHS:
        path = path.removesuffix(end).rstrip("/")
    return _without_auth(url, path)


def part_proxy(text: str) -> tuple[str, SecretStr | None]:
    """Part the address of a proxy from its credentials; see `part_base_url`."""
    url = _split(text.strip(), "proxy", ("http", "https"))
    return _without_auth(url, "")
