"""Track -> where the camera is, with an error that can be believed, or the reason why not.

The most likely place given all glimpses at once: Gauss-Newton with Levenberg damping on the
posterior. Errors that many glimpses share would make the answer too sure of itself, so each is in
the model: the bias and slow wander of the heading and the bias of the pitch as correlated noise,
the size of this very camera and the drift of the GNSS track as unknowns with priors. Size and
elevation are weak evidence of the range; they matter because a lens that looks ahead sees little
parallax.

Where the camera looks is not told: the detector gives a box and a kind. A bullet's box is wide from
the side and square from the front, but the same from either side, and a dome's tells nothing.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.core.geometry import Origin, wrap_deg
from scanner.records import Covariance, Glimpse, Kind, NotLocated, Sighting, Track

Array = NDArray[np.float64]

HEAD_SIZE_M: Final = {  # geometric mean of the head's visible sides
    Kind.BULLET: 0.19,
    Kind.DOME: 0.17,
    Kind.PTZ: 0.24,
    Kind.ALPR: 0.24,
    Kind.UNKNOWN: 0.20,
}
SIZE_SIGMA: Final = 0.35  # natural logarithm: cameras of one kind differ by a third
MOUNT_HEIGHT_M: Final = 3.9  # median above ground: over doors, but as high as lamp posts, too
MOUNT_HEIGHT_SIGMA: Final = 0.38  # natural logarithm
LEAST_HEIGHT_M: Final = 0.5
HEADING_BIAS_SHARE: Final = 0.6  # of the heading's sigma; the rest wanders
HEADING_WANDER_S: Final = 4.0
SWAY_SIGMA_DEG: Final = 1.5  # of one glimpse: steps, breathing, edges of the box
PITCH_BIAS_SIGMA_DEG: Final = 2.5  # how the device hangs today
GLIMPSE_SIZE_SIGMA: Final = 0.20  # box edges, turning aspect
GNSS_CORRELATION_S: Final = 60.0
KNOT_S: Final = 4.0  # the GNSS drift is straight between knots
MAX_GLIMPSES: Final = 80  # more tell no more: their errors are shared
KIND_PX: Final = 16.0  # below it the kind told was right in 1 to 6 looks of 10, above it in 8
MIN_VIEWS: Final = 3
MIN_PARALLAX_DEG: Final = 5.0
MAX_SIGMA_M: Final = 12.0
MIN_RANGE_M: Final = 0.5
ITERATIONS: Final = 25
OUTLIER_SIGMAS: Final = 4.0

E, N, H, SIZE = range(4)  # the state; behind them the drift at the knots, east then north


class Fit(msgspec.Struct, frozen=True):
    """The most likely place and height of a camera, in metres of the scene's enu frame."""

    east_m: float
    north_m: float
    height_m: float
    covariance: Array  # (2, 2), of east and north relative to the track


def locate(track: Track) -> Sighting | NotLocated:
    """Place of the camera that a track shows."""
    glimpses = _thinned(track.glimpses)
    guess = _kind(track.glimpses)  # good enough for how large it may be
    kind = _kind([g for g in track.glimpses if shows_kind(g)])
    views = len(track.glimpses)
    if views < MIN_VIEWS:
        return NotLocated(reason="seen too few times", kind=kind, views=views)
    if parallax_deg(glimpses) < MIN_PARALLAX_DEG:
        return NotLocated(reason="too little parallax", kind=kind, views=views)
    scene = Scene(glimpses, guess)
    fit = scene.fit()
    kept = scene.agreeing(fit)
    if MIN_VIEWS <= len(kept) < len(glimpses):
        scene = Scene(kept, guess)
        fit = scene.fit()
    worst = math.sqrt(float(np.linalg.eigvalsh(fit.covariance)[-1]))
    if worst > MAX_SIGMA_M:
        return NotLocated(reason=f"error of {worst:.0f} m", kind=kind, views=views)
    return _sighting(track.glimpses, kind, scene.origin, fit)


