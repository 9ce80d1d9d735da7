"""What the hub asks of its database, whichever it is: the values, and the promises.

Records are the truth; the cameras can be made again from them at any time, and with them the
projection, which is what readers see. One object belongs to one thread at a time. Every write
happens inside ``with store.transaction()``; every method may raise StoreError.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.fusing.vicinity import Report
from scanner.core.reviewing.reviewlog import Anchor, Verdict
from scanner.core.wire import Band, Record, Status
from scanner.hub.stores.tiled import Cluster, TilePoint
from scanner.records import Kind

Box = tuple[float, float, float, float]  # west, south, east, north; west > east: over 180 degrees
Verb = Literal[
    "confirm", "reject", "withdraw", "gone", "merge", "split", "move", "tag", "undo", "rollback"
]
CohortState = Literal["trusted", "held", "rolled back"]
ChangeWord = Literal["added", "moved", "updated", "gone", "removed"]

PUBLIC: Final[tuple[Status, ...]] = ("confirmed", "gone")  # what everyone may see
TILE_UNITS: Final = 4096  # side of a vector tile
POINTS_FROM_Z: Final = 13  # below it tiles show counts, not cameras
POOLING: Final = "pooling"  # in the meta: not empty where new records begin in the pool


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the projection: what readers need of a camera without decoding it."""

    id: str
    cell: str  # geohash of 6 characters
    lat_deg: float
    lon_deg: float
    kind: Kind  # as published
    sigma_m: float
    direction_deg: float | None
    status: Status
    confirmations: Band
    first_month: str  # "2026-11"
    last_month: str
    feature: bytes  # JSON of its wire.CameraFeature
    verdict: Verdict | None = None  # the last word of a reviewer that counts


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A camera of the map, decisions applied, with its row of the projection."""

    id: str
    cell: str
    camera: Camera
    verdict: Verdict | None
    cohorts: int = 0  # different cohorts that report it; records without a token are of none
    shown: Shown | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the review log, which is only ever added to."""

    number: int
    at_s: int  # seconds since 1970
    reviewer: str
    verb: Verb
    camera_id: str  # as the camera was called when the action was made
    anchor: Anchor  # immutable: it survives rebuilds and new names
    lat_deg: float  # where the camera was then: tombstones hang on it
    lon_deg: float
    body: bytes = b""  # msgpack of what the verb needs, see core/reviewing/decisions.py


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """How many confirmed cameras are of one kind and were first seen in one month."""

    kind: Kind
    first_month: str
    count: int


