"""An update is taken whole and signed, or not at all; whatever happens, a whole system starts."""

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Targets
from tuf.ngclient import FetcherInterface

from firmware.keys import signer
from scanner.cli import main
from scanner.errors import BrokerError, ScannerError, StoreError
from scanner.slots import Running, Slot, confirm
from scanner.updating import Refused, Source, install, not_before
from tests.firmware.cards import KINDS, NOW, OLD, RUNNING, Card, Kind, Makers
from tests.firmware.power import PowerCut, arm, disarm

NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Makers:
    makers = Makers(tmp_path_factory.mktemp("makers"))
    assert makers.offer(OLD + 1)
    return makers


@pytest.fixture
def makers(made: Makers, tmp_path: Path) -> Makers:
    """A copy to spoil."""
    folder = tmp_path / "makers"
    shutil.copytree(made.folder, folder)
    copy = object.__new__(Makers)
    copy.__dict__.update(made.__dict__)
    copy.folder, copy.repo = folder, folder / "repo"
    copy.repository = type(made.repository)(copy.repo, NOW)
    return copy


def update(card: Card, makers: Makers, state: Path) -> Slot:
    return install(makers.source(state), card.slots(), card.places(), RUNNING)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_is_tried_once_and_kept_when_all_is_well(
    kind: Kind, makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, kind)
    assert update(card, makers, tmp_path / "state") == "b"
    assert card.start(trying=True) == OLD + 1
    assert confirm(card.slots(), "b", OLD + 1, failed=NONE, before=NONE)
    assert [card.start() for _ in range(3)] == [OLD + 1] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_hangs_or_loses_power_while_it_is_tried_is_not_tried_again(
    kind: Kind, makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, kind)
    update(card, makers, tmp_path / "state")
    assert card.start(trying=True) == OLD + 1
    assert [card.start() for _ in range(3)] == [OLD] * 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("failed", "before", "kept"),
    [
        (NONE, NONE, True),
        ({"gnss"}, {"gnss", "lens"}, True),
        ({"model"}, NONE, False),
        ({"gnss", "model"}, {"gnss"}, False),
    ],
)
def test_it_is_kept_only_if_nothing_fails_that_did_not_fail_before(
    *, kind: Kind, failed: set[str], before: set[str], kept: bool, makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, kind)
    update(card, makers, tmp_path / "state")
    card.start(trying=True)
    told = confirm(card.slots(), "b", OLD + 1, failed=frozenset(failed), before=frozenset(before))
    assert told is kept
    assert card.start() == (OLD + 1 if kept else OLD)


@pytest.mark.parametrize("kind", KINDS)
def test_the_one_after_goes_into_the_first_slot_again(
    kind: Kind, makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, kind)
    update(card, makers, tmp_path / "state")
    card.start(trying=True)
    confirm(card.slots(), "b", OLD + 1, failed=NONE, before=NONE)
    makers.offer(OLD + 2)
    running = Running(target="test", release=OLD + 1, built=0)
    source = makers.source(tmp_path / "state")
    assert install(source, card.slots(), card.places(), running)[0] == "a"
    assert card.start(trying=True) == OLD + 2
    assert card.start() == OLD + 1


def test_what_a_person_wrote_into_the_settings_of_the_firmware_stays(
    makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, "tryboot")
    update(card, makers, tmp_path / "state")
    confirm(card.slots(), "b", OLD + 1, failed=NONE, before=NONE)
    assert (card.boot / "config.txt").read_text() == "os_prefix=b/\ndtoverlay=disable-wifi\n"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def tampered_root(makers: Makers) -> None:
    (packed,) = makers.repo.glob("targets/test/*/*.root.squashfs")
    flip(packed, 1_000)


def tampered_kernel(makers: Makers) -> None:
    (kernel,) = makers.repo.glob("targets/test/*/boot/*.vmlinuz")
    flip(kernel, 5)


def longer_root(makers: Makers) -> None:
    (packed,) = makers.repo.glob("targets/test/*/*.root.squashfs")
    packed.write_bytes(packed.read_bytes() + b"more")


def half_a_root(makers: Makers) -> None:
    (packed,) = makers.repo.glob("targets/test/*/*.root.squashfs")
    packed.write_bytes(packed.read_bytes()[:2_000])


def missing_kernel(makers: Makers) -> None:
    (kernel,) = makers.repo.glob("targets/test/*/boot/*.vmlinuz")
    kernel.unlink()


def tampered_release(makers: Makers) -> None:
    (path,) = makers.repo.glob("targets/*.release.json")
    path.write_text(path.read_text().replace(f"{OLD + 1}", f"{OLD + 9}"))


