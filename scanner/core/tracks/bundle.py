"""The glimpses of some cameras as arrays, and the fixed points that explain them best."""

import copy
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core.geometry import Origin
from scanner.core.locate import (
    GLIMPSE_SIZE_SIGMA,
    HEAD_SIZE_M,
    MOUNT_HEIGHT_M,
    SIZE_SIGMA,
    height_prior,
)
from scanner.core.tracks.labels import NOBODY, label_frames
from scanner.records import Glimpse, Kind

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

STEPS: Final = 12  # of Gauss-Newton in each
SETTLED: Final = 1e-2  # of the cost: a smaller gain ends them
LEAST_RANGE_M: Final = 0.5
OWN_RAD: Final = math.radians(0.5)  # 1 sigma of a direction apart from the sway: edges of the box
OWN_BOX_SHARE: Final = 0.1  # of the box's own angle, which counts where a camera is near
SWAY_RAD: Final = math.radians(2.0)  # before the frames themselves have told
LEAST_SWAY_RAD: Final = math.radians(0.4)
SWAY_MEMORY_S: Final = 0.4  # how long a frame's sway tells of the next one's
SWAY_WEIGHT: Final = 0.3  # of no sway, beside what the frames around tell
DRIFT_SHARE: Final = 0.2  # of a fix's error that changes while one walks past
KIND_DOUBT: Final = 1.0  # looks of each kind that a camera is credited with before any
OWN_TRUST: Final = 6.0  # looks that the own error assumed is worth beside those counted
LEAST_OWN, MOST_OWN = 0.4, 4.0  # times the variance assumed, in one round
MOST_OPTIONS: Final = 3  # frames with all cameras

E, N, H, SIZE = range(4)  # of a point: metres east, north, above ground; log of the head's metres


