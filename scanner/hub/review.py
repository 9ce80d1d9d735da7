"""A person's word on a camera: it stands against any number of reports, and can be taken back."""

from collections.abc import Callable

from scanner.errors import UsageError
from scanner.hub.mapping import Delta
from scanner.hub.store import Store, Verdict


def confirm(store: Store, camera_id: str, *, reviewer: str, clock: Callable[[], float]) -> Delta:
    """Publish a camera whatever the number of reports. Raises UsageError for an unknown id."""
    return _say(store, camera_id, "confirmed", reviewer, clock)


def reject(store: Store, camera_id: str, *, reviewer: str, clock: Callable[[], float]) -> Delta:
    """Take a camera off the map; later reports do not bring it back."""
    return _say(store, camera_id, "rejected", reviewer, clock)


def withdraw(store: Store, camera_id: str, *, reviewer: str, clock: Callable[[], float]) -> Delta:
    """Undo what was said before; the reports count again."""
    return _say(store, camera_id, "withdrawn", reviewer, clock)


def _say(
    store: Store, camera_id: str, verdict: Verdict, reviewer: str, clock: Callable[[], float]
) -> Delta:
    if not reviewer.strip():
        raise UsageError("a review needs a name", hint="every action must be attributable")
    before = store.camera(camera_id)
    if not before:
        raise UsageError(f"there is no camera {camera_id}")
    with store.transaction():
        store.add_review(camera_id, verdict, reviewer, int(clock()))
    return Delta(before=before, after=store.camera(camera_id))
