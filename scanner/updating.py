"""A signed update into the slot that is not running, and the way back.

Which bytes are the release is said by TUF metadata (theupdateframework.github.io): a root of keys
that is in the image, a threshold of them for a release, version numbers that never go down,
and days after which they no longer count. What is said is checked before a byte of it is used, and
the slot is read back and compared before it may start.

The order of what is written is what makes an interruption harmless: the slot is closed, its root
and its kernel are written and read back, and one rename lets it be tried once.
"""

import datetime as dt
import hashlib
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from tuf.api import exceptions as tuf
from tuf.api.metadata import Metadata, Root, TargetFile  # type: ignore[attr-defined]
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from scanner.disk import settle
from scanner.errors import UNREADABLE, BrokerError, ScannerError, StoreError, UsageError
from scanner.slots import Place, Running, Slot, Slots, other

LATEST: Final = "release.json"
CHUNK: Final = 1 << 20
# Where the clock was never set, nothing can be said to have expired.
EARLY: Final = "the clock is before the day this system was built"


class Refused(ScannerError):  # noqa: N818 - what happened to the update
    """An update that is not to be trusted, or not to be used; nothing has changed."""

    exit_code = 76


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``release.json`` of a repository: which signed files make up a slot."""

    target: str
    release: int
    root: str  # name of the packed root among the targets
    boot: dict[str, str]  # name in the slot's folder: name among the targets


def address(file: TargetFile) -> str:
    """Where a signed file lies below ``targets/``: its digest is part of the name.

    So what the next release has under the same name lies beside it.
    """
    folder, slash, name = file.path.rpartition("/")
    return f"{folder}{slash}{file.hashes.get('sha256')}.{name}"


class FolderFetcher(FetcherInterface):
    """A repository on a stick: ``file:///...``."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
        if not path.is_file():
            raise tuf.DownloadHTTPError(f"{path}: no such file", 404)
        return _chunks(path)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


@contextmanager
def reasons() -> Iterator[None]:
    """What TUF found, as one line; anything unknown is refused as well."""
    try:
        yield
    except tuf.ExpiredMetadataError as e:
        raise Refused(
            f"the update's signatures have expired: {e}",
            hint="its makers must sign again; or this clock is wrong",
        ) from e
    except tuf.BadVersionNumberError as e:
        raise Refused(f"older than what was seen before: {e}") from e
    except tuf.EqualVersionNumberError as e:
        raise Refused(f"another file under a version seen before: {e}") from e
    except tuf.UnsignedMetadataError as e:
        raise Refused(f"not signed by enough of the keys that this system trusts: {e}") from e
    except tuf.LengthOrHashMismatchError as e:
        raise Refused(f"not the bytes that were signed: {e}") from e
    except tuf.DownloadError as e:
        cause = e.__cause__ or e
        raise BrokerError(f"the update cannot be fetched: {cause}", hint="try again") from e
    except (tuf.RepositoryError, *UNREADABLE) as e:
        raise Refused(f"the update's metadata is damaged: {e}") from e


class Source:
    """A repository, ``metadata/`` and ``targets/`` below ``url``; ``state`` keeps what was seen.

    ``root`` is the image's own first root.json. Raises Refused, or BrokerError where it is away.
    """

    def __init__(self, url: str, *, root: bytes, state: Path) -> None:
        at = url.rstrip("/")
        self._targets = f"{at}/targets/"
        self._fetcher = FolderFetcher() if at.startswith("file:") else Urllib3Fetcher()
        state.mkdir(parents=True, exist_ok=True)
        with reasons():
            self._updater = Updater(
                str(state), f"{at}/metadata/", fetcher=self._fetcher, bootstrap=root
            )
            self._updater.refresh()

    def release(self) -> Release:
        """What is offered, its signatures checked."""
        text = b"".join(self.read(LATEST))
        try:
            found = msgspec.json.decode(text, type=Release)
        except UNREADABLE as e:
            raise Refused(f"{LATEST}: {e}") from e
        for name in found.boot:
            if name.startswith("/") or ".." in Path(name).parts or "\\" in name:
                raise Refused(f"{LATEST}: {name!r} is no name below a slot's folder")
        return found

    def info(self, name: str) -> TargetFile:
        """Length and digest of a signed file."""
        with reasons():
            found = self._updater.get_targetinfo(name)
        if found is None:
            raise Refused(f"{name} is not among the signed files")
        return found

    def read(self, name: str) -> Iterator[bytes]:
        """A signed file's bytes; at its end Refused if they are not those that were signed."""
        info = self.info(name)
        digest, length = hashlib.sha256(), 0
        with reasons():
            for chunk in self._fetcher.fetch(f"{self._targets}{address(info)}"):
                length += len(chunk)
                if length > info.length:
                    break
                digest.update(chunk)
                yield chunk
        if (length, digest.hexdigest()) != (info.length, info.hashes.get("sha256")):
            raise Refused(f"{name}: not the bytes that were signed")


def not_before(running: Running, now: dt.datetime) -> None:
    """Raise Refused while the clock cannot be right."""
    if now.timestamp() < running.built:
        raise Refused(EARLY, hint="wait for time from the network or from GNSS")


def root_expiry(root: bytes) -> dt.datetime:
    """When the image's own keys must have been renewed."""
    return Metadata[Root].from_bytes(root).signed.expires


def install(
    source: Source,
    slots: Slots,
    places: Mapping[Slot, Place],
    running: Running,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Slot, Release]:
    """Write the other slot and let it be tried once; the slot and what is in it now.

    Raises Refused before anything is written where it is not newer or not for this device, and
    Refused or StoreError while writing; the slot that runs is never touched.
    """
    release = source.release()
    if release.target != running.target:
        raise Refused(f"the update is for {release.target}, this is {running.target}")
    if release.release <= running.release:
        raise Refused(f"release {release.release} is not newer than {running.release}, which runs")
    slot = other(slots.kept())
    place = places[slot]
    _room(source, release, place)
    slots.close(slot)
    tell(f"writing slot {slot}")
    _write_root(source, release.root, place.root)
    _write_boot(source, release.boot, place.boot)
    tell("reading it back")
    verify(source, release, place)
    slots.try_once(slot, release.release)
    return slot, release


def _room(source: Source, release: Release, place: Place) -> None:
    needed = source.info(release.root).length
    with place.root.open("rb") as file:
        there = file.seek(0, os.SEEK_END)
    if needed > there:
        raise Refused(f"the root has {needed} bytes and the slot {there}")


def _write_root(source: Source, name: str, partition: Path) -> None:
    try:
        with partition.open("r+b") as file:
            for chunk in source.read(name):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise _store(partition, e) from e


def _write_boot(source: Source, names: Mapping[str, str], folder: Path) -> None:
    wanted = {folder / name for name in names}
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path not in wanted:
                path.unlink()
        for name, target in names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for chunk in source.read(target):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            settle(path.parent)
    except OSError as e:
        raise _store(folder, e) from e


def _store(path: Path, e: OSError) -> ScannerError:
    # What is wrong with the update itself has been said.
    return e if isinstance(e, ScannerError) else StoreError(f"{path}: {e.strerror or e}")


def verify(source: Source, release: Release, place: Place) -> None:
    """Raise StoreError unless the card gives back what was signed."""
    pairs = [(place.root, release.root)]
    pairs += [(place.boot / name, target) for name, target in release.boot.items()]
    for path, target in pairs:
        info = source.info(target)
        if digest_of(path, info.length) != info.hashes.get("sha256"):
            raise StoreError(
                f"{path}: reads other than it was written", hint="the card may be worn out"
            )


def digest_of(path: Path, length: int) -> str:
    """SHA-256 of the first bytes of a file or a partition, read from the card itself."""
    digest, left = hashlib.sha256(), length
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while left and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return "" if left else digest.hexdigest()


def local(url: str) -> str:
    """A folder's name as a URL; a URL as it is. Raises UsageError."""
    if url.startswith(("https://", "file:///")):
        return url
    if url.startswith("http:"):
        raise UsageError("an update comes by https or from a folder", hint="https://... or a path")
    path = Path(url)
    if not (path / "metadata").is_dir():
        raise UsageError(
            f"{url}: no folder with an update", hint="metadata/ and targets/ lie in it"
        )
    return path.resolve().as_uri()