def tampered_targets(makers: Makers) -> None:
    path = makers.repo / "metadata/2.targets.json"
    told = json.loads(path.read_bytes())
    told["signed"]["targets"]["release.json"]["length"] += 1
    path.write_text(json.dumps(told))


def one_signature(makers: Makers) -> None:
    path = makers.repo / "metadata/2.targets.json"
    told = json.loads(path.read_bytes())
    told["signatures"] = told["signatures"][:1]
    path.write_text(json.dumps(told))


def one_maintainer_twice(makers: Makers) -> None:
    path = makers.repo / "metadata/2.targets.json"
    told = json.loads(path.read_bytes())
    told["signatures"] = told["signatures"][:1] * 2
    path.write_text(json.dumps(told))


def strangers(makers: Makers) -> None:
    other = Makers(makers.folder / "others")
    other.offer(OLD + 1)
    shutil.rmtree(makers.repo)
    shutil.copytree(other.repo, makers.repo)


def for_another_board(makers: Makers) -> None:
    makers.offer(OLD + 1, target="another")


def the_same_release(makers: Makers) -> None:
    makers.offer(OLD)


def no_metadata(makers: Makers) -> None:
    shutil.rmtree(makers.repo / "metadata")


def garbage(makers: Makers) -> None:
    (makers.repo / "metadata/timestamp.json").write_bytes(b"\xff{not json")


