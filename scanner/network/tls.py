"""Encryption of the way to the broker."""

import ssl

from scanner.config import Mqtt
from scanner.errors import ConfigError


def tls_context(settings: Mqtt) -> ssl.SSLContext | None:
    """TLS as configured, None without; raises ConfigError if the CA file cannot be used."""
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(f"mqtt.ca_file: {settings.ca_file}: {e}") from e
    # A broker's own certificate in ca_file pins that broker, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.sslsocket_class = _Socket
    return context


class _Socket(ssl.SSLSocket):
    """Closes itself when the other side is not who it should be; paho leaves it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 as in the base
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise
