"""A card that fills up: run inside a mount namespace on a small tmpfs.

    mount -t tmpfs -o size=600k tmpfs DIR && python -m tests.helpers.full DIR

Prints a JSON object.
"""

import datetime as dt
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from nacl.public import PrivateKey

from scanner.core.privacy import OPEN
from scanner.core.wire import SEALED_BYTES
from scanner.enrolment import month_of
from scanner.errors import StoreError
from scanner.records import Covariance, Kind, Sighting
from scanner.relay import SENDING, Relay
from scanner.replay.standins import ConsolePanel, RecordingPublisher
from scanner.reporting import Sealer
from scanner.sealing import Sealing, open_own
from scanner.storage.known import Known
from scanner.storage.outbox import FILE_NAME, OWN_FOLDER, Outbox
from scanner.storage.tokens import Asked, Tokens, good_months
from tests.helpers.street import stroll

PAGE = 4096
NOON_S = 1_790_000_000.0
SITES = 6
TOKENS = 20
RECORDS = 12


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


class Carried:
    """A device's data folder with tokens, copies for the finder, and all that writes there."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.key, self.own_key = PrivateKey.generate(), PrivateKey.generate()
        with closing(Tokens(folder)) as tokens:
            tokens.receive([(asked(n), b"%296d" % n) for n in range(TOKENS)])
        self.tokens = stack.enter_context(closing(Tokens(folder)))
        self.own = stack.enter_context(closing(Outbox(folder / OWN_FOLDER)))
        self.store = stack.enter_context(closing(Outbox(folder)))
        seal = Sealing(
            self.key.public_key,
            token=lambda days: self.tokens.spend(good_months(days)),
            own_key=self.own_key.public_key,
            keep=self.own.add,
        )
        known = stack.enter_context(closing(Known(folder, OPEN)))
        self.sealer = Sealer(self.store, seal, OPEN, model="t", uniform=lambda: 0.5, known=known)
        self.refused: list[str] = []

    def pass_by(self, *numbers: int) -> None:
        """Sites are found, on a card that may be full."""
        self.sealer.take([[found(n)] for n in numbers], NOON_S, 0)
        try:
            self.sealer.keep()
        except StoreError as e:
            self.refused.append(str(e))

    def reported(self) -> tuple[list[int], list[bytes], list[int]]:
        """Sites by number and their tokens, of the records on the card; and of the copies."""
        records, _ = open_own([w.payload for w in self.store.waiting()], self.key)
        copies, _ = open_own([w.payload for w in self.own.waiting()], self.own_key)
        sites, copied = (
            sorted(round(r.cameras[0].lat_e7 / 1e5) for r in some) for some in (records, copies)
        )
        return sites, [r.cohort for r in records], copied

    def remembered(self) -> set[int]:
        """Sites that the card says were reported."""
        with closing(Known(self.folder, OPEN)) as known:
            seen = known.at(NOON_S)
            return {n for n in range(SITES) if seen.has(found(n).lat_deg, found(n).lon_deg)}


def asked(number: int) -> Asked:
    """A request for a token that is good at noon."""
    month = month_of(dt.datetime.fromtimestamp(NOON_S, dt.UTC).date())
    return Asked(month=month, modulus=b"", blinded=b"%d" % number, prepared=b"", inverse=b"")


def found(number: int) -> Sighting:
    """The camera of one site."""
    return Sighting(
        kind=Kind.DOME, score=0.9, lat_deg=number / 100, lon_deg=4.9, height_m=3.0,
        relative=Covariance(1.0, 0.0, 1.0), common_sigma_m=3.0, frames=(1, 2, 3), at_ns=0,
    )  # fmt: skip


def hold(folder: Path) -> dict[str, object]:
    """Sites found with 0, 1, 2 ... pages free, with tokens; then some space again."""
    wrong: list[str] = []
    refused: set[str] = set()
    for pages in range(14):
        data = folder / f"held-{pages}"
        with ExitStack() as stack:
            device = Carried(data, stack)
            fill(folder, pages * PAGE)
            for pair in ((0, 1), (2, 3), (4, 5)):
                device.pass_by(*pair)
                if not device.remembered() <= set(device.reported()[0]):
                    wrong.append(f"{pages}: remembered without a record")
            refused |= {text.partition(":")[0].removeprefix(f"{data}/") for text in device.refused}
            (folder / "ballast").unlink()
            device.pass_by()
            sites, spent, copied = device.reported()
            left = sum(device.tokens.counts().values())
            if not sites == copied == sorted(device.remembered()) == list(range(SITES)):
                wrong.append(f"{pages}: {sites} reported, {copied} copied")
            if len({*spent, b""}) - 1 != SITES or left != TOKENS - SITES:
                wrong.append(f"{pages}: {len(set(spent))} tokens for {len(spent)}, {left} left")
        shutil.rmtree(data)
    return {"wrong": wrong, "refused_by": sorted(refused)}


def send(folder: Path, profile: str) -> dict[str, int]:
    """A relay on a full card; then some space again."""
    line = RecordingPublisher()
    with closing(Outbox(folder / profile)) as store:
        for _ in range(RECORDS):
            store.add(os.urandom(SEALED_BYTES))
        store.settle()
        fill(folder, 0)
        relay = Relay(
            *(store, line, SENDING[profile]), now_s=lambda: NOON_S, uniform=random.random
        )  # fmt: skip
        turns = iter(range(2 * RECORDS))
        relay.run(lambda _: next(turns, None) is None)
        stuck = len(store.waiting())
        (folder / "ballast").unlink()
        store.add(os.urandom(SEALED_BYTES))
        relay.drain()
        left = len(store.waiting())
    shutil.rmtree(folder / profile)
    return {
        "publishes": len(line.published),
        "different": len(set(line.published)),
        "stuck": stuck,
        "left": left,
    }


def start(folder: Path) -> tuple[int, str]:
    """What `scanner watch` ends with, and says, where the card was full before it began."""
    with closing(Outbox(folder / "start")) as store:
        store.add(os.urandom(SEALED_BYTES))
    fill(folder, 0)
    settings = folder.parent / "full.toml"
    settings.write_text("")
    command: list[str | Path] = [sys.executable, "-m", "scanner", "watch", "--config", settings]
    command += ["--data", folder / "start"]
    watch = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    (folder / "ballast").unlink()
    shutil.rmtree(folder / "start")
    return watch.returncode, watch.stderr


def main() -> None:
    """Sweep without and with tokens, send, start, then walk where not even one record has room.

    The folder is the whole file system; beside it lie settings.
    """
    folder = Path(sys.argv[1])
    result: dict[str, object] = {**sweep(folder), **hold(folder)}
    result["sent"] = {profile: send(folder, profile) for profile in ("open", "careful")}
    result["start"] = start(folder)
    said = io.StringIO()
    with closing(Outbox(folder / "walk")) as store:
        store.add(os.urandom(SEALED_BYTES))
        store.settle()  # its log takes no space that the walk could have
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
