"""Stands in for the display's library, which picamera2 imports and only draws with."""


class _Names(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_Names):
    """Formats by name; nothing is drawn."""
