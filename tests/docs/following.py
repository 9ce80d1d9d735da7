"""A page from top to bottom, as a story."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from scanner.hub import keys
from scanner.hub.stores import open_store
from scanner.sealing import seal
from scanner.storage.outbox import Outbox
from tests.docs.excused import reason
from tests.helpers.pages import check, fenced
from tests.helpers.reports import entry, record
from tests.helpers.story import Step, Story

Before = Mapping[str, Callable[[], object]]
PASSPHRASE = "four words of some length\n"  # noqa: S105
TYPED = (("Passphrase", PASSPHRASE), ("Once more", PASSPHRASE))
READY = "key     "  # the last line of `hub serve`


def follow(
    story: Story, page: str, steps: Mapping[str, Step], before: Before | None = None
) -> None:
    """The page from top to bottom; every step and every preparation is for a line that is there."""
    before = before or {}
    used = set()
    for command in fenced(page):
        if reason(command):
            check(command)
            continue
        for beginning, prepare in before.items():
            if command.line.startswith(beginning) and f"before {beginning}" not in used:
                used.add(f"before {beginning}")
                prepare()
        fits = [beginning for beginning in steps if command.line.startswith(beginning)]
        best = max(fits, key=len, default="")
        used.add(best)
        story.run(command, steps.get(best))
    assert used - {""} == {*steps, *(f"before {beginning}" for beginning in before)}


def fill(folder: Path, payload: bytes) -> None:
    """A sealed record that waits in an outbox."""
    with closing(Outbox(folder)) as store:
        store.add(payload)


def sealed_to_newest(hub: Path, east_m: float = 0.0) -> bytes:
    ring = keys.load_ring(hub)
    return seal(record([entry((east_m, 0))]), ring.public[max(ring.public)])


def cameras_in(data: Path) -> list[str]:
    with closing(open_store(data / "hub.sqlite3")) as store:
        return [camera.id for camera in store.cameras()]
