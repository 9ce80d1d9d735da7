"""A release is seen by devices when enough maintainers have signed it, all of it at once."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.updating import Source
from tests.firmware.cards import OLD, Makers, content
from tests.firmware.power import PowerCut, arm, disarm

NEW = OLD + 1


@pytest.fixture
def makers(tmp_path: Path) -> Makers:
    return with_a_release(tmp_path / "makers")


def with_a_release(folder: Path) -> Makers:
    makers = Makers(folder)
    assert makers.offer(OLD)
    return makers


def whole(source: Source) -> int:
    """The release that a device is offered; every byte of it is read."""
    release = source.release()
    root, files = content(release.release)
    assert b"".join(source.read(release.root)) == root
    assert {n: b"".join(source.read(at)) for n, at in release.boot.items()} == files
    return release.release


def seen(makers: Makers, state: Path) -> int:
    """By a device that keeps what it saw in ``state``, and by one that never saw any."""
    fresh = state.with_name("fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    number = whole(makers.source(state))
    assert whole(makers.source(fresh)) == number
    return number


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_before_the_second_signature_devices_see_the_release_before(
    makers: Makers, tmp_path: Path
) -> None:
    before = files(makers.repo)
    assert not makers.offer(NEW, keys=1)
    there = files(makers.repo)
    assert {
        name for name in there.keys() - before.keys() if not name.startswith("staged/")
    } == set()
    assert {name: there[name] for name in before} == before
    assert seen(makers, tmp_path / "state") == OLD
    assert makers.repository.refresh(makers.online)
    assert seen(makers, tmp_path / "state") == OLD
    assert makers.repository.sign(makers.keys[2:], makers.online)
    assert seen(makers, tmp_path / "state") == NEW
    assert not (makers.repo / "staged").exists()


def test_what_is_signed_where_the_online_key_is_not_is_seen_after_a_refresh(
    makers: Makers, tmp_path: Path
) -> None:
    makers.offer(NEW, keys=1)
    makers.repository.sign(makers.keys[1:2], None)
    assert seen(makers, tmp_path / "state") == OLD
    makers.repository.refresh(makers.online)
    assert seen(makers, tmp_path / "state") == NEW


def test_a_device_amid_an_old_release_reads_it_to_its_end(makers: Makers, tmp_path: Path) -> None:
    source = makers.source(tmp_path / "state")
    assert makers.offer(NEW)
    assert whole(source) == OLD


def added(makers: Makers) -> Callable[[], object]:
    return lambda: makers.offer(NEW)


def signed(makers: Makers) -> Callable[[], object]:
    assert not makers.offer(NEW, keys=1)
    return lambda: makers.repository.sign(makers.keys[1:2], makers.online)


@pytest.mark.parametrize("prepare", [added, signed])
def test_killed_between_any_two_steps_devices_see_one_release_or_the_other(
    prepare: Callable[[Makers], Callable[[], object]], tmp_path: Path
) -> None:
    between: list[int] = []
    ended = False
    while not ended:
        folder = tmp_path / f"{len(between)}"
        makers, state = with_a_release(folder / "makers"), folder / "state"
        assert seen(makers, state) == OLD
        publish = prepare(makers)
        arm(len(between), makers.repo)
        try:
            publish()
            ended = True
        except PowerCut:
            pass
        finally:
            disarm()
        between.append(seen(makers, state))
        # Again, if it was not merely the clearing away that is missing.
        with contextlib.suppress(UsageError) if between[-1] == NEW else contextlib.nullcontext():
            publish()
        assert seen(makers, state) == NEW, len(between)
        shutil.rmtree(folder)
    assert between == sorted(between)
    assert between.count(OLD) > 15


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_what_changed_while_it_waited_is_not_published(
    spoil: Callable[[Path], object], makers: Makers, tmp_path: Path
) -> None:
    makers.offer(NEW, keys=1)
    (kernel,) = makers.repo.glob("staged/targets/test/*/boot/*.vmlinuz")
    spoil(kernel)
    with pytest.raises(UsageError, match="vmlinuz: not what was signed"):
        makers.repository.sign(makers.keys[1:2], makers.online)
    assert seen(makers, tmp_path / "state") == OLD
    assert makers.offer(NEW)
    assert seen(makers, tmp_path / "state") == NEW


def test_a_stranger_s_online_key_changes_nothing(makers: Makers, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not signed by enough of the keys"):
        makers.repository.refresh(makers.keys[0])
    assert seen(makers, tmp_path / "state") == OLD


@pytest.mark.parametrize(
    ("repo", "payload", "reason"),
    [
        ("repo", "typo/payload", "typo/payload: no release.json in it"),
        ("repo", "payload-100/test", "payload-100/test: no release.json in it"),
        ("typo", "payload-100", "typo is no repository"),
    ],
)
def test_a_folder_that_is_not_what_it_should_be_is_refused_in_one_line(
    repo: str, payload: str, reason: str, makers: Makers, tmp_path: Path
) -> None:
    before = files(makers.folder)
    told = subprocess.run(
        [sys.executable, "-m", "firmware.release", "add", makers.folder / repo,
         makers.folder / payload, "--keys", *makers.keys[:2], "--online", makers.online],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert told.returncode == UsageError.exit_code
    (line,) = told.stderr.splitlines()
    assert reason in line
    assert files(makers.folder) == before
    assert seen(makers, tmp_path / "state") == OLD
