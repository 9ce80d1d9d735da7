"""Records of imagined passes."""

import hashlib
from collections.abc import Sequence

from scanner.core.fusing.vicinity import Report
from scanner.core.geometry import Origin
from scanner.core.wire import KIND_CODES, CameraEntry, Record
from scanner.records import Kind

ORIGIN = Origin(52.3702, 4.8952)
DAY = 20_700  # 2026-09-04
Place = tuple[float, float]  # metres east and north of ORIGIN


def entry(
    place: Place, kind: Kind = Kind.DOME, *, sigma_m: float = 0.7, height_dm: int | None = 30
) -> CameraEntry:
    """One camera at a place."""
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*place)
    variance = round(sigma_m**2 * 1e4)
    return CameraEntry(
        kind=KIND_CODES.index(kind),
        lat_e7=round(lat_deg * 1e7),
        lon_e7=round(lon_deg * 1e7),
        ee_cm2=variance,
        en_cm2=0,
        nn_cm2=variance,
        height_dm=height_dm,
        views_band=2,
        score_band=3,
    )


def record(cameras: Sequence[CameraEntry], *, common_m: float = 3.0, day: int = DAY) -> Record:
    """One pass."""
    return Record(
        bucket_days=1,
        bucket=day,
        common_sigma_cm=round(common_m * 100),
        model="test-1",
        cameras=tuple(cameras),
    )


def report(number: int, cameras: Sequence[CameraEntry], *, common_m: float = 3.0) -> Report:
    """One pass as the hub keeps it; its id is as good as random."""
    return Report(
        number=number,
        record_id=hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest(),
        record=record(cameras, common_m=common_m),
    )
