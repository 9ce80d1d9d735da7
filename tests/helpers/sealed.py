"""Sealed records of simulated sites, quickly."""

import time

from nacl.public import PublicKey

from scanner.core.wire import CameraEntry, Record
from scanner.sealing import seal


def sealed(
    number: int, key: PublicKey, lat_e7: int = 557_520_000, lon_e7: int = 376_175_000
) -> bytes:
    """Record ``number``, of a place of its own near the given one, of this week."""
    entry = CameraEntry(
        kind=2,
        lat_e7=lat_e7 + number // 1000 * 20_000,
        lon_e7=lon_e7 + number % 1000 * 20_000,
        ee_cm2=10_000,
        en_cm2=0,
        nn_cm2=10_000,
        height_dm=40,
        views_band=2,
        score_band=3,
    )
    bucket = int(time.time() // 86_400) // 7
    return seal(
        Record(bucket_days=7, bucket=bucket, common_sigma_cm=150, model="t", cameras=(entry,)), key
    )
