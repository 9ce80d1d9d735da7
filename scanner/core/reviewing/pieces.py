"""Cameras while reviewers' merges and splits are applied to them."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from scanner.core.fusing.fusion import Camera, Member
from scanner.core.fusing.joining import joined
from scanner.core.fusing.vicinity import Report
from scanner.core.reviewing.parting import divided
from scanner.core.reviewing.reviewlog import Anchor, Body, Decision, Part, Split, anchor_of, named

Fetch: TypeAlias = Callable[[Iterable[int]], Iterable[Report]]  # the reports of these numbers


class Pieces:
    """The cameras while they are merged and split; ``where`` each anchor of the log lies."""

    def __init__(
        self, cameras: Iterable[Camera], lines: Iterable[tuple[Decision, Body]], fetch: Fetch
    ) -> None:
        wanted = {anchor for action, body in lines for anchor in named(action, body)}
        self.cameras = dict(enumerate(cameras))
        self.where: dict[Anchor, int] = {}
        self._next = len(self.cameras)
        self._fetch = fetch
        if wanted:
            for piece, camera in self.cameras.items():
                self._place(piece, camera, wanted)
        self._wanted = wanted

    def _place(self, piece: int, camera: Camera, wanted: set[Anchor]) -> None:
        for member in camera.members:
            if (anchor := anchor_of(member)) in wanted:
                self.where[anchor] = piece

    def add(self, camera: Camera) -> None:
        """One more camera, which is to stay as it is."""
        self.cameras[self._next] = camera
        self._place(self._next, camera, self._wanted)
        self._next += 1

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
            reports = self._fetch({member.number for member in camera.members})
            records = {report.record_id: report.record for report in reports}
            stay, out = (_of(camera, *half) for half in divided(camera, body, records))
            self.cameras[piece] = stay
            self.add(out)


def _of(camera: Camera, members: tuple[Member, ...], part: Part) -> Camera:
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
        last_day=part.last_day,
    )
