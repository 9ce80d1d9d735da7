"""The image starts, takes its settings, walks and delivers; and does so after power cuts.

By `make test-image`, with boot_update.py. Emulated wholly: no part of it runs on this machine's
processor. IMAGE names an unpacked image, CUTS the number of power cuts over all phases.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from scanner.core.wire import record_id
from scanner.sealing import unseal
from tests.firmware.conftest import ROOT, Walked
from tests.firmware.cuts import again, announced, share, told, vanished
from tests.firmware.machine import DATA
from tests.helpers.forms import by_chance, forms_of, hits

BLOCK: Final = 4096
INSTANTS: Final = [(phase, n) for phase in ("first start", "walk") for n in range(share(phase))]


def test_the_walk_is_delivered_to_a_broker_outside(walked: Walked) -> None:
    print(f"\n{len(walked.records)} records, {walked.took_s:.0f} s from the switch to the last")
    assert len(walked.records) >= 2, walked.said[-6000:]
    for sealed in walked.records:
        assert unseal(sealed, walked.key).cameras


def test_all_that_the_walk_counted_has_come_and_nothing_else(walked: Walked) -> None:
    ids = {record_id(sealed) for sealed in walked.records}
    assert len(ids) == walked.counted
    for cut in walked.cuts:
        assert cut.outbox <= ids


def test_what_was_announced_or_lay_on_the_card_once_lay_there_later(walked: Walked) -> None:
    assert announced(walked.said) >= 1
    for cut in walked.cuts:
        assert len(cut.outbox) >= announced(cut.said)
    assert vanished(walked.cuts) == frozenset()


@pytest.mark.parametrize(("phase", "number"), INSTANTS)
def test_after_a_power_cut_it_starts_and_delivers(
    phase: str, number: int, walked: Walked, folder: Path
) -> None:
    cut = [c for c in walked.cuts if c.phase == phase][number]
    then = again(cut, folder, walked.port)
    print(told(cut, then))
    assert then.up, then.said[-6000:]
    assert then.slot == "a"
    assert cut.outbox <= then.delivered
    assert cut.card.settings(folder) == walked.settings
    assert "scanner.toml" not in cut.card.names()
    assert "scanner-problem.txt" not in cut.card.names()
    cut.card.path.unlink()


def test_the_settings_have_left_the_boot_partition(walked: Walked) -> None:
    names = walked.after.names()
    assert "scanner.toml" not in names
    assert "scanner-taken.txt" in names
    assert "scanner-problem.txt" not in names


def test_the_data_partition_holds_no_picture_and_no_position(walked: Walked, folder: Path) -> None:
    data = walked.after.partition(DATA, folder / "data.img")
    assert data, "no data partition was made"
    content = {"data partition": b"".join(written(data))}
    assert len(content["data partition"]) > BLOCK
    forms = forms_of(places())
    assert hits(content, forms) == []
    found, expected = by_chance(content, forms)
    assert found <= 2 + 5 * expected


def places() -> list[tuple[float, float]]:
    """Where the walk went and where its cameras are."""
    track = (ROOT / "scanner/demo/walk.gpx").read_text()
    walk = re.findall(r'<trkpt lat="([-0-9.]+)" lon="([-0-9.]+)"', track)
    truth = json.loads((ROOT / "scanner/demo/truth.geojson").read_text())["features"]
    cameras = [f["geometry"]["coordinates"] for f in truth]
    assert len(walk) > 10
    return [*((float(a), float(b)) for a, b in walk), *((c[1], c[0]) for c in cameras)]


def written(path: Path) -> Iterator[bytes]:
    """What is not empty of a partition."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if block.strip(b"\0"):
                yield block


def test_both_services_run_as_they_are_shipped(walked: Walked) -> None:
    for name in ("watch", "relay", "firstboot", "data"):
        assert f"scanner-{name}" in walked.said
    assert "FAILED" not in walked.said
    assert "scanner: slot a" in walked.said
