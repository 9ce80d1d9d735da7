"""The root of trust of an update repository: what comes after it, and how long an image can use it.

A device follows from the root in its image to the newest one, however long ago the first expired:
each must be signed by enough keys of the one before it and by enough of its own.
"""

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from securesystemslib.signer import Key  # type: ignore[attr-defined]
from tuf.api.metadata import Metadata, Root, Targets  # type: ignore[attr-defined]
from tuf.api.serialization import DeserializationError

from scanner.errors import UsageError
from scanner.updating import root_expiry

ROLES: Final[Mapping[str, tuple[str, ...]]] = {  # option: the roles whose keys it names
    "root": ("root",),
    "release": ("targets",),
    "online": ("snapshot", "timestamp"),
}
LEAST_DAYS: Final = 365  # that a root has left when an image is built
EARLY: Final[Mapping[str, tuple[int, str]]] = {  # role: days left, and the command that renews it
    "root": (LEAST_DAYS, "root"),
    "targets": (90, "renew"),
}


def successor(old: Root, until: dt.datetime, keys: Mapping[str, Sequence[Key]]) -> Root:
    """The next version, until then; with other keys for those of ROLES that ``keys`` names.

    Thresholds stay; where there are fewer keys than that, all of them must sign.
    """
    new = Root.from_dict(copy.deepcopy(old.to_dict()))
    new.version, new.expires = old.version + 1, until
    for name, others in keys.items():
        for role in ROLES[name]:
            for key_id in list(new.roles[role].keyids):
                new.revoke_key(key_id, role)
            for key in others:
                new.add_key(key, role)
            new.roles[role].threshold = min(new.roles[role].threshold, len(others))
    return new


def lasts(path: Path, when: int) -> None:
    """Raise UsageError unless this root outlives an image that is built at ``when`` by a year."""
    try:
        left = root_expiry(path.read_bytes()) - dt.datetime.fromtimestamp(when, dt.UTC)
    except (OSError, DeserializationError) as e:
        raise UsageError(f"{path}: no root.json of a repository: {e}") from e
    if left.days < LEAST_DAYS:
        raise UsageError(
            f"{path}: {max(left.days, 0)} days are left of it, and an image wants {LEAST_DAYS}",
            hint="`python -m firmware.release root` renews it",
        )


def early(paths: Sequence[Path], now: dt.datetime) -> list[str]:
    """Of metadata of EARLY what is to be renewed before long, a line each."""
    lines = []
    for path in paths:
        signed: Root | Targets = Metadata.from_file(str(path)).signed
        days, command = EARLY[signed.type]
        left = (signed.expires - now).days
        if left < days:
            lines.append(f"{path.name}: {max(left, 0)} days are left: `{command}` renews it")
    return lines
