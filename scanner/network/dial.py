"""A connection to the broker: plain or TLS, straight or through a SOCKS5 proxy."""

import secrets
import socket
import ssl

from scanner.config import Mqtt
from scanner.errors import BrokerError, ConfigError, from_checkout


def dial(settings: Mqtt, tls: ssl.SSLContext | None, timeout_s: float) -> socket.socket:
    """Connect; raises BrokerError in a few words, ConfigError without PySocks."""
    try:
        line = _through_proxy(settings, timeout_s) or socket.create_connection(
            (settings.host, settings.port), timeout=timeout_s
        )
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return tls.wrap_socket(line, server_hostname=settings.host) if tls else line
        except OSError:
            line.close()
            raise
    except OSError as e:
        raise BrokerError(f"broker {settings.host}:{settings.port}: {in_words(e)}") from e


def _through_proxy(settings: Mqtt, timeout_s: float) -> socket.socket | None:
    if not settings.socks_proxy:
        return None
    try:
        import socks  # noqa: PLC0415 - only with a proxy
    except ModuleNotFoundError as e:
        raise ConfigError("mqtt.socks_proxy needs PySocks", hint=from_checkout("tor")) from e
    host, _, port = settings.socks_proxy.rpartition(":")
    # Tor leads each pair of name and password over another circuit (IsolateSOCKSAuth, torrc(5)).
    line: socket.socket = socks.create_connection(
        (settings.host, settings.port),
        timeout=timeout_s,
        proxy_type=socks.SOCKS5,
        proxy_addr=host,
        proxy_port=int(port),
        proxy_rdns=True,
        proxy_username=secrets.token_hex(8),
        proxy_password=secrets.token_hex(8),
    )
    return line


def in_words(error: OSError) -> str:
    """Why a connection failed."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return error.strerror or str(error)
