"""Encryption of the way to the broker."""

import ssl

from scanner.config import Mqtt
from scanner.errors import ConfigError


def tls_context(settings: Mqtt) -> ssl.SSLContext | None:
    """TLS as configured, None without; raises ConfigError if one of its files cannot be used."""
    if not settings.tls:
        if settings.cert_file or settings.key_file:
            raise ConfigError("mqtt.cert_file without mqtt.tls", hint="set mqtt.tls to true")
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(f"mqtt.ca_file: {settings.ca_file}: {e}") from e
    _show_certificate(context, settings)
    # A broker's own certificate in ca_file pins that broker, whoever signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.sslsocket_class = _Socket
    return context


def _show_certificate(context: ssl.SSLContext, settings: Mqtt) -> None:
    """Say by a certificate who we are, where there is one."""
    if not settings.cert_file:
        if settings.key_file:
            raise ConfigError("mqtt.key_file without mqtt.cert_file")
        return
    try:
        # The passphrase: else OpenSSL would ask for it at a terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file or None, password="")
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(
            f"mqtt.cert_file: {settings.cert_file}: {e}",
            hint="a certificate and its own key, without a passphrase",
        ) from e


class _Socket(ssl.SSLSocket):
    """Closes itself when the other side is not who it should be; paho leaves it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 as in the base
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise
