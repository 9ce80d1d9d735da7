"""Sightings of one pass -> sites: the cameras that belong on one pole, facade or crossing.

A record carries one site. Its cameras are different cameras by construction, so two tracks of one
camera (seen, lost, seen again) are joined here first.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from scanner.core.geometry import Origin, distance_m
from scanner.core.wire import MAX_CAMERAS
from scanner.records import Covariance, Kind, Sighting

SITE_M: Final = 25.0  # no two cameras of a site are farther apart
JOIN_CHI2: Final = 6.0  # squared distance in sigmas up to which two tracks may be one camera: 95 %
JOIN_M: Final = 8.0


def join(sightings: Sequence[Sighting]) -> list[Sighting]:
    """The same sightings, with those that show one camera made into one.

    Two sightings can be one camera only if no frame shows both.
    """
    joined: list[Sighting] = []
    for new in sorted(sightings, key=lambda s: (s.first_frame, s.last_frame)):
        partner = min(
            (old for old in joined if _may_be_one(old, new)),
            key=lambda old: _chi2(old, new),
            default=None,
        )
        if partner is None:
            joined.append(new)
        else:
            joined[joined.index(partner)] = _fuse(partner, new)
    return joined


def group(sightings: Sequence[Sighting]) -> list[tuple[Sighting, ...]]:
    """Sites of 1 to 8 sightings; in each, all lie within 25 m of one another.

    The nearest come together first (agglomeration by the shortest distance): a record tells the hub
    that its cameras are different ones, which matters most for those that hang side by side.
    """
    ordered = sorted(sightings, key=lambda s: (s.first_frame, s.last_frame))
    apart = [[_apart_m(a, b) for b in ordered] for a in ordered]
    sites = [[i] for i in range(len(ordered))]
    pairs = sorted(
        (apart[i][j], i, j) for i in range(len(ordered)) for j in range(i) if apart[i][j] <= SITE_M
    )
    for _, i, j in pairs:
        mine = next(site for site in sites if i in site)
        other = next(site for site in sites if j in site)
        fits = len(mine) + len(other) <= MAX_CAMERAS
        if mine is not other and fits and all(apart[a][b] <= SITE_M for a in mine for b in other):
            mine += other
            sites.remove(other)
    return [tuple(ordered[i] for i in sorted(site)) for site in sites]


def _apart_m(a: Sighting, b: Sighting) -> float:
    return distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)


def _may_be_one(a: Sighting, b: Sighting) -> bool:
    together = not set(a.frames).isdisjoint(b.frames)
    kinds = a.kind == b.kind or Kind.UNKNOWN in (a.kind, b.kind)
    return not together and kinds and _apart_m(a, b) < JOIN_M and _chi2(a, b) < JOIN_CHI2


def _chi2(a: Sighting, b: Sighting) -> float:
    """Squared Mahalanobis distance by the relative errors: the common one is shared."""
    east, north = Origin(a.lat_deg, a.lon_deg).enu_from_geodetic(b.lat_deg, b.lon_deg)
    ee, en, nn = (x + y for x, y in zip(_values(a), _values(b), strict=True))
    return (nn * east**2 - 2 * en * east * north + ee * north**2) / (ee * nn - en**2)


def _values(s: Sighting) -> tuple[float, float, float]:
    return s.relative.ee, s.relative.en, s.relative.nn


def _fuse(a: Sighting, b: Sighting) -> Sighting:
    """Both tracks as one: positions weighted by their information."""
    origin = Origin(a.lat_deg, a.lon_deg)
    east, north = origin.enu_from_geodetic(b.lat_deg, b.lon_deg)
    (aee, aen, ann), (bee, ben, bnn) = _inverse(_values(a)), _inverse(_values(b))
    ee, en, nn = _inverse((aee + bee, aen + ben, ann + bnn))
    pull_e, pull_n = bee * east + ben * north, ben * east + bnn * north
    lat, lon = origin.geodetic_from_enu(ee * pull_e + en * pull_n, en * pull_e + nn * pull_n)
    surer = a if a.score * a.views >= b.score * b.views else b
    return msgspec.structs.replace(
        surer,
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(ee, en, nn),
        common_sigma_m=math.sqrt((a.common_sigma_m**2 + b.common_sigma_m**2) / 2),
        score=max(a.score, b.score),
        frames=tuple(sorted({*a.frames, *b.frames})),
        at_ns=max(a.at_ns, b.at_ns),
    )


def _inverse(symmetric: tuple[float, float, float]) -> tuple[float, float, float]:
    ee, en, nn = symmetric
    determinant = ee * nn - en**2
    return nn / determinant, -en / determinant, ee / determinant
