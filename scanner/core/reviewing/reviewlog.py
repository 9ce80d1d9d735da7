"""The reviewers' log: what each line says, and which lines count.

The log is append-only; undoing is a line, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from scanner.core.fusing.fusion import Member
from scanner.errors import UNREADABLE, WireError
from scanner.records import Covariance, Kind

REST_MAX: Final = 200  # members noted of what stays behind at a split
MOVED_SIGMA_M: Final = 1.0  # of a place that a reviewer gave
PRIVATE: Final = (  # a camera of a private home: it is on nobody's map
    ("camera:type", "doorbell"),
    ("surveillance:type", "doorbell"),
    ("surveillance:zone", "home"),
)

Anchor: TypeAlias = tuple[str, int]  # record id, index of the camera in it
Verdict = Literal["confirmed", "rejected", "gone"]


class Word(msgspec.Struct, frozen=True, tag="word"):
    """Confirm, reject, withdraw, gone: the camera as the reviewer saw it."""

    kind: Kind
    kind_share: float
    covariance: Covariance
    spared: tuple[Anchor, ...] = ()  # first members of the cameras that stood beside it


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """The line's anchor and this one are one camera."""

    anchor: Anchor


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two cameras that a split makes, by its own records."""

    anchors: tuple[Anchor, ...]
    lat_deg: float
    lon_deg: float
    covariance: Covariance
    kind: Kind
    kind_share: float
    height_m: float | None
    first_day: int
    last_day: int


class Split(msgspec.Struct, frozen=True, tag="split"):
    """Members that are a camera of their own; what neither names stays with the rest."""

    named: Part
    rest: Part


class Move(msgspec.Struct, frozen=True, tag="move"):
    """Where the camera is."""

    lat_deg: float
    lon_deg: float
    sigma_m: float = MOVED_SIGMA_M


class Tag(msgspec.Struct, frozen=True, tag="tag"):
    """OpenStreetMap tags; an empty value takes one away."""

    tags: dict[str, str]
    seen: Word | None = None  # of a private home: the camera, as with a rejection


class Undo(msgspec.Struct, frozen=True, tag="undo"):
    """The line of that number does not count; undoing an undo makes it count again."""

    number: int


class Rollback(msgspec.Struct, frozen=True, tag="rollback"):
    """A cohort's new state; changes which records are fused, no camera by itself."""

    cohort: str
    state: str
    reason: str = ""


Body: TypeAlias = Word | Merge | Split | Move | Tag | Undo | Rollback

_BODIES: Final[Mapping[str, type[Body]]] = {
    "confirm": Word,
    "reject": Word,
    "withdraw": Word,
    "gone": Word,
    "merge": Merge,
    "split": Split,
    "move": Move,
    "tag": Tag,
    "undo": Undo,
    "rollback": Rollback,
}
VERBS: Final = tuple(_BODIES)
VERDICTS: Final[Mapping[str, Verdict | None]] = {
    "confirm": "confirmed",
    "reject": "rejected",
    "gone": "gone",
    "withdraw": None,
}
_bodies = msgspec.msgpack.Decoder(Body)


class Decision(Protocol):
    """One line of the log, as the store gives it."""

    @property
    def number(self) -> int:
        """Rising; which of two came later."""

    @property
    def verb(self) -> str:
        """One of VERBS."""

    @property
    def camera_id(self) -> str:
        """As the camera was called then."""

    @property
    def anchor(self) -> Anchor:
        """The camera's first member then."""

    @property
    def lat_deg(self) -> float:
        """Its place then."""

    @property
    def lon_deg(self) -> float:
        """Its place then."""

    @property
    def body(self) -> bytes:
        """By ``encode_body``."""


def encode_body(body: Body) -> bytes:
    """What goes into the log."""
    return msgspec.msgpack.encode(body)


def decode_body(action: Decision) -> Body:
    """What a line says; raises WireError if it is damaged or of a newer program."""
    try:
        body: Body = _bodies.decode(action.body)
    except UNREADABLE as e:
        raise WireError(f"line {action.number} of the review log cannot be read: {e}") from e
    if not isinstance(body, _BODIES.get(action.verb, ())):
        raise WireError(f"line {action.number} of the review log does not fit {action.verb}")
    return body


def standing(actions: Iterable[Decision]) -> list[tuple[Decision, Body]]:
    """The lines that count, in order of their numbers, without the undoings themselves."""
    read = sorted(((a, decode_body(a)) for a in actions), key=lambda line: line[0].number)
    gone = _undone(read)
    return [(a, b) for a, b in read if a.number not in gone and not isinstance(b, Undo)]


def undone(actions: Iterable[Decision]) -> set[int]:
    """Numbers of the lines that some undoing takes back."""
    return _undone(sorted(((a, decode_body(a)) for a in actions), key=lambda line: line[0].number))


def _undone(read: Sequence[tuple[Decision, Body]]) -> set[int]:
    gone: set[int] = set()
    for action, body in reversed(read):
        # Backwards: whether an undoing was itself undone is known when it is met.
        if isinstance(body, Undo) and action.number not in gone and body.number < action.number:
            gone.add(body.number)
    return gone


def anchors(actions: Iterable[Decision]) -> set[Anchor]:
    """Members that the log speaks of: who applies it to a part of the map must have their cameras.

    Without them a merge across the edge of that part would be overlooked.
    """
    return {anchor for action, body in standing(actions) for anchor in named(action, body)}


def named(action: Decision, body: Body) -> tuple[Anchor, ...]:
    """All anchors of a line."""
    match body:
        case Merge(anchor=other):
            return action.anchor, other
        case Split(named=named, rest=rest):
            return action.anchor, *named.anchors, *rest.anchors
        case Word(spared=spared) | Tag(seen=Word(spared=spared)):
            return action.anchor, *spared
        case Rollback():
            return ()
        case _:
            return (action.anchor,)


def tags_of(said: Iterable[tuple[Decision, Body]]) -> dict[str, str]:
    """The tags that lines set, the last one counts."""
    tags: dict[str, str] = {}
    for _, body in said:
        if isinstance(body, Tag):
            tags |= body.tags
    return {key: value for key, value in sorted(tags.items()) if value}


def is_private(tags: Mapping[str, str]) -> bool:
    """Whether tags say that a camera belongs to a private home."""
    return any(tags.get(key) == value for key, value in PRIVATE)


def anchor_of(member: Member) -> Anchor:
    """What a decision on a member's camera hangs on."""
    return member.record_id, member.index
