"""A card that fills up: run inside a mount namespace on a small tmpfs.

    mount -t tmpfs -o size=600k tmpfs DIR && python -m tests.helpers.full DIR

Prints a JSON object.
"""

import io
import json
import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from nacl.public import PrivateKey

from scanner.core.wire import SEALED_BYTES
from scanner.errors import StoreError
from scanner.replay.standins import ConsolePanel
from scanner.storage.outbox import FILE_NAME, Outbox
from tests.helpers.street import stroll

PAGE = 4096


def fill(folder: Path, leave_bytes: int) -> None:
    """Take all space but so much."""
    with (folder / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    size = (folder / "ballast").stat().st_size
    os.truncate(folder / "ballast", max(0, size - leave_bytes))


def sound(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def sweep(folder: Path) -> dict[str, int]:
    """Records added with 0, 1, 2 ... pages free, until the card is full; then some space again."""
    counts = {"fills": 0, "refused": 0, "lost": 0, "unsound": 0}
    for pages in range(16):
        data = folder / f"{pages}"
        kept = []
        with closing(Outbox(data)) as store:
            kept.append(store.add(os.urandom(SEALED_BYTES)))
            fill(folder, pages * PAGE)
            for _ in range(60):
                try:
                    kept.append(store.add(os.urandom(SEALED_BYTES)))
                except StoreError:
                    counts["refused"] += 1
                    break
            counts["unsound"] += not sound(data)
            counts["lost"] += len(set(kept) - {r.record_id for r in store.waiting()})
            with suppress(StoreError):
                store.remove(kept[0])
            (folder / "ballast").unlink()
            kept.append(store.add(os.urandom(SEALED_BYTES)))
            counts["lost"] += len(set(kept[1:]) - {r.record_id for r in store.waiting()})
        counts["fills"] += 1
        for path in data.iterdir():
            path.unlink()
    return counts


def main() -> None:
    """Sweep, then a walk on a card that is full from its first record on."""
    folder = Path(sys.argv[1])
    result: dict[str, object] = dict(sweep(folder))
    said = io.StringIO()
    with closing(Outbox(folder / "walk")) as store:
        store.add(os.urandom(SEALED_BYTES))
        fill(folder, 12 * PAGE)  # for known.bin, which takes its place at the start
        try:
            stroll(folder / "walk", PrivateKey.generate().public_key, ConsolePanel(said))
        except StoreError as e:
            result["ended"] = str(e)
        result["readable"] = len(store.waiting())
    result["sound"] = sound(folder / "walk")
    result["said"] = said.getvalue().splitlines()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
