"""A connection to the broker: plain or TLS, straight or through a SOCKS5 proxy."""

import secrets
import socket
import ssl
from typing import Any

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
    except (OSError, ValueError) as e:  # a name that is none
        raise BrokerError(f"broker {settings.host}:{settings.port}: {in_words(e)}") from e


def _through_proxy(settings: Mqtt, timeout_s: float) -> socket.socket | None:
    if not settings.socks_proxy:
        return None
    through = proxy(settings.socks_proxy)
    import socks  # noqa: PLC0415 - it is there

    where = settings.host, settings.port
    line: socket.socket = socks.create_connection(where, timeout=timeout_s, **through)
    return line


def proxy(address: str) -> dict[str, Any]:
    """A SOCKS5 proxy at HOST:PORT, for PySocks: it is given the broker's name as it is.

    Name and password are new each time: Tor leads each pair over another circuit
    (IsolateSOCKSAuth, torrc(5)). Raises ConfigError without PySocks.
    """
    try:
        import socks  # noqa: PLC0415 - only with a proxy
    except ModuleNotFoundError as e:
        raise ConfigError("mqtt.socks_proxy needs PySocks", hint=from_checkout("tor")) from e
    host, _, port = address.rpartition(":")
    return {
        "proxy_type": socks.SOCKS5,
        "proxy_addr": host,
        "proxy_port": int(port),
        "proxy_rdns": True,
        "proxy_username": secrets.token_hex(8),
        "proxy_password": secrets.token_hex(8),
    }


def in_words(error: Exception) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
