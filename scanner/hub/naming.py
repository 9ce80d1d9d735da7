"""The secret that a map's cameras are named by: one and the same for as long as there is the map.

Another one would give every camera that is touched another id: to readers it is gone, and what
they and OpenStreetMap link to with it.
"""

from functools import partial
from pathlib import Path
from typing import Final

from scanner.errors import UsageError
from scanner.hub import keys
from scanner.hub.mapping import Name
from scanner.hub.stores import Store

NAMED_BY: Final = "named by"  # in the meta: the mark of the secret
LOOKED_AT: Final = 100  # cameras of a map from before there was a mark
_HINT: Final = "--data names their folder; `scanner hub rebuild --rename` if they are lost"


def name_of(store: Store, data: Path, *, make: bool = False) -> Name:
    """What names the cameras of a map, by the secret in ``data``.

    ``make``: a hub that has neither a secret nor cameras gets one. Raises UsageError if the secret
    is not there, or is not the one that the map's cameras have their names from; StoreError.
    """
    begun = _mark(store) is not None or bool(store.cameras(limit=1))
    if begun or not make:
        look_for_keys(data)
    secret = keys.load_naming(data)
    name = partial(keys.camera_id, secret)
    mark = keys.naming_mark(secret)
    if _mark(store) is None:
        with store.transaction():
            store.hold_map(alone=True)  # two that begin at once must agree on one
            if _mark(store) is None and _named_by(store, name):
                store.put_meta(NAMED_BY, mark)
    if _mark(store) != mark:
        raise UsageError(f"{data}: not the keys that this map's cameras are named by", hint=_HINT)
    return name


def look_for_keys(data: Path) -> None:
    """Raise UsageError if there are no keys of a hub in a folder: who asks must not make any."""
    if not keys.has_naming(data):
        raise UsageError(f"{data}: no keys of a hub are there", hint=_HINT)


def adopt(store: Store, data: Path) -> None:
    """From now on the map's cameras are named by the secret in ``data``."""
    with store.transaction():
        store.put_meta(NAMED_BY, keys.naming_mark(keys.load_naming(data)))


def _mark(store: Store) -> str | None:
    return store.get_meta(NAMED_BY)


def _named_by(store: Store, name: Name) -> bool:
    """Whether most cameras have their ids from it: a few may have got theirs from another."""
    some = store.cameras(limit=LOOKED_AT)
    first = [(s.id, s.camera.members[0]) for s in some]
    return 2 * sum(i == name(m.record_id, m.index) for i, m in first) >= len(first)
