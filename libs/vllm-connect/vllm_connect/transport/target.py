"""The server that requests go to: its address, the proxy before it, and the headers that every request carries.

`http://gpu-1:8000/prefix` is reached at `gpu-1`, port 8000, with `/prefix` before every path. Proxies come from the
configuration or from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; this machine is reached without one,
however its address is written.
"""

import os
import ssl
import sys
import warnings
from functools import lru_cache
from importlib.metadata import version
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import quote, urlsplit

from msgspec import Struct
from pydantic import SecretStr

from vllm_connect.config.config import (
    SHORTEST_SECRET,
    VllmConfig,
    api_key_of,
    authorization,
    headers_of,
    scrub,
    secrets_of,
)
from vllm_connect.config.headers import header_name, header_value
from vllm_connect.config.urls import split_proxy
from vllm_connect.conversation.private_hosts import host_address
from vllm_connect.errors import ConfigurationError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.http1 import write_request
from vllm_connect.transport.tls import tls_context

__all__ = ["Proxy", "Target", "is_this_machine"]

PORTS = {"http": 80, "https": 443}
SYSTEM_PROXIES = ("darwin", "win32")
"""Platforms whose system settings may name a proxy."""

_warned: set[str] = set()
"""Warnings given already; each is worth one line a process."""


class Proxy(Struct, frozen=True):
    """A proxy.

    Attributes:
        url: Its address without credentials, `http://proxy:3128`.
        auth: Its user name and password, or None.
    """

    url: str
    auth: SecretStr | None

    @property
    def authority(self) -> str:
        """Its host and port, for messages."""
        return self.url.partition("://")[2].rstrip("/")

    def credentials(self) -> tuple[str, str] | None:
        """Return its user name and password."""
        if self.auth is None:
            return None
        user, _, password = self.auth.get_secret_value().partition(":")
        return user, password


class Target:
    """One server.

    Args:
        config: The server and how to talk to it.
        proxied: Whether to choose a proxy; a caller's own client has its own.

    Attributes:
        secure: Whether TLS is spoken.
        host: The server's name or address.
        port: Its port.
        authority: `host:port`, for messages.
        url: The address before every path, in ASCII and without credentials.
        proxy: The proxy before it, or None.

    Raises:
        ConfigurationError: The environment names a proxy that cannot be used.
    """

    def __init__(self, config: VllmConfig, *, proxied: bool = True) -> None:
        url = urlsplit(config.base_url)
        self.config = config
        self.secure = url.scheme == "https"
        self.host = url.hostname or ""
        self.port = url.port or PORTS[url.scheme]
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = f"{name}:{self.port}"
        self._netloc = url.netloc if url.netloc.isascii() else url.netloc.encode("idna").decode()
        self._prefix = quote(url.path, safe="/%:@!$&'()*+,;=~")
        self.url = f"{url.scheme}://{self._netloc}{self._prefix}"
        self.proxy = _proxy(config, url.scheme, self.host, self.authority) if proxied else None
        self._default_headers = {
            "user-agent": config.user_agent or _user_agent(),
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        has_functions = any(callable(value) for value in config.headers.values())
        self._given_headers = None if has_functions else headers_of(config)
        self._warn()

    def headers(self, request: HttpRequest) -> dict[str, str]:
        """Build the headers of one request, their names in lower case.

        Raises:
            ConfigurationError: A value cannot be sent, or the function that returns the key returned no string.
        """
        problem = None
        try:
            return self._headers(request)
        except ConfigurationError as error:
            problem = error.with_traceback(None)  # frames below have the value in their variables
        raise problem

    def write(self, request: HttpRequest) -> bytes:
        """Write one request as it is sent; see `headers`."""
        headers = {"host": self._netloc, **self.headers(request)}
        return write_request(request.method, f"{self._prefix}{request.path}", headers, request.body)

    def scrubbed(self, text: str) -> str:
        """Remove this target's secrets from a library's text, and clip it."""
        credentials = (self.proxy and self.proxy.credentials()) or ()
        hidden = [each for each in credentials if each and len(each) >= SHORTEST_SECRET]
        text = scrub(text, (*secrets_of(self.config), *hidden))
        return "".join(c if c.isprintable() else " " for c in text[:300])

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS settings, None where TLS is not spoken."""
        return self.client_tls() if self.secure else None

    def client_tls(self) -> ssl.SSLContext:
        """Return the TLS settings for the server and for a proxy that speaks TLS."""
        config = self.config
        certificates = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if config.trust_env else ()
        return tls_context(config.verify, config.client_cert, certificates)

    def _headers(self, request: HttpRequest) -> dict[str, str]:
        headers = dict(self._default_headers)
        if request.streaming:
            headers["accept"] = "text/event-stream, application/json"
            headers["accept-encoding"] = "identity"
        if request.body:
            headers["content-type"] = "application/json"
        if auth := authorization(self.config):
            headers["authorization"] = auth
        headers.update(_trace_context())
        headers.update(headers_of(self.config) if self._given_headers is None else self._given_headers)
        for name, value in request.headers.items():
            headers[header_name(name).lower()] = header_value(value, f"header {name!r}")
        return headers

    def _warn(self) -> None:
        if self.secure and self.config.verify is False:
            _warn_once(
                f"TLS certificates of {self.authority} are not verified: anyone between can read the key and the prompts; "
                "set verify to the path of the CA certificate instead"
            )
        has_key = (
            callable(self.config.api_key)
            or api_key_of(self.config)
            or "authorization" in map(str.lower, self.config.headers)
        )
        if not self.secure and has_key and not is_this_machine(self.host):
            _warn_once(
                f"the key is sent to {self.authority} unencrypted, over http://: anyone between can read it; use https://"
            )


def is_this_machine(host: str) -> bool:
    """Check whether a host is this machine by its name alone: a loopback or an unspecified address in any notation."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = host_address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _proxy(config: VllmConfig, scheme: str, host: str, authority: str) -> Proxy | None:
    """Choose the proxy before a server, None for a direct connection."""
    if is_this_machine(host):
        return None
    if config.proxy:
        return Proxy(config.proxy, config.proxy_auth)
    found = _environment_proxy(scheme, host, authority) if config.trust_env else None
    if not found:
        return None
    return Proxy(*split_proxy(found if "://" in found else f"http://{found}"))


def _environment_proxy(scheme: str, host: str, authority: str) -> str | None:
    if sys.platform not in SYSTEM_PROXIES and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - a slow import that few need

    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or proxy_bypass(authority) or _in_network(host, proxies.get("no", "")):
        return None
    return found


def _in_network(host: str, exempt: str) -> bool:
    """Check whether a host is an address in one of the networks of `NO_PROXY`, `10.0.0.0/8`."""
    address = host_address(host)
    if address is None:
        return False
    networks = (_network(entry) for entry in exempt.replace(",", " ").split())
    return any(network is not None and address in network for network in networks)


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # a name
        return None


def _trace_context() -> dict[str, str]:
    """Return the headers that continue the current trace, `traceparent`, if this process uses OpenTelemetry."""
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.propagate import inject  # noqa: PLC0415 - no dependency, and its API is imported already

    carrier: dict[str, str] = {}
    inject(carrier)
    return {header_name(name).lower(): header_value(value, f"header {name!r}") for name, value in carrier.items()}


@lru_cache(maxsize=1)
def _user_agent() -> str:
    return f"vllm-connect/{version('vllm-connect')} python/{sys.version_info[0]}.{sys.version_info[1]}"


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)