class PublicChange(msgspec.Struct, frozen=True, array_like=True):
    """One line of the journal: what everyone may notice; of a removed camera none is older."""

    revision: int  # rises without gaps that matter: a later commit has a greater one
    change: ChangeWord
    id: str
    cell: str
    feature: bytes  # JSON of the wire.CameraFeature; empty of a removed one


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that another map knows already."""

    ref: str  # "node/123"
    lat_deg: float
    lon_deg: float
    tags: dict[str, str] = {}
    direction_deg: float | None = None


class Store(Protocol):
    """The hub's database."""

    url: str  # opens another connection to the same database by ``open_store``

    def close(self) -> None:
        """Close the connection; may be called twice."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; on return it survives a power cut."""

    def hold_map(self, *, alone: bool = False) -> None:
        """Until the transaction ends nobody else has the map alone, or has it at all.

        Inside a transaction, before it reads anything of the map or the rule of publication.
        """

    def region(self, cells: Iterable[str], *, wait: bool = False) -> AbstractContextManager[bool]:
        """Be the only one who fuses in these areas, by any names, until the transaction ends.

        Inside a transaction, after ``hold_map``: who has the map alone has all areas. Gives False
        at once where another has one of them, or waits.
        """

    # --- what came in ---------------------------------------------------------------------------

    def spend_all(self, tokens: Iterable[tuple[bytes, str]]) -> set[bytes]:
        """Note that cohort tokens, digest and month, are used up; those that were not before."""

    def add_reports(self, reports: Sequence[tuple[str, Record, str]]) -> set[str]:
        """Keep records: id, record, cohort or "". Ids of those that were not there already."""

    def add_quarantine(self, payload_id: str, reason: str, payload: bytes) -> None:
        """Keep what could not be used, for a person; the oldest give way."""

    def quarantined(self) -> list[tuple[str, int]]:
        """Reasons and how many payloads each, most frequent first."""

    def waiting(self, limit: int) -> list[Report]:
        """Records that are not yet part of the map, first come first."""

    def all_reports(self) -> list[Report]:
        """Every record that may take part in the map, first come first."""

    def waiting_of(self, numbers: Iterable[int]) -> set[int]:
        """Those of these records that are not yet part of the map."""

    def reports(self, numbers: Iterable[int], *, held: bool = True) -> list[Report]:
        """These records in order of their numbers, with those that take no part or without."""

    def numbers_of(self, record_ids: Iterable[str]) -> dict[str, int]:
        """Numbers of those of these records that are kept."""

    def reports_in(self, box: Box) -> list[Report]:
        """Records that may take part and have a camera in a box, and some round it."""

    def pooled(self) -> int:
        """How many records are in the pool: kept, and part of nothing that is shown or judged."""

    def release_pool(self) -> None:
        """All that is in the pool may become part of the map."""

    def mark_fused(self, numbers: Iterable[int]) -> None:
        """Note that these records are part of the map."""

    def counts(self) -> tuple[int, int]:
        """Number of records, number of quarantined payloads."""

    # --- the map --------------------------------------------------------------------------------

    def camera(self, camera_id: str) -> Stored | None:
        """One camera, None if there is none of that id."""

    def cameras(
        self, box: Box | None = None, *, limit: int | None = None, after_id: str | None = None
    ) -> list[Stored]:
        """Cameras in order of their ids, in a box or all, from after ``after_id`` on."""

    def cameras_in(self, cell: str) -> list[Stored]:
        """Cameras of one geohash cell, in order of their ids."""

    def cameras_of(self, numbers: Iterable[int]) -> list[str]:
        """Ids of the cameras that these records have a part in, sorted."""

    def cameras_with(self, numbers: Iterable[int]) -> list[Stored]:
        """The same as whole cameras."""

    def put_cameras(
        self, old: Iterable[str], new: Iterable[tuple[str, str, Camera, Shown]]
    ) -> None:
        """Replace the cameras ``old`` by ``new``: id, cell, camera and projection each.

        Pyramid, tally and journal follow; a camera in both is changed, not removed and added.
        """

    def size(self) -> int:
        """Number of cameras, candidates and rejected ones too."""

    def version(self) -> str:
        """Changes whenever the public map does; differs between databases."""

    def private_version(self) -> str:
        """Changes whenever any camera does, also one that only reviewers see."""

    # --- the projection: what readers see -------------------------------------------------------

    def shown(
        self,
        box: Box | None,
        *,
        statuses: Sequence[Status] = ("confirmed",),
        limit: int | None = None,
        after_id: str | None = None,
    ) -> list[Shown]:
        """Rows in a box or all, in order of their ids, from after ``after_id`` on."""

    def shown_in(self, cell: str, statuses: Sequence[Status] = PUBLIC) -> list[Shown]:
        """Rows of one geohash-6 cell in order of their ids."""

    def features(self, box: Box) -> list[bytes]:
        """JSON of each public camera in a box, in no order: the fast way to a collection."""

    def points(self, z: int, x: int, y: int, buffer: int = 64) -> list[TilePoint]:
        """Confirmed cameras of a tile and ``buffer`` units round it, for z >= 13."""

    def clusters(self, z: int, x: int, y: int) -> list[Cluster]:
        """Counts of confirmed cameras in a tile, 16 x 16 places at most, for z < 13."""

    def tally(self) -> list[Tally]:
        """Counts of confirmed cameras per kind and month."""

    def tally_in(self, box: Box, limit: int) -> list[Tally] | None:
        """The same of a box; None if more than ``limit`` are in it, and no more are read."""

    def revision(self) -> int:
        """Number of the newest line of the journal, 0 for none."""

    def changes_since(self, revision: int, limit: int = 1000) -> list[PublicChange] | None:
        """Public changes after a revision, oldest first; None: too long ago, read all afresh."""

    # --- reviews --------------------------------------------------------------------------------

    def add_action(
        self,
        *,
        at_s: int,
        reviewer: str,
        verb: Verb,
        camera_id: str,
        anchor: Anchor,
        lat_deg: float,
        lon_deg: float,
        body: bytes = b"",
    ) -> int:
        """Add a line to the review log; returns its number."""

    def actions(self, since: int = 0, limit: int | None = None) -> list[Action]:
        """Lines of the log with a number greater than ``since``, in their order."""

    def actions_near(self, box: Box) -> list[Action]:
        """Lines whose camera was in a box then, in their order."""

    def cohorts_of(self, camera_id: str) -> list[str]:
        """Cohorts that report a camera, sorted; records without a token are of none."""

    def cohorts_of_reports(self, numbers: Iterable[int]) -> dict[int, str]:
        """Cohort of each of these records that has one."""

    def reports_of_cohort(self, cohort: str) -> list[int]:
        """Numbers of a cohort's records, first come first."""

    def set_cohort_state(self, cohort: str, state: CohortState) -> None:
        """From now on a cohort's records, past and future, take part or do not.

        Those of one that is trusted again wait to be fused; the map itself is not touched.
        """

    def cohort_states(self) -> dict[str, CohortState]:
        """Every cohort that somebody decided on; the others are trusted."""

    # --- cameras that others know ---------------------------------------------------------------

    def put_known(self, source: str, items: Iterable[Known]) -> None:
        """Replace all that a source knows."""

    def known_in(self, box: Box) -> list[Known]:
        """Known cameras in a box, in order of their refs."""

    def link(self, camera_id: str, ref: str | None) -> None:
        """A camera of ours is that known one; None takes it back."""

    def links(self) -> dict[str, str]:
        """Refs of the linked cameras by camera id."""

    # --- the rest -------------------------------------------------------------------------------

    def get_meta(self, name: str) -> str | None:
        """A value kept under a name."""

    def put_meta(self, name: str, value: str) -> None:
        """Keep a value under a name."""

    def hold_metas(self, names: Iterable[str]) -> dict[str, str]:
        """Values under names, where there are any, that nobody else changes in the meantime."""

    def put_metas(self, values: Mapping[str, str]) -> None:
        """Keep values under names."""

    def cells(self) -> set[str]:
        """Cells that have cameras at the broker, as far as we know."""

    def put_cells(self, filled: Iterable[str], emptied: Iterable[str]) -> None:
        """Note what was just published to the broker."""

    def filled_cells(self) -> list[str]:
        """Cells with public cameras, sorted."""
