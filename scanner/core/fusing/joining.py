"""Two cameras that are one, by their covariances."""

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.geometry import Origin
from scanner.records import Covariance, Kind


def joined(one: Camera, other: Camera) -> Camera:
    """One camera of two: weighted by their covariances, which grow if the two disagree.

    The growth is Birge's ratio, chi-squared by its degrees of freedom (R. T. Birge, Phys. Rev. 40,
    1932).
    """
    a, b = sorted((one, other), key=lambda camera: camera.members[0])
    origin = Origin(a.lat_deg, a.lon_deg)
    offset = origin.enu_from_geodetic(b.lat_deg, b.lon_deg)
    total = Covariance(
        a.covariance.ee + b.covariance.ee,
        a.covariance.en + b.covariance.en,
        a.covariance.nn + b.covariance.nn,
    )
    pull_e, pull_n = solve(total, float(offset[0]), float(offset[1]))
    c = a.covariance
    east, north = c.ee * pull_e + c.en * pull_n, c.en * pull_e + c.nn * pull_n
    grow = max(1.0, chi2(total, float(offset[0]), float(offset[1])) / 2)
    # a - a (a + b)^-1 a: column by column.
    first, second = solve(total, c.ee, c.en), solve(total, c.en, c.nn)
    covariance = Covariance(
        grow * (c.ee - c.ee * first[0] - c.en * first[1]),
        grow * (c.en - c.ee * second[0] - c.en * second[1]),
        grow * (c.nn - c.en * second[0] - c.nn * second[1]),
    )
    lat_deg, lon_deg = origin.geodetic_from_enu(east, north)
    named = [camera for camera in (a, b) if camera.kind is not Kind.UNKNOWN] or [a]
    surest = max(named, key=lambda camera: (camera.reports * camera.kind_share, camera is a))
    weights = [(x.kind, x.reports * x.kind_share) for x in named]
    agreed = sum(w for kind, w in weights if kind is surest.kind) / sum(w for _, w in weights)
    heights = [(x.height_m, x.reports) for x in (a, b) if x.height_m is not None]
    return msgspec.structs.replace(
        a,
        members=tuple(sorted({*a.members, *b.members})),
        kind=surest.kind,
        kind_share=agreed * surest.kind_share,
        lat_deg=float(lat_deg),
        lon_deg=float(lon_deg),
        covariance=covariance,
        height_m=sum(h * n for h, n in heights) / sum(n for _, n in heights) if heights else None,
        first_day=min(a.first_day, b.first_day),
        last_day=max(a.last_day, b.last_day),
        cluster=max(a.cluster, b.cluster),
        existence=1 - (1 - a.existence) * (1 - b.existence),
        gone=min(a.gone, b.gone),
    )


def solve(matrix: Covariance, east: float, north: float) -> tuple[float, float]:
    """Inverse of the matrix times the vector."""
    det = matrix.ee * matrix.nn - matrix.en**2
    return (
        (matrix.nn * east - matrix.en * north) / det,
        (matrix.ee * north - matrix.en * east) / det,
    )


def chi2(matrix: Covariance, east: float, north: float) -> float:
    """Squared length of a vector in sigmas of the matrix."""
    pull = solve(matrix, east, north)
    return east * pull[0] + north * pull[1]