SPOILED = {
    tampered_root: (Refused, "root.squashfs: not the bytes that were signed"),
    tampered_kernel: (Refused, "vmlinuz: not the bytes that were signed"),
    longer_root: (Refused, "not the bytes that were signed"),
    half_a_root: (Refused, "not the bytes that were signed"),
    missing_kernel: (BrokerError, "cannot be fetched"),
    tampered_release: (Refused, "not the bytes that were signed"),
    tampered_targets: (Refused, "not signed by enough of the keys"),
    one_signature: (Refused, "not signed by enough of the keys"),
    one_maintainer_twice: (Refused, "metadata is damaged"),
    strangers: (Refused, "not signed by enough of the keys"),
    for_another_board: (Refused, "the update is for another, this is test"),
    the_same_release: (Refused, f"release {OLD} is not newer than {OLD}"),
    no_metadata: (BrokerError, "cannot be fetched"),
    garbage: (Refused, "metadata is damaged"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoil", SPOILED, ids=lambda f: f.__name__.replace("_", " "))
def test_what_is_not_as_it_was_signed_is_refused_with_its_reason(
    kind: Kind, spoil: object, makers: Makers, tmp_path: Path
) -> None:
    error, reason = SPOILED[spoil]  # type: ignore[index]
    spoil(makers)  # type: ignore[operator]
    card = Card(tmp_path, kind)
    with pytest.raises(error, match=reason):
        update(card, makers, tmp_path / "state")
    assert [card.start(trying=True), card.start()] == [OLD, OLD]


def test_an_older_list_than_was_seen_before_is_refused(makers: Makers, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(makers.repo, before)
    makers.offer(OLD + 2)
    makers.source(tmp_path / "state")
    shutil.rmtree(makers.repo)
    before.rename(makers.repo)
    with pytest.raises(Refused, match="older than what was seen before"):
        makers.source(tmp_path / "state")


@pytest.mark.parametrize(("days", "good"), [(29, True), (31, False)])
def test_signatures_expire(*, days: int, good: bool, tmp_path: Path) -> None:
    makers = Makers(tmp_path / "makers", now=NOW - dt.timedelta(days=days))
    makers.offer(OLD + 1)
    if good:
        assert makers.source(tmp_path / "state").release().release == OLD + 1
    else:
        with pytest.raises(Refused, match="have expired"):
            makers.source(tmp_path / "state")


def test_keys_can_be_changed_by_those_who_hold_the_old_ones(makers: Makers, tmp_path: Path) -> None:
    newer = Makers(tmp_path / "newer")
    metadata = Metadata[Root].from_bytes(makers.root)
    root = metadata.signed
    root.version = 2
    key = Metadata[Root].from_bytes(newer.root).signed
    root.keys |= key.keys
    root.roles["targets"].keyids = list(key.roles["targets"].keyids)
    metadata.signatures.clear()
    for path in makers.keys[:2]:
        metadata.sign(signer(path), append=True)
    metadata.to_file(str(makers.repo / "metadata/2.root.json"))
    with pytest.raises(Refused, match="not signed by enough"):
        makers.source(tmp_path / "state")
    targets = Metadata[Targets].from_file(str(makers.repo / "metadata/2.targets.json"))
    targets.signatures.clear()
    for path in newer.keys[1:]:
        targets.sign(signer(path), append=True)
    targets.to_file(str(makers.repo / "metadata/2.targets.json"))
    assert makers.source(tmp_path / "state").release().release == OLD + 1


def test_with_too_few_signatures_it_waits_and_is_seen_when_another_signs(
    makers: Makers, tmp_path: Path
) -> None:
    assert not makers.offer(OLD + 2, keys=1)
    assert makers.repository.sign([makers.keys[2]], makers.online)
    assert makers.source(tmp_path / "state").release().release == OLD + 2


def test_a_clock_before_the_building_of_the_system_decides_nothing() -> None:
    built = Running(target="test", release=1, built=int(NOW.timestamp()))
    not_before(built, NOW + dt.timedelta(seconds=1))
    with pytest.raises(Refused, match="the clock"):
        not_before(built, NOW - dt.timedelta(days=400))


class CutFetcher(FetcherInterface):
    """Loses its power after so many bytes of targets."""

    def __init__(self, after: int) -> None:
        self.left = after

    def _fetch(self, url: str) -> Iterator[bytes]:
        content = Path(url.removeprefix("file://")).read_bytes()
        for at in range(0, len(content), 64):
            chunk = content[at : at + 64]
            if "/targets/test" in url:
                if self.left < len(chunk):
                    yield chunk[: self.left]
                    raise PowerCut
                self.left -= len(chunk)
            yield chunk


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False], ids=["empty slot", "slot with an older system"])
def test_power_lost_at_any_byte_of_an_update_leaves_what_ran_before(
    *, kind: Kind, first: bool, makers: Makers, tmp_path: Path
) -> None:
    whole = 0
    for after in range(0, 4_500, 37):
        folder = tmp_path / f"card-{after}"
        folder.mkdir()
        card = Card(folder, kind)
        if not first:
            update(card, makers, tmp_path / "state")  # left in b, tried and not kept
            card.start(trying=True)
        source = makers.source(tmp_path / "state")
        source._fetcher = CutFetcher(after)
        try:
            install(source, card.slots(), card.places(), RUNNING)
        except PowerCut:
            assert [card.start(trying=True), card.start()] == [OLD, OLD], after
            # And it can be done again, to the end.
            update(card, makers, tmp_path / "state")
        whole += 1
        assert card.start(trying=True) == OLD + 1, after
        assert card.start() == OLD, after
        shutil.rmtree(folder)
    assert whole == 122


@pytest.mark.parametrize("kind", KINDS)
def test_power_lost_between_any_two_steps_leaves_a_whole_system(
    kind: Kind, makers: Makers, tmp_path: Path
) -> None:
    ended, steps = False, 0
    while not ended:
        folder = tmp_path / f"card-{steps}"
        folder.mkdir()
        card = Card(folder, kind)
        arm(steps, folder)
        try:
            update(card, makers, tmp_path / "state")
            confirm(card.slots(), "b", OLD + 1, failed=NONE, before=NONE)
            ended = True
        except PowerCut:
            pass
        disarm()
        assert card.start(trying=True) in (OLD, OLD + 1), steps
        assert card.start() in (OLD, OLD + 1), steps
        # Every way on from here ends in the new one.
        if not ended and card.slots().kept() == "a":
            update(card, makers, tmp_path / "state")
            assert card.start(trying=True) == OLD + 1
            assert confirm(card.slots(), "b", OLD + 1, failed=NONE, before=NONE)
        assert card.start() == OLD + 1, steps
        steps += 1
    assert steps > 15


def test_a_slot_that_is_too_small_is_left_alone(makers: Makers, tmp_path: Path) -> None:
    card = Card(tmp_path, "tryboot")
    card.roots["b"].write_bytes(b"x" * 100)
    with pytest.raises(Refused, match="the slot 100"):
        update(card, makers, tmp_path / "state")
    assert card.roots["b"].read_bytes() == b"x" * 100


def test_the_slot_that_runs_cannot_be_closed(tmp_path: Path) -> None:
    for kind in KINDS:
        card = Card(tmp_path / kind, kind)
        with pytest.raises(StoreError, match="is the one that starts"):
            card.slots().close("a")


def test_settings_of_the_firmware_without_a_slot_are_told(tmp_path: Path) -> None:
    card = Card(tmp_path, "tryboot")
    (card.boot / "config.txt").write_text("arm_64bit=1\n")
    with pytest.raises(ScannerError, match="names no slot"):
        card.slots().kept()


def test_a_name_that_leads_out_of_the_slot_is_refused(makers: Makers, tmp_path: Path) -> None:
    payload = makers.folder / f"payload-{OLD + 1}"
    told = json.loads((payload / "release.json").read_bytes())
    told["boot"]["../config.txt"] = told["boot"]["vmlinuz"]
    (payload / "release.json").write_text(json.dumps(told))
    makers.repository.add(payload, makers.keys[:2], makers.online)
    with pytest.raises(Refused, match="no name below a slot"):
        Source(makers.repo.as_uri(), root=makers.root, state=tmp_path / "state").release()


class Device:
    """A card as the command finds it, with the image's own files."""

    def __init__(self, folder: Path, root: bytes) -> None:
        self.card = Card(folder / "card", "tryboot")
        self.folder, self.system = folder, folder / "system"
        self.system.mkdir()
        (self.system / "root.json").write_bytes(root)
        (self.system / "release.json").write_text(
            f'{{"target": "test", "release": {OLD}, "built": 0}}'
        )
        self.runs("a")
        for slot, number in (("a", 2), ("b", 3)):
            self.card.roots[slot] = self.card.roots[slot].rename(folder / f"card/p{number}")

    def runs(self, slot: Slot) -> None:
        (self.folder / "env").write_text(f"PART={self.folder}/card/p\nSLOT={slot}\n")

    def update(self, *words: object) -> int:
        places = {"--boot": self.card.boot, "--state": self.folder / "state"}
        places |= {"--system": self.system, "--env": self.folder / "env"}
        pairs = [str(word) for pair in places.items() for word in pair]
        return main(["update", *map(str, words), "--stay", "--seconds", "1", *pairs])


@pytest.fixture
def device(makers: Makers, tmp_path: Path) -> Device:
    return Device(tmp_path, makers.root)


def test_the_command_updates_from_a_folder(device: Device, makers: Makers) -> None:
    assert device.update(makers.repo) == 0
    assert device.card.start(trying=True) == OLD + 1
    device.runs("b")
    assert device.update("--confirm") == 0
    assert device.card.start() == OLD + 1


def test_what_is_offered_on_the_boot_partition_is_taken_and_removed(
    device: Device, makers: Makers
) -> None:
    shutil.copytree(makers.repo, device.card.boot / "update")
    assert device.update("--offered") == 0
    assert not (device.card.boot / "update").exists()
    assert device.card.start(trying=True) == OLD + 1
    assert device.update("--offered") == 0  # nothing there: nothing to do


def test_what_is_refused_there_stays_with_its_reason(device: Device, makers: Makers) -> None:
    tampered_kernel(makers)
    shutil.copytree(makers.repo, device.card.boot / "update")
    assert device.update("--offered") == Refused.exit_code
    said = (device.card.boot / "update-problem.txt").read_text()
    assert "not the bytes that were signed" in said
    assert device.card.start(trying=True) == OLD


def test_a_system_on_trial_is_not_overwritten(
    device: Device, makers: Makers, capsys: pytest.CaptureFixture[str]
) -> None:
    device.runs("b")
    assert device.update(makers.repo) == 2
    assert "on trial" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "say where the update lies"),
        (["http://example.org/"], "by https or from a folder"),
        (["/nowhere"], "no folder with an update"),
        (["x", "--confirm"], "say where the update lies"),
    ],
)
def test_the_command_says_what_it_wants(
    words: list[str], reason: str, device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert device.update(*words) == 2
    assert reason in capsys.readouterr().err


def test_elsewhere_than_on_the_image_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["update", "/x", "--system", str(tmp_path)]) == 2
    assert "not the flashable image" in capsys.readouterr().err


class Forgetful(CutFetcher):
    """The card loses a byte of the root while the kernel is written."""

    def __init__(self, root: Path) -> None:
        super().__init__(1_000_000)
        self.root = root

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url.endswith("vmlinuz"):
            flip(self.root, 10)
        return super()._fetch(url)


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_that_gives_back_other_bytes_is_not_started_from(
    kind: Kind, makers: Makers, tmp_path: Path
) -> None:
    card = Card(tmp_path, kind)
    source = makers.source(tmp_path / "state")
    source._fetcher = Forgetful(card.roots["b"])
    with pytest.raises(StoreError, match="reads other than it was written"):
        install(source, card.slots(), card.places(), RUNNING)
    assert [card.start(trying=True), card.start()] == [OLD, OLD]


def test_files_of_an_older_kernel_do_not_stay(makers: Makers, tmp_path: Path) -> None:
    card = Card(tmp_path, "tryboot")
    (card.boot / "b/overlays").mkdir()
    (card.boot / "b/overlays/old.dtbo").write_bytes(b"of a release long ago")
    update(card, makers, tmp_path / "state")
    assert card.start(trying=True) == OLD + 1
