"""Bundle adjustment of one walk: the lens, where the cameras hang, how the pose was wrong.

Least squares by Gauss-Newton with Levenberg's damping (B. Triggs et al., Bundle Adjustment - A
Modern Synthesis, LNCS 1883, 2000). A camera that hangs still must be seen where it is seen, in
pixels, from every place of its track. Unknown are::

    lens         log focal length (pixels), yaw, pitch, roll (radians)
    cameras      east, north, height (metres), log size of each; height and size as in locate
    pose errors  east, north (metres) and heading (radians) at knots, Gauss-Markov in time

Between knots the errors run straight. The bias of the heading is not among them: it is what yaw
means on this walk.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.core import fixes
from scanner.core import locate as model
from scanner.core.geometry import LensModel, Origin, hfov_from_focal
from scanner.core.lens.lenses import level_from_seen, seen_from_level
from scanner.core.lens.robust import huber, whitening_of
from scanner.records import Glimpse

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

LENS: Final = 4  # log focal length, yaw, pitch, roll
HEIGHT_SIGMA_M: Final = model.MOUNT_HEIGHT_SIGMA * model.MOUNT_HEIGHT_M
CAMERA: Final = 4  # east, north, height, log size
LENS_SIGMAS: Final = (0.5, math.radians(30), math.radians(20), math.radians(10))
KNOT_S: Final = 0.5  # the body turns, and simulated receivers wander, within a second
ROUGH_KNOT_S: Final = 2.0
MAX_KNOTS: Final = 600  # of a long walk; the time taken grows with the cube
COURSE_S: Final = 1.0  # a course's own error lasts from one fix to the next
FOCAL_STARTS: Final = (0.6, 0.77, 1.0, 1.3, 1.7)  # of the focal length that was believed
ROUNDS: Final = 3  # of weights: they depend on the lens
ITERATIONS: Final = 15
ROUGH_ITERATIONS: Final = 8
ENOUGH: Final = 1e-4  # of a cost whose statistical scatter is above 1
SAME_FOCAL: Final = 0.01  # a relative change of the focal length that leaves weights as they are
TINY: Final = 1e-6  # a step of the lens that is none
RANGES_M: Final = tuple(np.geomspace(2.0, 40.0, 16))  # where cameras are tried
HEIGHTS_M: Final = (2.3, 6.5)
LOOSE: Final = 0.3  # of their weight, as long as the errors of the pose are not known
PLACED_BETTER: Final = 5.0  # a cost by which another place must be better
WORST: Final = 1.15  # cost of a measurement: 0.9 to 1.1 where the fit is right
STEPS: Final = (1e-5, 1e-5, 1e-5, 1e-5, 1e-3, 1e-3, 1e-3, 1e-4)  # of finite differences


class Walk:
    """The glimpses of one walk as arrays of length n, and the fit to them.

    ``views`` are the glimpses of each camera, ``lens`` the one that they were made with; its
    distortion, centre and pixel aspect are kept.
    """

    def __init__(
        self, views: Sequence[Sequence[Glimpse]], lens: LensModel, knot_s: float = KNOT_S
    ) -> None:
        seen = [g for view in views for g in view]
        first = min(g.pose.at_ns for g in seen)
        origin = Origin(seen[0].pose.lat_deg, seen[0].pose.lon_deg)
        self._views, self._lens = views, lens
        self.count = len(views)
        self.seconds = np.array([(g.pose.at_ns - first) / 1e9 for g in seen])
        self._camera = np.repeat(np.arange(self.count), [len(view) for view in views])
        self._east, self._north = np.array(
            [origin.enu_from_geodetic(g.pose.lat_deg, g.pose.lon_deg) for g in seen]
        ).T
        self._course = np.radians([g.pose.heading_deg - lens.mount_yaw_deg for g in seen])
        self._lens_height_m = np.array([g.pose.height_m for g in seen])
        self._size_priors = np.log([model.HEAD_SIZE_M[v[0].detection.kind] for v in views])
        believed = np.array(
            [math.log(lens.focal_px), *np.radians(
                [lens.mount_yaw_deg, lens.mount_pitch_deg, lens.mount_roll_deg])]
        )  # fmt: skip
        self._believed = believed
        azimuth = np.radians([g.azimuth_deg for g in seen])
        elevation = np.radians([g.elevation_deg for g in seen])
        log_size = np.log(np.radians([g.size_deg for g in seen]))
        self._observed = seen_from_level(lens, believed, azimuth, elevation, log_size)
        last = np.cumsum([len(view) for view in views])
        parts = np.split(log_size, last[:-1])
        self._largest = [int(e - len(p) + np.argmax(p)) for e, p in zip(last, parts, strict=True)]
        self._knots(knot_s, seen)

    def _knots(self, knot_s: float, seen: Sequence[Glimpse]) -> None:
        """Times of the knots, each glimpse's share of the two around it, and the prior."""
        while True:
            place = self.seconds / knot_s
            left = np.floor(place).astype(np.intp)
            used, where = np.unique(np.concatenate([left, left + 1]), return_inverse=True)
            if len(used) <= MAX_KNOTS:
                break
            knot_s *= 1.5
        count, n = len(used), len(left)
        before, after = where[:n], where[n:]
        share = place - left
        self._shares = np.stack([1 - share, share], axis=1)  # (n, 2)
        start = LENS + CAMERA * self.count
        columns = [np.tile(np.arange(LENS), (n, 1))]
        columns += [LENS + CAMERA * self._camera[:, None] + np.arange(CAMERA)]
        columns += [start + i * count + np.stack([before, after], axis=1) for i in range(3)]
        self._columns = np.concatenate(columns, axis=1)  # (n, 14)
        self.unknowns = start + 3 * count
        self._prior(used * knot_s, start, seen)

    def _prior(self, knots_s: Array, start: int, seen: Sequence[Glimpse]) -> None:
        """Mean (d,) and precision (d, d) of the unknowns before anything is seen."""
        mean, precision = np.zeros(self.unknowns), np.zeros((self.unknowns, self.unknowns))
        mean[:LENS] = self._believed
        mean[LENS + 2 : start : CAMERA] = model.MOUNT_HEIGHT_M
        mean[LENS + 3 : start : CAMERA] = self._size_priors
        diagonal = np.zeros(start)
        diagonal[:LENS] = 1 / np.square(LENS_SIGMAS)
        diagonal[LENS + 2 :: CAMERA] = HEIGHT_SIGMA_M**-2
        diagonal[LENS + 3 :: CAMERA] = model.SIZE_SIGMA**-2
        precision[range(start), range(start)] = diagonal
        apart = np.abs(knots_s[:, None] - knots_s[None, :])
        gnss = np.mean([g.pose.sigma_m for g in seen]) ** 2
        drift = gnss * np.exp(-apart / model.GNSS_CORRELATION_S)
        heading = np.radians(np.mean([g.pose.heading_sigma_deg for g in seen]))
        wander = heading**2 * (1 - model.HEADING_BIAS_SHARE**2)
        course = math.radians(fixes.MIN_COURSE_SIGMA_DEG) ** 2
        turn = wander * np.exp(-apart / model.HEADING_WANDER_S) + course * np.exp(-apart / COURSE_S)
        count = len(knots_s)
        for i, covariance in enumerate((drift, drift, turn)):
            part = slice(start + i * count, start + (i + 1) * count)
            precision[part, part] = np.linalg.inv(covariance)
        self._mean, self._precision = mean, precision

    def lens_from(self, state: Array) -> LensModel:
        """The lens that a state (4 or more,) stands for; ValueError if there is none such."""
        lens = self._lens
        yaw, pitch, roll = np.degrees(state[1:LENS])
        found = msgspec.structs.replace(
            lens,
            hfov_deg=hfov_from_focal(lens.width_px, math.exp(state[0]), lens.k1, lens.k2, lens.k3),
            mount_yaw_deg=float(yaw),
            mount_pitch_deg=float(pitch),
            mount_roll_deg=float(roll),
        )
        found.check()
        return found

    def rough(self) -> Array:
        """The best lens (4,) that descents from several focal lengths come to."""
        walk = Walk(self._views, self._lens, ROUGH_KNOT_S)
        # One for all, so that costs compare.
        whitening = whitening_of(self._lens, walk._observed, self._believed)
        fits = []
        for factor in FOCAL_STARTS:
            lens = self._believed.copy()
            lens[0] += math.log(factor)
            start = walk._placed(walk._at(lens), whitening * LOOSE)
            fits.append(walk._descend(start, whitening, ROUGH_ITERATIONS))
        _, state = min(fits, key=lambda fit: fit[0])
        best: Array = state[:LENS]
        return best

    def fit(self, state: Array) -> tuple[Array, Array, float]:
        """The likeliest lens (4,), its covariance (4, 4), and what is left over, pixels rms.

        Of ``state`` only the lens counts. Raises ValueError if the glimpses do not agree with
        what was found, LinAlgError if numbers run away.
        """
        first = self._settled(state[:LENS])
        # From the lens that was found cameras are placed better than from the first one.
        cost, state, whitening = min(first, self._settled(first[1][:LENS]), key=lambda f: f[0])
        _, normal, _ = self._normal(state, whitening)
        if not cost < WORST * self._observed.size:
            raise ValueError("the glimpses of its cameras do not agree with each other")
        columns = np.linalg.solve(normal, np.eye(self.unknowns)[:, :LENS])
        covariance: Array = columns[:LENS].astype(np.float64)
        off = self._predicted(self._local(state))[:, :2] - self._observed[:, :2]
        return state[:LENS], covariance, float(np.sqrt(np.mean(off**2)))

    def _settled(self, lens: Array) -> tuple[float, Array, Array]:
        """Cost, state (d,) and whitening at the bottom that a lens (4,) leads to."""
        state = self._placed(self._at(lens), whitening_of(self._lens, self._observed, lens) * LOOSE)
        for _ in range(ROUNDS):
            whitening = whitening_of(self._lens, self._observed, state[:LENS])
            cost, found = self._descend(state, whitening, ITERATIONS)
            moved = abs(found[0] - state[0])
            state = self._placed(found, whitening)
            if moved < SAME_FOCAL and np.array_equal(state, found):
                break
        return cost, found, whitening

    def _at(self, lens: Array) -> Array:
        """All unknowns (d,) for a lens, cameras nowhere yet."""
        state = self._mean.copy()
        state[:LENS] = lens
        self._cameras(state)[:, :2] = np.nan
        return state

    def _placed(self, state: Array, whitening: Array) -> Array:
        """The state with each camera where its glimpses agree best: where it is, or on a ray.

        The ray is that of its largest glimpse. A camera that a descent has carried past the lens
        does not find its way back by itself.
        """
        azimuth, elevation, _ = level_from_seen(self._lens, state[:LENS], self._observed)
        best = self._largest
        bearing, slope = (self._course + state[1] + azimuth)[best], np.tan(elevation[best])
        east, north, height = (v[best] for v in (self._east, self._north, self._lens_height_m))
        state = state.copy()
        cameras = self._cameras(state)
        places = [cameras.copy()]
        for range_m in RANGES_M:
            there = east + range_m * np.sin(bearing), north + range_m * np.cos(bearing)
            high = np.clip(height + range_m * slope, *HEIGHTS_M)
            places.append(np.stack([*there, high, self._size_priors], axis=1))
        costs = []
        for place in places:
            cameras[:] = place
            costs.append(self._cost_each(state, whitening))
        costs[0] = np.where(np.isnan(costs[0]), np.inf, costs[0] - PLACED_BETTER)
        cameras[:] = np.array(places)[np.argmin(costs, axis=0), np.arange(self.count)]
        return state

    def _cameras(self, state: Array) -> Array:
        """The part of a state that tells of the cameras, (cameras, 4); no copy."""
        return state[LENS : LENS + CAMERA * self.count].reshape(-1, CAMERA)

    def _cost_each(self, state: Array, whitening: Array) -> Array:
        """What each camera's glimpses and its height cost, (cameras,)."""
        off = np.einsum(
            "nij,nj->ni", whitening, self._predicted(self._local(state)) - self._observed
        )
        _, lost = huber(np.hypot(off[:, 0], off[:, 1]))
        cameras = self._cameras(state)
        return (
            np.bincount(self._camera, lost + off[:, 2] ** 2)
            + ((cameras[:, 2] - model.MOUNT_HEIGHT_M) / HEIGHT_SIGMA_M) ** 2
            + ((cameras[:, 3] - self._size_priors) / model.SIZE_SIGMA) ** 2
        )

    def _descend(self, state: Array, whitening: Array, most: int) -> tuple[float, Array]:
        """Cost and state (d,) at the bottom, or after so many steps."""
        damping = 1e-3
        cost, normal, gradient = self._normal(state, whitening)
        for _ in range(most):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            moved = state + step
            moved_cost, moved_normal, moved_gradient = self._normal(moved, whitening)
            if not moved_cost < cost:
                if np.max(np.abs(step[:LENS])) < TINY:
                    break
                damping *= 10
                continue
            done = cost - moved_cost < ENOUGH * (1 + cost)
            state, normal, gradient = moved, moved_normal, moved_gradient
            cost, damping = moved_cost, damping / 5
            if done:
                break
        return cost, state

    def _normal(self, state: Array, whitening: Array) -> tuple[float, Array, Array]:
        """Cost, normal matrix (d, d) and gradient (d,), glimpses weighted by Huber's rule."""
        local = self._local(state)
        rows = np.einsum("nij,njc->nic", whitening, self._jacobian(local))
        off = np.einsum("nij,nj->ni", whitening, self._predicted(local) - self._observed)
        weight, lost = huber(np.hypot(off[:, 0], off[:, 1]))
        weights = np.stack([weight, weight, np.ones_like(weight)], axis=1)
        weighted = rows * weights[:, :, None]
        blocks = np.einsum("nic,nid->ncd", weighted, rows)
        slopes = np.einsum("nic,ni->nc", weighted, off)
        d, columns = self.unknowns, self._columns
        cells = columns[:, :, None] * d + columns[:, None, :]
        normal = np.bincount(cells.ravel(), blocks.ravel(), d * d).reshape(d, d)
        gradient = np.bincount(columns.ravel(), slopes.ravel(), d)
        pulled = self._precision @ (state - self._mean)
        cost = lost.sum() + np.sum(off[:, 2] ** 2) + (state - self._mean) @ pulled
        return float(cost), normal + self._precision, gradient + pulled

    def _local(self, state: Array) -> Array:
        """What each glimpse depends on, (n, 8): lens and camera, its pose's error worked in."""
        cameras = self._cameras(state)[self._camera]
        errors = state[self._columns[:, LENS + CAMERA :]].reshape(-1, 3, 2)
        east, north, turn = np.einsum("nik,nk->in", errors, self._shares)
        local = np.concatenate([np.tile(state[:LENS], (len(east), 1)), cameras], axis=1)
        local[:, 1] -= turn
        local[:, LENS] += east
        local[:, LENS + 1] += north
        return local

    def _jacobian(self, local: Array) -> Array:
        """Of what is seen with the unknowns in ``_columns``, (n, 3, 14)."""
        parts = []
        for i, step in enumerate(STEPS):
            ahead, behind = local.copy(), local.copy()
            ahead[:, i] += step
            behind[:, i] -= step
            parts.append((self._predicted(ahead) - self._predicted(behind)) / (2 * step))
        own = np.stack(parts, axis=2)
        errors = own[:, :, [LENS, LENS, LENS + 1, LENS + 1, 1, 1]] * [1, 1, 1, 1, -1, -1]
        return np.concatenate([own, errors * np.tile(self._shares, 3)[:, None, :]], axis=2)

    def _predicted(self, local: Array) -> Array:
        """What is to be seen, (n, 3), as ``seen_from_level``."""
        east, north = local[:, LENS] - self._east, local[:, LENS + 1] - self._north
        up = local[:, LENS + 2] - self._lens_height_m
        ground = np.maximum(np.hypot(east, north), model.MIN_RANGE_M)
        azimuth = np.arctan2(east, north) - self._course - local[:, 1]
        log_size = local[:, LENS + 3] - 0.5 * np.log(ground**2 + up**2)
        return seen_from_level(
            self._lens, local[:, :LENS].T, azimuth, np.arctan2(up, ground), log_size
        )
