"""TLS settings: which authorities are trusted, and the client's own certificate."""

import ssl
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from vllm_connect.errors import ConfigurationError

__all__ = ["tls_context"]


class _Context(ssl.SSLContext):
    """TLS settings whose sockets report an end that was not encrypted, which anyone between can cause."""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Wrap a socket; what reads until the end of the connection must know an end from a cut (RFC 8446, 6.1)."""
        return super().wrap_socket(*args, **{**options, "suppress_ragged_eofs": False})


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
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
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
