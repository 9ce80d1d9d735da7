"""Text and attributes as XML 1.0 takes them."""

import re
from typing import Final
from xml.sax import saxutils

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(value: str) -> bool:
    """Whether XML can hold the text at all."""
    return not _FORBIDDEN.search(value)


def text(value: str) -> str:
    """Text between tags; what XML cannot hold becomes U+FFFD."""
    return saxutils.escape(_FORBIDDEN.sub("\ufffd", value), {"\r": "&#13;"})


def attribute(value: str) -> str:
    """An attribute's value with its quotes; what XML cannot hold becomes U+FFFD."""
    return saxutils.quoteattr(_FORBIDDEN.sub("\ufffd", value))
