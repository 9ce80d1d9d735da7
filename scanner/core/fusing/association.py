"""Which sighting of which record shows which camera, for the records of one window.

Every record measures its cameras with one shared error and one error each. Cameras that records tie
together hang in one frame: their offsets from each other are known better than their place, so two
cameras 3 m apart stay two although a walk is off by more than that. There is no merge radius.

Records are taken in an order of their own, those with most cameras first, since they tell how many
there are. Then each is taken out and assigned again against all others, and frames and cameras that
no record shows together are joined where one explains them better than two.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from scanner.core.fusing.matching import MISS_COST, NEW_COST, PLANE, bounds, match
from scanner.core.fusing.spots import Frame, Mark, Pair, Pass, Spot, biases, kind_cost, offset

SWEEPS: Final = 1  # times each record is assigned again against all others
SURE: Final = 3.0  # -2 ln of how likely the next best is: such an assignment is left as it is
SIDE_M: Final = 25.0  # of the squares by which cameras are found
FRAME_MAX: Final = 12  # cameras of a frame that is laid over others as a whole
TWINS_M: Final = 20.0  # cameras farther apart are never joined


class Associator:
    """Puts the records of a window together."""

    def __init__(self, records: Iterable[Pass]) -> None:
        self.records = sorted(records, key=lambda r: (-len(r.marks), r.variance, r.key))
        self.spots: dict[int, Spot] = {}
        self._by_key = {record.key: record for record in self.records}
        self._cells: defaultdict[tuple[int, int], list[Spot]] = defaultdict(list)
        self._number = 0

    def run(self) -> list[Spot]:
        """The cameras, in the order they were found."""
        for record in self.records:
            self._place(record)
        for _ in range(SWEEPS):
            self._join_twins()
            for record in self.records:
                if record.again and not record.sure:
                    self._lift(record)
                    self._place(record)
        self._join_frames()
        self._join_twins()
        return list(self.spots.values())

    # --- one record --------------------------------------------------------------------------

    def _place(self, record: Pass) -> None:
        """Assign a record and learn from it."""
        choice, margin = match(record, self._near(record))
        record.sure = margin > SURE and None not in choice
        self._hang(record, choice)

    def _hang(self, record: Pass, choice: Sequence[Spot | None]) -> None:
        frames = _frames(choice)
        frame = self._tie(record, choice, frames) if frames else Frame()
        record.biases = biases(record, choice, frame)
        record.slots = [spot or self._new(frame) for spot in choice]
        for index, (mark, spot) in enumerate(zip(record.marks, record.slots, strict=True)):
            spot.learn(mark, record.biases[index])
            spot.seen[record.key] = index
            spot.settle()
        frame.count(record)
        for spot in record.slots:
            self._file(spot)

    def _lift(self, record: Pass) -> None:
        """Take a record out of all it was assigned to."""
        record.slots[0].frame.count(record, -1.0)
        for mark, bias, spot in zip(record.marks, record.biases, record.slots, strict=True):
            del spot.seen[record.key]
            if spot.seen:
                spot.learn(mark, bias, -1)
                spot.settle()
            else:
                self._drop(spot)

    def _new(self, frame: Frame) -> Spot:
        spot = Spot(self._number, frame)
        self._number += 1
        self.spots[spot.number] = spot
        frame.spots.append(spot)
        return spot

    def _drop(self, spot: Spot) -> None:
        del self.spots[spot.number]
        spot.frame.spots.remove(spot)
        if spot.cell:
            self._cells[spot.cell].remove(spot)

    # --- where cameras are found ---------------------------------------------------------------

    def _file(self, spot: Spot) -> None:
        east, north = spot.frame.shift
        cell = (int((spot.east + east) // SIDE_M), int((spot.north + north) // SIDE_M))
        if cell != spot.cell:
            if spot.cell:
                self._cells[spot.cell].remove(spot)
            self._cells[cell].append(spot)
            spot.cell = cell

    def _near(self, record: Pass) -> list[Spot]:
        """The cameras that a record could show, and some that it could not."""
        west, east, south, north = bounds(record)
        x0, x1, y0, y1 = (int(edge // SIDE_M) for edge in (west, east, south, north))
        cells = self._cells
        found = [
            spot
            for x in range(x0, x1 + 1)
            for y in range(y0, y1 + 1)
            for spot in cells.get((x, y), ())
        ]
        found.sort(key=_number)
        return found

    # --- frames --------------------------------------------------------------------------------

    def _tie(self, record: Pass, choice: Sequence[Spot | None], frames: Sequence[Frame]) -> Frame:
        """Make the frames that a record ties together one, as it saw their offset."""
        keep = max(frames, key=lambda f: (len(f.spots), -f.spots[0].number))
        if len(frames) > 1:
            base = offset(record, choice, keep)
            for frame in frames:
                if frame is not keep:
                    there = offset(record, choice, frame)
                    self._merge(frame, keep, (there[0] - base[0], there[1] - base[1]))
        return keep

    def _merge(self, frame: Frame, keep: Frame, step: Pair) -> None:
        """Move a frame's cameras by ``step`` into another frame."""
        moved, frame.spots = frame.spots, []
        keys: dict[int, None] = {}
        for spot in moved:
            spot.frame = keep
            spot.move(step)
            keep.spots.append(spot)
            keys.update(dict.fromkeys(spot.seen))
        for key in keys:
            record = self._by_key[key]
            record.biases = [(e - step[0], n - step[1]) for e, n in record.biases]
            keep.count(record)
        for spot in moved:
            self._file(spot)

    # --- what no record shows together -----------------------------------------------------------

    def _join_frames(self) -> None:
        frames = {id(s.frame): s.frame for s in self.spots.values()}.values()
        for frame in sorted(frames, key=lambda f: (len(f.spots), f.spots[0].number)):
            if 0 < len(frame.spots) <= FRAME_MAX and _of_several(frame):
                self._lay(frame)

    def _join_twins(self) -> None:
        for number in sorted(self.spots):
            spot = self.spots.get(number)
            while spot and (twin := self._twin(spot)):
                self._unite(spot, twin)

    def _lay(self, frame: Frame) -> None:
        """Lay a frame over others, as if it were a record of its cameras, where that fits."""
        east, north = frame.shift
        spots = list(frame.spots)
        marks = [Mark(s.east + east, s.north + north, s.covariance, tuple(s.kinds)) for s in spots]
        whole = Pass(-1, marks, frame.loose_m2, 0.0)
        choice, _ = match(whole, [s for s in self._near(whole) if s.frame is not frame])
        frames = _frames(choice)
        if not frames:
            return
        keep = self._tie(whole, choice, frames)
        there = offset(whole, choice, keep)
        self._merge(frame, keep, (east - there[0], north - there[1]))
        for spot, other in zip(spots, choice, strict=True):
            if other:
                self._unite(other, spot)

    def _twin(self, spot: Spot) -> Spot | None:
        """The camera of the same frame that most likely is this one, if any is."""
        best, twin = 0.0, None
        for other in spot.frame.spots:
            if other.number <= spot.number or not other.seen.keys().isdisjoint(spot.seen):
                continue
            de, dn = other.east - spot.east, other.north - spot.north
            if de * de + dn * dn > TWINS_M * TWINS_M:
                continue
            (aee, aen, ann), (bee, ben, bnn) = spot.covariance, other.covariance
            ee, en, nn = aee + bee, aen + ben, ann + bnn
            det = ee * nn - en * en
            chi2 = (nn * de * de - 2 * en * de * dn + ee * dn * dn) / det
            # As two, each would have been left out by every record that shows the other.
            apart = NEW_COST + MISS_COST * min(len(spot.seen), len(other.seen))
            together = chi2 + math.log(det) + PLANE + kind_cost(spot.shares, other.kinds)
            if apart - together > best:
                best, twin = apart - together, other
        return twin

    def _unite(self, spot: Spot, other: Spot) -> None:
        """Make one of two cameras of a frame."""
        for key, index in other.seen.items():
            record = self._by_key[key]
            record.slots[index] = spot
            spot.seen[key] = index
            spot.learn(record.marks[index], record.biases[index])
        spot.settle()
        self._drop(other)
        self._file(spot)


def _number(spot: Spot) -> int:
    return spot.number


def _frames(choice: Sequence[Spot | None]) -> list[Frame]:
    """The frames of some cameras, each once."""
    return list({id(spot.frame): spot.frame for spot in choice if spot}.values())


def _of_several(frame: Frame) -> bool:
    """Whether more than one record shows cameras of a frame: one was assigned as such."""
    first = frame.spots[0].seen.keys()
    return len(first) > 1 or any(spot.seen.keys() != first for spot in frame.spots)
