"""The way to a server: its address, the proxy before it, TLS, and what every request carries.

`http://gpu-1:8000/prefix` is reached at `gpu-1`, port 8000, with `/prefix` before every path. Proxies come from the
configuration or from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; loopback addresses never use one.
"""

import ipaddress
import os
import ssl
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from vllm_connect.config.config import VllmConfig, api_key_of, authorization, secrets_of
from vllm_connect.config.headers import basic, header_name, header_value
from vllm_connect.errors import ConfigurationError
from vllm_connect.protocol.http_request import HttpRequest

__all__ = ["Route", "is_loopback", "tls_context"]

PORTS = {"http": 80, "https": 443}
MAX_REQUEST_ID = 256

_warned: set[str] = set()
"""Warnings given already; each is worth one line a process."""


class Route:
    """The way to one server.

    Args:
        config: The server and how to talk to it.
        proxied: Whether to choose a proxy; a caller's own client has its own.

    Attributes:
        secure: Whether TLS is spoken.
        host: The server's name or address.
        port: Its port.
        place: `host:port`, for messages.
        prefix: The path before every path.
        netloc: `host:port` as the address has it, in ASCII.
        origin: `http://host:port`, without the prefix.
        proxy: `(host, port)` of the proxy, or None.
        proxy_auth: The Proxy-Authorization header, or None.

    Raises:
        ConfigurationError: The environment names a proxy of a kind that is not spoken.
    """

    def __init__(self, config: VllmConfig, *, proxied: bool = True) -> None:
        url = urlsplit(config.base_url)
        self.config = config
        self.secure = url.scheme == "https"
        self.host = url.hostname or ""
        self.port = url.port or PORTS[url.scheme]
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.place = f"{name}:{self.port}"
        self.prefix = quote(url.path, safe="/%:@!$&'()*+,;=~")
        self.netloc = url.netloc if url.netloc.isascii() else url.netloc.encode("idna").decode()
        self.origin = f"{url.scheme}://{self.netloc}"
        self.proxy: tuple[str, int] | None = None
        self.proxy_auth: str | None = None
        if proxied and not is_loopback(self.host):
            self._choose_proxy(config)
        self.fixed = {
            "user-agent": config.user_agent or _user_agent(),
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        self._given = {
            name.lower(): value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in config.headers.items()
        }
        self._warn()

    def target(self, path: str) -> str:
        """Spell the target of a request: the path, or the whole address for a proxy that forwards."""
        forwards = self.proxy is not None and not self.secure
        return f"{self.origin if forwards else ''}{self.prefix}{path}"

    def headers_of(self, request: HttpRequest) -> dict[str, str]:
        """Build the headers of one request, their names in lower case.

        Raises:
            ConfigurationError: A value cannot be sent, or the function that returns the key returned none.
        """
        headers = dict(self.fixed)
        if request.streaming:
            headers["accept"] = "text/event-stream, application/json"
            headers["accept-encoding"] = "identity"
        if request.body:
            headers["content-type"] = "application/json"
        if auth := authorization(self.config):
            headers["authorization"] = auth
        headers.update(self._given)
        if self.proxy_auth and not self.secure:
            headers["proxy-authorization"] = self.proxy_auth
        for name, value in request.headers.items():
            headers[header_name(name).lower()] = header_value(value, f"header {name!r}")
        return headers

    def scrubbed(self, text: str) -> str:
        """Take this route's secrets out of a library's text, and clip it."""
        for secret in secrets_of(self.config):
            text = text.replace(secret, "[secret]")
        return "".join(c if c.isprintable() else " " for c in text[:300])

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS settings, None where TLS is not spoken."""
        if not self.secure:
            return None
        config = self.config
        certificates = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if config.trust_env else ()
        return tls_context(config.verify, config.client_cert, certificates)

    def _choose_proxy(self, config: VllmConfig) -> None:
        if config.proxy:
            url, auth = urlsplit(config.proxy), config.proxy_auth
        elif config.trust_env and (found := _environment_proxy("https" if self.secure else "http", self.place)):
            url = urlsplit(found if "://" in found else f"http://{found}")
            auth = SecretStr(f"{unquote(url.username)}:{unquote(url.password or '')}") if url.username else None
        else:
            return
        if url.scheme != "http":
            raise ConfigurationError(
                f"proxies at {url.scheme}:// are not supported: use one at http://, or pass an httpx client of your own"
            )
        self.proxy = (url.hostname or "", url.port or 80)
        self.proxy_auth = basic(auth) if auth else None

    def _warn(self) -> None:
        if self.secure and self.config.verify is False:
            _warn_once(
                f"TLS certificates of {self.place} are not verified: anyone between can read the key and the prompts; "
                "set verify to the path of the CA certificate instead"
            )
        has_key = callable(self.config.api_key) or api_key_of(self.config) or "authorization" in self._given
        if not self.secure and has_key and not is_loopback(self.host):
            _warn_once(
                f"the key is sent to {self.place} unencrypted, over http://: anyone between can read it; use https://"
            )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its name alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _environment_proxy(scheme: str, place: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - a slow import that loopback never needs

    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    return found if found and not proxy_bypass(place) else None


@lru_cache(maxsize=16)
def tls_context(
    verify: bool | str, client_cert: str | tuple[str, str] | None, certificates: tuple[str | None, ...]
) -> ssl.SSLContext:
    """Build TLS settings; the same settings give the same object, for it is slow to build.

    Args:
        verify: Whether to verify certificates, or the path of CA certificates to verify them with.
        client_cert: Path of a client certificate with its key, or the paths of both.
        certificates: Values of `SSL_CERT_FILE` and `SSL_CERT_DIR`, empty if the environment is not to be used.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif isinstance(verify, str):
        _load(partial(_load_authorities, context, verify), "verify", verify)
    elif certificates and any(certificates):
        for path in filter(None, certificates):
            _load(partial(_load_authorities, context, path), "SSL_CERT_FILE or SSL_CERT_DIR", path)
    elif not _load_bundle(context) or certificates:
        context.load_default_certs()  # which OpenSSL takes from the environment, if it names any
    if client_cert is not None:
        cert, key = (client_cert, None) if isinstance(client_cert, str) else client_cert
        _load(partial(context.load_cert_chain, cert, key), "client_cert", cert)
    return context


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    if Path(path).is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)


def _load_bundle(context: ssl.SSLContext) -> bool:
    """Add certifi's authorities, where it is installed: some systems have none of their own."""
    try:
        import certifi  # noqa: PLC0415 - only TLS needs it
    except ImportError:
        return False
    context.load_verify_locations(cafile=certifi.where())
    return True


def _load(load: Callable[[], object], setting: str, path: str) -> None:
    try:
        load()
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        return
    raise ConfigurationError(f"{setting}: {path!r} cannot be used as a PEM file: {problem}")


@lru_cache(maxsize=1)
def _user_agent() -> str:
    return f"vllm-connect/{version('vllm-connect')} python/{sys.version_info[0]}.{sys.version_info[1]}"


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)
