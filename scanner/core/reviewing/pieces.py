"""Cameras while reviewers' merges and splits are applied to them."""

from collections.abc import Iterable

import msgspec

from scanner.core.fusing.fusion import Camera, Member
from scanner.core.fusing.joining import joined
from scanner.core.reviewing.reviewlog import Anchor, Body, Decision, Part, Split, anchor_of, named


class Pieces:
    """The cameras while they are merged and split; ``where`` each anchor of the log lies."""

    def __init__(self, cameras: Iterable[Camera], lines: Iterable[tuple[Decision, Body]]) -> None:
        wanted = {anchor for action, body in lines for anchor in named(action, body)}
        self.cameras = dict(enumerate(cameras))
        self.where: dict[Anchor, int] = {}
        self._next = len(self.cameras)
        if wanted:
            for piece, camera in self.cameras.items():
                self._place(piece, camera, wanted)
        self._wanted = wanted

    def _place(self, piece: int, camera: Camera, wanted: set[Anchor]) -> None:
        for member in camera.members:
            if (anchor := anchor_of(member)) in wanted:
                self.where[anchor] = piece

    def merge(self, one: Anchor, other: Anchor) -> None:
        """Make one of the two cameras, if both are there and not one already."""
        a, b = self.where.get(one), self.where.get(other)
        if a is None or b is None or a == b:
            return
        self.cameras[a] = joined(self.cameras[a], self.cameras.pop(b))
        self._place(a, self.cameras[a], self._wanted)

    def split(self, body: Split) -> None:
        """Take the named members out of every camera that has some of the others, too."""
        named, rest = set(body.named.anchors), set(body.rest.anchors)
        mixed = {self.where[a] for a in named if a in self.where}
        mixed &= {self.where[a] for a in rest if a in self.where}
        for piece in sorted(mixed):
            camera = self.cameras[piece]
            out = tuple(m for m in camera.members if anchor_of(m) in named)
            stay = tuple(m for m in camera.members if anchor_of(m) not in named)
            self.cameras[piece] = _of(camera, stay, body.rest, last_day=camera.last_day)
            self.cameras[self._next] = _of(camera, out, body.named, last_day=body.named.last_day)
            self._place(self._next, self.cameras[self._next], self._wanted)
            self._next += 1


def _of(camera: Camera, members: tuple[Member, ...], part: Part, *, last_day: int) -> Camera:
    return msgspec.structs.replace(
        camera,
        members=members,
        kind=part.kind,
        kind_share=part.kind_share,
        lat_deg=part.lat_deg,
        lon_deg=part.lon_deg,
        covariance=part.covariance,
        height_m=part.height_m,
        first_day=part.first_day,
        last_day=max(last_day, part.last_day),
    )
