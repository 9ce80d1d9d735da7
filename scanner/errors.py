"""Every error the scanner raises on purpose.

::

    ScannerError            message, hint: what to do, exit_code
    ├── UsageError          a file or an option given by the person is unusable   2
    │   └── MediaError      a picture, video or track cannot be read              2
    ├── ConfigError         scanner.toml, also a ValueError                       78
    ├── DeviceError         a part is missing or lost, also an OSError            69
    │   └── ModelError      the detector's file is not of the right form          69
    ├── StoreError          the outbox or the map's store cannot be written       74
    ├── BrokerError         the broker is away, also a ConnectionError            75
    ├── WireError           bytes that are not a valid record, also a ValueError  76
    └── WallError           this process cannot shut itself in                    71

Expected absences are not errors: ``None``, ``Withheld(reason)`` and ``NotLocated(reason)`` are
values.
Exit codes follow sysexits.h; 1 is left to bugs.
"""

from typing import ClassVar, Final

import msgspec

# What msgspec raises of bytes it cannot read: text that is not UTF-8, and nesting deeper than the
# stack, come as errors of Python and not of its own.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def from_checkout(extras: str) -> str:
    """The hint how to get what an extra brings: our name is on no index, and must be asked of none.

    ``extras`` as in ``pyproject.toml``, separated by commas.
    """
    return f"in a checkout: pip install -e '.[{extras}]'"


class ScannerError(Exception):
    """Something went wrong that a person can act on.

    ``message`` is one line without a full stop: what is wrong, with the name of the file or part.
    ``hint`` says what to do about it and is printed after the message.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(ScannerError):
    """What was given on the command line cannot be used."""

    exit_code = 2


class MediaError(UsageError):
    """A picture, video or track cannot be read."""


class ConfigError(ScannerError, ValueError):
    """The configuration file is wrong; the message names file and key."""

    exit_code = 78


class DeviceError(ScannerError, OSError):
    """A piece of hardware, or a library that drives it, is missing or was lost."""

    exit_code = 69


class ModelError(DeviceError):
    """The detector's file is missing, damaged or of another form than the runtime expects."""


class StoreError(ScannerError):
    """A database of ours cannot be opened or written: no space, no permission, damaged."""

    exit_code = 74

    @property
    def full(self) -> bool:
        """Whether it is for want of space, in SQLite's words or the system's; not in a path's."""
        reason = self.message.rpartition(": ")[2]
        return reason.endswith(" is full") or "No space left" in reason


class BrokerError(ScannerError, ConnectionError):
    """The MQTT broker cannot be reached, refused us or went away."""

    exit_code = 75


class WireError(ScannerError, ValueError):
    """Bytes from outside that are not a valid record or message."""

    exit_code = 76


class WallError(ScannerError):
    """The wall around ``watch`` or ``relay`` cannot be built here, or does not hold."""

    exit_code = 71