class Bundle:
    """The glimpses of some tracks as arrays of length n, in the order of their frames."""

    def __init__(self, tracks: Sequence[Sequence[Glimpse]], spare: Sequence[Glimpse] = ()) -> None:
        labelled = [(g, label) for label, track in enumerate(tracks) for g in track]
        labelled += [(g, NOBODY) for g in spare]
        labelled.sort(key=lambda pair: pair[0].frame)
        self.glimpses = [g for g, _ in labelled]
        self.labels: Integers = np.array([label for _, label in labelled])
        self.count = len(tracks)
        first = self.glimpses[0].pose
        origin = Origin(first.lat_deg, first.lon_deg)
        poses = [g.pose for g in self.glimpses]
        degrees = np.array([(pose.lat_deg, pose.lon_deg) for pose in poses]).T
        self._east, self._north = origin.enu_from_geodetic(*degrees)
        self._place_sigma = np.array([pose.sigma_m for pose in poses])
        self._lens_height = np.array([g.pose.height_m for g in self.glimpses])
        self._bearing = np.radians([g.pose.heading_deg + g.azimuth_deg for g in self.glimpses])
        self._elevation = np.radians([g.elevation_deg for g in self.glimpses])
        angles = np.radians([g.size_deg for g in self.glimpses])
        self._log_size = np.log(angles)
        self._own2 = OWN_RAD**2 + (OWN_BOX_SHARE * angles) ** 2
        self.own_scale = 1.0  # of the variances assumed
        numbers = np.array([g.frame for g in self.glimpses])
        self.frame = np.unique(numbers, return_inverse=True)[1]
        self.frames = int(self.frame[-1]) + 1
        self.seconds = np.zeros(self.frames)
        self.seconds[self.frame] = [(g.pose.at_ns - first.at_ns) / 1e9 for g in self.glimpses]
        self.sway = np.zeros((self.frames, 2))  # expected, bearing and elevation, radians
        self.sway2 = np.full(2, SWAY_RAD**2)  # variance about what is expected

    def copy(self) -> "Bundle":
        """One of its own to label and to learn from; the glimpses are shared."""
        return copy.copy(self)

    def residuals(self, points: Array) -> Array:
        """Seen less expected of glimpses (n) against points (k, 4): (3, n, k), angles and size."""
        east = points[None, :, E] - self._east[:, None]
        north = points[None, :, N] - self._north[:, None]
        up = points[None, :, H] - self._lens_height[:, None]
        ground = np.maximum(np.hypot(east, north), LEAST_RANGE_M)
        off = self._bearing[:, None] - np.arctan2(east, north)
        return np.array(
            [
                (off + math.pi) % (2 * math.pi) - math.pi,
                self._elevation[:, None] - np.arctan2(up, ground),
                self._log_size[:, None] - points[None, :, SIZE] + np.log(np.hypot(ground, up)),
            ]
        )

    def fit(self, points: Array) -> tuple[Array, float]:
        """The likeliest points (k, 4) for the labels, and the squared sigmas that remain."""
        rows = np.flatnonzero(self.labels != NOBODY)
        whitening = self._whitening(rows)
        damping = 1e-3
        table = self._whitened(points, rows, whitening)
        cost = float(table[:, -1] @ table[:, -1])
        for _ in range(STEPS):
            normal = table[:, :-1].T @ table[:, :-1]
            normal[np.diag_indices_from(normal)] *= 1 + damping
            step = np.linalg.solve(normal, table[:, :-1].T @ table[:, -1])
            moved = points + step.reshape(points.shape)
            next_table = self._whitened(moved, rows, whitening)
            next_cost = float(next_table[:, -1] @ next_table[:, -1])
            if next_cost > cost:
                damping *= 10
                continue
            done = cost - next_cost < SETTLED * (1 + cost)
            points, table, cost, damping = moved, next_table, next_cost, damping / 5
            if done:
                break
        return points, cost

    def start(self) -> Array:
        """First points (k, 4): along the ray of the largest view, as far as the size tells."""
        points = np.zeros((self.count, 4))
        for label in range(self.count):
            mine = np.flatnonzero(self.labels == label)
            near = mine[np.argmax(self._log_size[mine])]
            size = math.log(HEAD_SIZE_M[Kind.UNKNOWN])
            range_m = min(math.exp(size - self._log_size[near]), 60.0)
            points[label] = (
                self._east[near] + range_m * math.sin(self._bearing[near]),
                self._north[near] + range_m * math.cos(self._bearing[near]),
                MOUNT_HEIGHT_M,
                size,
            )
        return points

    def _whitened(self, points: Array, rows: Integers, whitening: "_Whitening") -> Array:
        """Jacobian and residuals (m, 4k + 1), of unit covariance, priors last."""
        labels, n, k = self.labels[rows], len(rows), len(points)
        mine = points[labels]
        east, north = mine[:, E] - self._east[rows], mine[:, N] - self._north[rows]
        up = mine[:, H] - self._lens_height[rows]
        range2 = np.maximum(east**2 + north**2, LEAST_RANGE_M**2)
        ground, slant2 = np.sqrt(range2), range2 + up**2
        off = self._bearing[rows] - np.arctan2(east, north)
        slopes = np.zeros((3, n, 4))
        slopes[0, :, E], slopes[0, :, N] = north / range2, -east / range2
        lean = -up / ground / slant2
        slopes[1, :, E], slopes[1, :, N], slopes[1, :, H] = (
            lean * east,
            lean * north,
            ground / slant2,
        )
        slopes[2, :, E], slopes[2, :, N] = -east / slant2, -north / slant2
        slopes[2, :, H], slopes[2, :, SIZE] = -up / slant2, 1
        table = np.zeros((3 * n + 2 * k, 4 * k + 1))
        wide = table[: 3 * n, :-1].reshape(3, n, k, 4)
        wide[:, np.arange(n), labels] = slopes
        angles = table[: 3 * n].reshape(3, n, -1)
        angles[0, :, -1] = (
            (off + math.pi) % (2 * math.pi) - math.pi - self.sway[self.frame[rows], 0]
        )
        angles[1, :, -1] = self._elevation[rows] - np.arctan2(up, ground)
        angles[1, :, -1] -= self.sway[self.frame[rows], 1]
        angles[2, :, -1] = self._log_size[rows] - mine[:, SIZE] + 0.5 * np.log(slant2)
        angles[:2] = whitening.white(angles[:2])
        angles[2] /= GLIMPSE_SIZE_SIGMA
        prior, each = table[3 * n :], np.arange(k)
        prior[each, 4 * each + H], unlikely = height_prior(points[:, H])
        prior[:k, -1] = -unlikely
        prior[k + each, 4 * each + SIZE] = 1 / SIZE_SIGMA
        prior[k:, -1] = (math.log(HEAD_SIZE_M[Kind.UNKNOWN]) - points[:, SIZE]) / SIZE_SIGMA
        return table

    def shared2(self, points: Array) -> Array:
        """(2, n): variances of bearing and elevation that the glimpses of a frame share.

        Beside the sway what the lens's own place is wrong by, which counts where it is near.
        """
        east, north, up = np.mean(points, axis=0)[: H + 1]
        range2 = (east - self._east) ** 2 + (north - self._north) ** 2
        drift2 = (DRIFT_SHARE * self._place_sigma) ** 2 / np.maximum(range2, LEAST_RANGE_M**2)
        lean2 = (up - self._lens_height) ** 2 / np.maximum(range2, LEAST_RANGE_M**2)
        shared: Array = self.sway2[:, None] + np.array([drift2, drift2 * lean2])
        return shared

    def _whitening(self, rows: Integers) -> "_Whitening":
        return _Whitening(self.frame[rows], self._own2[rows], self.sway2)

    def label_in_order(self, axis: int) -> bool:
        """Label the frames that show all cameras by bearing (0) or elevation (1), the rest not.

        False if there are too few of them.
        """
        counts = np.bincount(self.frame, minlength=self.frames)
        rows = np.flatnonzero(counts[self.frame] == self.count)
        if len(rows) < MOST_OPTIONS * self.count or self.count < 2:  # noqa: PLR2004
            return False
        values = np.unwrap(self._bearing) if axis == 0 else self._elevation
        ranks = np.argsort(np.argsort(values[rows].reshape(-1, self.count), axis=1), axis=1)
        self.labels = np.full(len(self.labels), NOBODY)
        self.labels[rows] = ranks.ravel()
        return True

    def learn_errors(self, points: Array) -> None:
        """Own errors and sway, from the frames with two cameras or more.

        What the frames with two cameras or more tell of the sway of all frames.

        A frame's own sway is not used for itself. How well the others foretell it is its variance:
        small while the wearer sways slowly, that of the sway itself if each frame stands alone.
        """
        rows = np.flatnonzero(self.labels != NOBODY)
        off = self.residuals(points)[:2, rows, self.labels[rows]].T
        counts = np.bincount(self.frame[rows], minlength=self.frames)
        sums = [np.bincount(self.frame[rows], off[:, i], self.frames) for i in (0, 1)]
        told = np.flatnonzero(counts > 1)
        if len(told) < 4:  # noqa: PLR2004
            return
        means = np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]
        left = ((off - means[self.frame[rows]]) ** 2).sum(axis=1) / self._own2[rows]
        freedom = 2 * float(np.sum(counts[told] - 1))
        scale = (float(left.sum()) + OWN_TRUST) / (freedom + OWN_TRUST)
        scale = min(max(scale, LEAST_OWN), MOST_OWN)
        self.own_scale *= scale
        self._own2 = self._own2 * scale  # copies share the old one
        sway = np.stack(sums, axis=1)[told] / counts[told, None]
        apart = np.abs(self.seconds[:, None] - self.seconds[None, told])
        weight = np.exp(-apart / SWAY_MEMORY_S)
        weight[told, np.arange(len(told))] = 0
        self.sway = (weight @ sway) / (weight.sum(axis=1) + SWAY_WEIGHT)[:, None]
        missed = sway - self.sway[told]
        self.sway2 = np.maximum(np.mean(missed**2, axis=0), LEAST_SWAY_RAD**2)

    def relabel(self, points: Array) -> tuple[Integers, Array, float]:
        """The likeliest camera of each glimpse (n,), by how much no other is (n,), their cost."""
        off = self.residuals(points)
        off[0] -= self.sway[self.frame, 0][:, None]
        off[1] -= self.sway[self.frame, 1][:, None]
        extra = (off[2] / GLIMPSE_SIZE_SIGMA / 1.5) ** 2 + self._kind_costs()
        return label_frames(
            self.frame,
            np.degrees(off[:2]),
            extra,
            np.degrees(1) ** 2 * self._own2,
            np.degrees(1) ** 2 * self.shared2(points),
        )

    def cost_of_misses(self) -> float:
        """Minus twice the log of how likely each camera is seen and missed as labelled.

        Each has a share of the frames in which it is seen, from its first to its last. Two cameras
        in one's place would each have to be missed whenever the other is seen.
        """
        cost = 0.0
        for label in range(self.count):
            frames = self.frame[self.labels == label]
            if len(frames):
                seen, span = len(frames), int(frames[-1] - frames[0]) + 1
                for count in (seen, span - seen):
                    cost -= 2 * count * math.log(max(count, 1) / span)
        return cost

    def _kind_costs(self) -> Array:
        """(n, k): how unlikely the kind told is for each camera, going by its other glimpses.

        Once the log of the odds, not twice: what misleads the detector lasts for many frames.
        """
        kinds = list(Kind)
        told = np.array([kinds.index(g.detection.kind) for g in self.glimpses])
        looks = np.full((self.count, len(kinds)), KIND_DOUBT)
        sure = self.labels != NOBODY
        np.add.at(looks, (self.labels[sure], told[sure]), 1)
        costs: Array = -np.log(looks / looks.sum(axis=1, keepdims=True)).T[told]
        return costs


class _Whitening:
    """Makes the angles of glimpses independent: within a frame they share a sway.

    Own errors of variance o on the diagonal and a shared one of variance s everywhere: the mean of
    a frame has the variance o / count + s, what is left of each row has o.
    """

    def __init__(self, frame: Integers, own2: Array, sway2: Array) -> None:
        self._starts = np.flatnonzero(np.concatenate([[True], frame[1:] != frame[:-1]]))
        ends = np.concatenate([self._starts[1:], [len(frame)]])
        counts = ends - self._starts
        self._frame = np.repeat(np.arange(len(counts)), counts)
        self._counts = counts[None, :, None]
        own = np.add.reduceat(own2, self._starts) / counts
        scale = 1 / np.sqrt(own + counts * sway2[:, None])  # (2, f)
        self._left = 1 / np.sqrt(own)[None, self._frame, None]
        self._mean = (scale - 1 / np.sqrt(own))[:, self._frame, None]

    def white(self, angles: Array) -> Array:
        """Rows (2, n, m) of bearing and elevation, whitened."""
        mean = np.add.reduceat(angles, self._starts, axis=1) / self._counts
        white: Array = angles * self._left + mean[:, self._frame] * self._mean
        return white
