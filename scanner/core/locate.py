"""Track -> where the camera is, with an error that can be believed, or the reason why not.

The most likely place given all glimpses at once (Gauss-Newton on the posterior, Levenberg damping).
Besides the camera's place and height the unknowns are what would otherwise make the answer too
sure of itself: the bias of the heading, of the pitch, of the assumed size, and the slow drift of
the GNSS track during the glimpses. Size and elevation are weak evidence of the range; they matter
because a lens that looks ahead sees little parallax.
"""

import math
from collections.abc import Sequence
from typing import Final

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
MOUNT_HEIGHT_M: Final = (3.8, 1.2)  # mean and sigma above ground
BEARING_SIGMA_DEG: Final = 2.0  # sway of the body, pixel of the box
ELEVATION_SIGMA_DEG: Final = 2.0
PITCH_BIAS_SIGMA_DEG: Final = 2.5  # how the device hangs today
GLIMPSE_SIZE_SIGMA: Final = 0.20  # box edges, turning aspect
GNSS_CORRELATION_S: Final = 60.0
MIN_VIEWS: Final = 3
MIN_PARALLAX_DEG: Final = 5.0
MAX_SIGMA_M: Final = 12.0
MIN_RANGE_M: Final = 0.5
ITERATIONS: Final = 25
HUBER: Final = 2.5  # sigmas from which one glimpse counts less

E, N, H, SIZE, HEADING, PITCH, DRIFT_E, DRIFT_N = range(8)


def locate(track: Track) -> Sighting | NotLocated:
    """Place of the camera that a track shows."""
    glimpses = track.glimpses
    kind = _kind(glimpses)
    if len(glimpses) < MIN_VIEWS:
        return NotLocated(reason="seen too few times", kind=kind, views=len(glimpses))
    scene = _Scene(glimpses, kind)
    if scene.parallax_deg() < MIN_PARALLAX_DEG:
        return NotLocated(reason="too little parallax", kind=kind, views=len(glimpses))
    state, information = scene.solve()
    covariance: Array = np.linalg.inv(information).astype(np.float64)
    worst = math.sqrt(float(np.linalg.eigvalsh(covariance[:2, :2])[-1]))
    if worst > MAX_SIGMA_M:
        return NotLocated(reason=f"error of {worst:.0f} m", kind=kind, views=len(glimpses))
    return _sighting(scene, kind, state, covariance)


def _sighting(scene: "_Scene", kind: Kind, state: Array, covariance: Array) -> Sighting:
    glimpses = scene.glimpses
    lat, lon = scene.origin.geodetic_from_enu(float(state[E]), float(state[N]))
    best = sorted((g.detection.score for g in glimpses), reverse=True)[:5]
    return Sighting(
        kind=kind,
        score=sum(best) / len(best),
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(
            float(covariance[E, E]), float(covariance[E, N]), float(covariance[N, N])
        ),
        common_sigma_m=sum(g.pose.sigma_m for g in glimpses) / len(glimpses),
        height_m=float(state[H]),
        views=len(glimpses),
        first_frame=glimpses[0].frame,
        last_frame=glimpses[-1].frame,
        at_ns=glimpses[-1].pose.at_ns,
    )


def _kind(glimpses: Sequence[Glimpse]) -> Kind:
    """The kind with the most score behind it; near views weigh more, they show more."""
    weight: dict[Kind, float] = {}
    for seen in glimpses:
        kind = seen.detection.kind
        weight[kind] = weight.get(kind, 0.0) + seen.detection.score * seen.size_deg
    return max(weight, key=lambda k: weight[k])