def _sighting(glimpses: Sequence[Glimpse], kind: Kind, origin: Origin, fit: Fit) -> Sighting:
    lat, lon = origin.geodetic_from_enu(fit.east_m, fit.north_m)
    best = sorted((g.detection.score for g in glimpses), reverse=True)[:5]
    ee, en, nn = fit.covariance[0, 0], fit.covariance[0, 1], fit.covariance[1, 1]
    return Sighting(
        kind=kind,
        score=sum(best) / len(best),
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(float(ee), float(en), float(nn)),
        common_sigma_m=sum(g.pose.sigma_m for g in glimpses) / len(glimpses),
        height_m=fit.height_m,
        frames=tuple(g.frame for g in glimpses),
        at_ns=glimpses[-1].pose.at_ns,
    )


def _thinned(glimpses: Sequence[Glimpse]) -> list[Glimpse]:
    """At most MAX_GLIMPSES of them, evenly spread, first and last included."""
    if len(glimpses) <= MAX_GLIMPSES:
        return list(glimpses)
    step = (len(glimpses) - 1) / (MAX_GLIMPSES - 1)
    return [glimpses[round(i * step)] for i in range(MAX_GLIMPSES)]


def _kind(glimpses: Sequence[Glimpse]) -> Kind:
    """The kind with the most score behind it; near views weigh more, they show more.

    UNKNOWN of no glimpses.
    """
    weight: dict[Kind, float] = {}
    for seen in glimpses:
        kind = seen.detection.kind
        weight[kind] = weight.get(kind, 0.0) + seen.detection.score * seen.size_deg
    return max(weight, key=lambda k: weight[k], default=Kind.UNKNOWN)


def shows_kind(seen: Glimpse) -> bool:
    """Whether a look is large enough for the kind told to be more than a guess."""
    box = seen.detection.box
    return max(box.width_px, box.height_px) >= KIND_PX


def parallax_deg(glimpses: Sequence[Glimpse]) -> float:
    """How far the direction to the camera turns over the track."""
    bearings = [g.pose.heading_deg + g.azimuth_deg for g in glimpses]
    turned = [wrap_deg(b - bearings[0]) for b in bearings]
    return max(turned) - min(turned)


