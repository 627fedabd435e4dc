"""Server URLs as users paste them: `http://user:password@gpu-1:8000/v1/chat/completions` is `http://gpu-1:8000`.

Credentials are split off at once, and no message shows them.
"""

from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import SecretStr

from vllm_connect.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URL", "split_base_url", "split_proxy"]

DEFAULT_BASE_URL = "http://localhost:8000"

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

KNOWN_PATHS = ("/chat/completions", "/completions", "/models", "/v1")
"""Ends of a URL that are dropped, in this order: users paste the URL of an endpoint."""


def _split(text: str, what: str, schemes: tuple[str, ...]) -> SplitResult:
    """Split a URL; an error shows it without its user name and password."""
    shown = text.rpartition("@")[2].partition("?")[0]
    example = f"{schemes[0]}://host:8000"
    if not text:
        raise ConfigurationError(f"{what} is empty: write {example}")
    if not shown.isprintable() or " " in shown:
        raise ConfigurationError(f"{what} has whitespace or control characters: {shown[:200]!r}")
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        host = url = None
    if url is not None and url.scheme not in schemes:
        meant = example if "://" in text else f"{schemes[0]}://{shown}"
        raise ConfigurationError(
            f"{what} must start with {' or '.join(f'{scheme}://' for scheme in schemes)}: write {meant}"
        )
    if url is None or not host:
        raise ConfigurationError(f"{what} {shown!r} has no valid host and port: write {example}")
    return url


def _without_auth(url: SplitResult, path: str) -> tuple[str, SecretStr | None]:
    """Split a URL from the credentials in it."""
    auth, _, address = url.netloc.rpartition("@")
    user, _, password = auth.partition(":")
    secret = SecretStr(f"{unquote(user)}:{unquote(password)}") if auth else None
    return urlunsplit((url.scheme, address, path, "", "")), secret


def split_base_url(text: str) -> tuple[str, SecretStr | None]:
    """Split the URL of a server, or of one of its endpoints, into the part before `/v1` and the credentials.

    Args:
        text: The URL.

    Returns:
        The URL without credentials and without `/v1`, and the credentials as `user:password`.

    Raises:
        ConfigurationError: It is not a valid URL; the message has no credentials.
    """
    url = _split(text.strip(), "base_url", ("http", "https"))
    if url.query or url.fragment:
        raise ConfigurationError("base_url has a query or a fragment: remove it, and put tokens into headers")
    path = url.path.rstrip("/")
    for end in KNOWN_PATHS:
        path = path.removesuffix(end).rstrip("/")
    return _without_auth(url, path)


def split_proxy(text: str) -> tuple[str, SecretStr | None]:
    """Split the URL of a proxy from its credentials; see `split_base_url`."""
    url = _split(text.strip(), "proxy", PROXY_SCHEMES)
    return _without_auth(url, "")