class _Scene:
    """The measurements of one track as arrays, all of length n, and the fit to them."""

    def __init__(self, glimpses: Sequence[Glimpse], kind: Kind) -> None:
        self.glimpses = glimpses
        first = glimpses[0].pose
        self.origin = Origin(first.lat_deg, first.lon_deg)
        places = [self.origin.enu_from_geodetic(g.pose.lat_deg, g.pose.lon_deg) for g in glimpses]
        self.east, self.north = np.array(places).T
        seconds = np.array([g.pose.at_ns / 1e9 for g in glimpses])
        self.seconds = seconds - seconds.mean()
        self.bearing = np.radians([g.pose.heading_deg + g.azimuth_deg for g in glimpses])
        self.elevation = np.radians([g.elevation_deg for g in glimpses])
        self.log_size = np.log(np.radians([g.size_deg for g in glimpses]))
        self.lens_height_m = first.height_m
        self.prior, self.prior_sigma = self._prior(kind)

    def _prior(self, kind: Kind) -> tuple[Array, Array]:
        heading = math.radians(max(g.pose.heading_sigma_deg for g in self.glimpses))
        sigma = sum(g.pose.sigma_m for g in self.glimpses) / len(self.glimpses)
        duration = max(float(np.ptp(self.seconds)), 1.0)
        # First-order Gauss-Markov error: variance of its change over the time of the track.
        change = sigma * math.sqrt(2 * (1 - math.exp(-duration / GNSS_CORRELATION_S)))
        mean = np.zeros(8)
        spread = np.full(8, 1e4)
        mean[H], spread[H] = MOUNT_HEIGHT_M
        mean[SIZE], spread[SIZE] = math.log(HEAD_SIZE_M[kind]), SIZE_SIGMA
        spread[HEADING], spread[PITCH] = heading, math.radians(PITCH_BIAS_SIGMA_DEG)
        spread[DRIFT_E] = spread[DRIFT_N] = change / duration
        return mean, spread

    def parallax_deg(self) -> float:
        """How far the direction to the camera turns over the track."""
        turned = [wrap_deg(math.degrees(b - self.bearing[0])) for b in self.bearing]
        return max(turned) - min(turned)

    def solve(self) -> tuple[Array, Array]:
        """Most likely state (8,) and its information matrix (8, 8), the best of three starts."""
        nearest = int(np.argmax(self.log_size))
        guess = math.exp(self.prior[SIZE] - self.log_size[nearest])
        fits = [self._descend(self._start(nearest, guess * f)) for f in (0.6, 1.0, 1.7)]
        _, state = min(fits, key=lambda fit: fit[0])
        jacobian, _ = self._linearise(state)
        return state, jacobian.T @ jacobian

    def _start(self, at: int, range_m: float) -> Array:
        state = self.prior.copy()
        state[E] = self.east[at] + range_m * math.sin(self.bearing[at])
        state[N] = self.north[at] + range_m * math.cos(self.bearing[at])
        return state

    def _descend(self, state: Array) -> tuple[float, Array]:
        damping = 1e-3
        jacobian, residual = self._linearise(state)
        cost = float(residual @ residual)
        for _ in range(ITERATIONS):
            normal = jacobian.T @ jacobian
            step = np.linalg.solve(
                normal + damping * np.diag(np.diag(normal)), -jacobian.T @ residual
            )
            next_jacobian, next_residual = self._linearise(state + step)
            next_cost = float(next_residual @ next_residual)
            if next_cost > cost:
                damping *= 10
                continue
            state, jacobian, residual = state + step, next_jacobian, next_residual
            done = cost - next_cost < 1e-6 * (1 + cost)
            cost, damping = next_cost, damping / 5
            if done:
                break
        return cost, state

    def _linearise(self, state: Array) -> tuple[Array, Array]:
        """Weighted jacobian (3n + 8, 8) and residuals (3n + 8,) of measurements and priors."""
        n = len(self.seconds)
        east = state[E] - self.east - state[DRIFT_E] * self.seconds
        north = state[N] - self.north - state[DRIFT_N] * self.seconds
        up = state[H] - self.lens_height_m
        range2 = np.maximum(east**2 + north**2, MIN_RANGE_M**2)
        ground = np.sqrt(range2)
        slant2 = range2 + up**2
        off = np.arctan2(east, north) - self.bearing - state[HEADING]
        off = (off + math.pi) % (2 * math.pi) - math.pi
        tilt = np.arctan2(up, ground) - self.elevation - state[PITCH]
        size = state[SIZE] - 0.5 * np.log(slant2) - self.log_size
        jacobian = np.zeros((3, n, 8))
        jacobian[0, :, E], jacobian[0, :, N] = north / range2, -east / range2
        jacobian[0, :, HEADING] = jacobian[1, :, PITCH] = -1
        jacobian[1, :, E] = -up * east / ground / slant2
        jacobian[1, :, N] = -up * north / ground / slant2
        jacobian[1, :, H] = ground / slant2
        jacobian[2, :, E], jacobian[2, :, N] = -east / slant2, -north / slant2
        jacobian[2, :, H], jacobian[2, :, SIZE] = -up / slant2, 1
        jacobian[:, :, DRIFT_E] = -jacobian[:, :, E] * self.seconds
        jacobian[:, :, DRIFT_N] = -jacobian[:, :, N] * self.seconds
        sigmas = (
            math.radians(BEARING_SIGMA_DEG),
            math.radians(ELEVATION_SIGMA_DEG),
            GLIMPSE_SIZE_SIGMA,
        )
        residual = np.stack([off, tilt, size]) / np.array(sigmas)[:, None]
        jacobian /= np.array(sigmas)[:, None, None]
        # One wrong association must not pull the answer: beyond HUBER the cost grows linearly.
        weight = np.sqrt(np.minimum(1.0, HUBER / np.maximum(np.abs(residual), 1e-9)))
        return (
            np.concatenate(
                [(jacobian * weight[..., None]).reshape(3 * n, 8), np.diag(1 / self.prior_sigma)]
            ),
            np.concatenate([(residual * weight).ravel(), (state - self.prior) / self.prior_sigma]),
        )