class Scene:
    """The measurements of one track as arrays of length n, and the fit to them."""

    def __init__(self, glimpses: Sequence[Glimpse], kind: Kind) -> None:
        self.glimpses = glimpses
        first = glimpses[0].pose
        self.origin = Origin(first.lat_deg, first.lon_deg)
        places = [self.origin.enu_from_geodetic(g.pose.lat_deg, g.pose.lon_deg) for g in glimpses]
        self.east, self.north = np.array(places).T
        self.seconds = np.array([(g.pose.at_ns - first.at_ns) / 1e9 for g in glimpses])
        self.bearing = np.radians([g.pose.heading_deg + g.azimuth_deg for g in glimpses])
        self.elevation = np.radians([g.elevation_deg for g in glimpses])
        self.log_size = np.log(np.radians([g.size_deg for g in glimpses]))
        self.lens_height_m = first.height_m
        self.size_prior = math.log(HEAD_SIZE_M[kind])
        heading = math.radians(max(g.pose.heading_sigma_deg for g in glimpses))
        sway = math.radians(SWAY_SIGMA_DEG)
        self._bearing_noise = self._noise(heading, HEADING_BIAS_SHARE, sway)
        self._elevation_noise = self._noise(math.radians(PITCH_BIAS_SIGMA_DEG), 1.0, sway)
        # Whitening: residuals multiplied by these have unit covariance.
        self._white_bearing = _whitening(self._bearing_noise)
        self._white_elevation = _whitening(self._elevation_noise)
        self._weights, self._white_drift = self._drift()

    def _noise(self, shared: float, bias_share: float, own: float) -> Array:
        """(n, n) covariance of angles: a bias, a wander of some seconds, each glimpse's own."""
        apart = np.abs(self.seconds[:, None] - self.seconds[None, :])
        wander = (1 - bias_share**2) * np.exp(-apart / HEADING_WANDER_S)
        noise: Array = shared**2 * (bias_share**2 + wander) + own**2 * np.eye(len(apart))
        return noise

    def _drift(self) -> tuple[Array, Array]:
        """Weights (n, k - 1) of the knots' drift in each glimpse, and their whitening.

        The drift is the GNSS error less that at the middle knot, which is the error that the whole
        track shares and that no single track can know. First-order Gauss-Markov.
        """
        sigma = sum(g.pose.sigma_m for g in self.glimpses) / len(self.glimpses)
        duration = max(float(self.seconds[-1]), 0.1)
        knots = np.linspace(0, duration, 2 * max(1, math.ceil(duration / KNOT_S / 2)) + 1)
        middle = len(knots) // 2
        apart = np.abs(knots[:, None] - knots[None, :])
        alike = np.exp(-apart / GNSS_CORRELATION_S)
        drift = sigma**2 * (alike - alike[:, [middle]] - alike[[middle], :] + 1)
        others = np.arange(len(knots)) != middle
        hats = np.array([np.interp(self.seconds, knots, row) for row in np.eye(len(knots))]).T
        tiny = 1e-6 * np.eye(int(others.sum()))
        return hats[:, others], _whitening(drift[np.ix_(others, others)] + tiny)

    @property
    def knots(self) -> int:
        """Number of knots whose drift is unknown, k."""
        return int(self._weights.shape[1])

    def fit(self) -> Fit:
        """Most likely place, the best of three starts at different ranges."""
        nearest = int(np.argmax(self.log_size))
        guess_m = math.exp(self.size_prior - self.log_size[nearest])
        fits = [self._descend(self._start(nearest, guess_m * f)) for f in (0.6, 1.0, 1.7)]
        _, state = min(fits, key=lambda fit: fit[0])
        jacobian, _ = self.linearise(state)
        covariance: Array = np.linalg.inv(jacobian.T @ jacobian).astype(np.float64)
        return Fit(float(state[E]), float(state[N]), float(state[H]), covariance[:2, :2])

    def agreeing(self, fit: Fit) -> list[Glimpse]:
        """The glimpses that agree with a fit: one wrong association must not pull the answer."""
        off, tilt, size = self._residuals(fit.east_m, fit.north_m, fit.height_m)
        size -= np.median(size)
        far = np.maximum(
            np.abs(off - np.median(off)) / np.sqrt(np.diag(self._bearing_noise)),
            np.abs(tilt - np.median(tilt)) / np.sqrt(np.diag(self._elevation_noise)),
        )
        far = np.maximum(far, np.abs(size) / GLIMPSE_SIZE_SIGMA / 1.5)
        return [g for g, f in zip(self.glimpses, far, strict=True) if f <= OUTLIER_SIGMAS]

    def _residuals(self, east_m: float, north_m: float, height_m: float) -> tuple[Array, ...]:
        """Bearing, elevation (radians) and log size, expected less seen, without drift."""
        east, north, up = east_m - self.east, north_m - self.north, height_m - self.lens_height_m
        ground = np.hypot(east, north)
        off = np.arctan2(east, north) - self.bearing
        off = (off + math.pi) % (2 * math.pi) - math.pi
        tilt = np.arctan2(up, ground) - self.elevation
        return off, tilt, self.size_prior - np.log(np.hypot(ground, up)) - self.log_size

    def _start(self, at: int, range_m: float) -> Array:
        state = np.zeros(4 + 2 * self._weights.shape[1])
        state[E] = self.east[at] + range_m * math.sin(self.bearing[at])
        state[N] = self.north[at] + range_m * math.cos(self.bearing[at])
        state[H], state[SIZE] = MOUNT_HEIGHT_M, self.size_prior
        return state

    def _descend(self, state: Array) -> tuple[float, Array]:
        damping = 1e-3
        jacobian, residual = self.linearise(state)
        cost = float(residual @ residual)
        for _ in range(ITERATIONS):
            normal = jacobian.T @ jacobian
            step = np.linalg.solve(
                normal + damping * np.diag(np.diag(normal)), -jacobian.T @ residual
            )
            next_jacobian, next_residual = self.linearise(state + step)
            next_cost = float(next_residual @ next_residual)
            if next_cost > cost:
                damping *= 10
                continue
            state, jacobian, residual = state + step, next_jacobian, next_residual
            done = cost - next_cost < 1e-5 * (1 + cost)
            cost, damping = next_cost, damping / 5
            if done:
                break
        return cost, state

    def linearise(self, state: Array) -> tuple[Array, Array]:
        """Whitened jacobian (m, 4 + 2k) and residuals (m,) of measurements and priors."""
        n, k = self._weights.shape
        drift_e, drift_n = state[4 : 4 + k], state[4 + k :]
        east = state[E] - self.east - self._weights @ drift_e
        north = state[N] - self.north - self._weights @ drift_n
        up = state[H] - self.lens_height_m
        range2 = np.maximum(east**2 + north**2, MIN_RANGE_M**2)
        ground, slant2 = np.sqrt(range2), range2 + up**2
        off = np.arctan2(east, north) - self.bearing
        off = (off + math.pi) % (2 * math.pi) - math.pi
        tilt = np.arctan2(up, ground) - self.elevation
        size = state[SIZE] - 0.5 * np.log(slant2) - self.log_size
        rows = np.zeros((3, n, 4 + 2 * k))
        rows[0, :, E], rows[0, :, N] = north / range2, -east / range2
        rows[1, :, E], rows[1, :, N] = -up * east / ground / slant2, -up * north / ground / slant2
        rows[1, :, H] = ground / slant2
        rows[2, :, E], rows[2, :, N] = -east / slant2, -north / slant2
        rows[2, :, H], rows[2, :, SIZE] = -up / slant2, 1
        rows[:, :, 4 : 4 + k] = -rows[:, :, [E]] * self._weights
        rows[:, :, 4 + k :] = -rows[:, :, [N]] * self._weights
        prior = np.zeros((2 + 2 * k, 4 + 2 * k))
        prior[0, H], unlikely = height_prior(state[H])
        prior[1, SIZE] = 1 / SIZE_SIGMA
        prior[2 : 2 + k, 4 : 4 + k] = prior[2 + k :, 4 + k :] = self._white_drift
        expected = np.zeros(4 + 2 * k)
        expected[SIZE] = self.size_prior
        pulled = prior @ (state - expected)
        pulled[0] = unlikely
        return (
            np.concatenate(
                [
                    self._white_bearing @ rows[0],
                    self._white_elevation @ rows[1],
                    rows[2] / GLIMPSE_SIZE_SIGMA,
                    prior,
                ]
            ),
            np.concatenate(
                [
                    self._white_bearing @ off,
                    self._white_elevation @ tilt,
                    size / GLIMPSE_SIZE_SIGMA,
                    pulled,
                ]
            ),
        )


def height_prior(height_m: Array) -> tuple[Array, Array]:
    """Slope (per metre) and residual of a height's logarithm, of unit covariance."""
    high = np.maximum(height_m, LEAST_HEIGHT_M)
    return 1 / (MOUNT_HEIGHT_SIGMA * high), np.log(high / MOUNT_HEIGHT_M) / MOUNT_HEIGHT_SIGMA


def _whitening(covariance: Array) -> Array:
    """W with W C W' = 1."""
    inverse: Array = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float64)
    return inverse
