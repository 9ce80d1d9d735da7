"""Reviews of schema 1 and 2 as words of the review log."""

from collections.abc import Callable
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.reviewing.reviewlog import Word, anchor_of, encode_body
from scanner.hub.stores.database import Database
from scanner.records import Covariance, Kind

BESIDE_DEG: Final = 0.0003  # of latitude: as far as a tombstone may reach, and some more

_cameras = msgspec.msgpack.Decoder(Camera)


def words(db: Database) -> Callable[[str], bytes]:
    """Body of a line of the log by the reviewed camera's id.

    The cameras that stood beside it were not meant by the review. Of a camera that is gone nothing
    is known.
    """
    reviewed = db.rows(
        "SELECT id, lat_deg, lon_deg, body FROM cameras WHERE id IN (SELECT camera_id FROM reviews)"
    )
    found: dict[str, bytes] = {}
    for camera_id, lat_deg, lon_deg, body in reviewed:
        camera = _cameras.decode(body)
        beside = db.rows(
            "SELECT body FROM cameras WHERE lat_deg BETWEEN ? AND ? AND id <> ? "
            "AND abs(lon_deg - ?) < ?",
            (lat_deg - BESIDE_DEG, lat_deg + BESIDE_DEG, camera_id, lon_deg, 3 * BESIDE_DEG),
        )
        found[camera_id] = encode_body(
            Word(
                kind=camera.kind,
                kind_share=camera.kind_share,
                covariance=camera.covariance,
                spared=tuple(anchor_of(_cameras.decode(b).members[0]) for (b,) in beside),
            )
        )
    nothing = encode_body(Word(kind=Kind.UNKNOWN, kind_share=0.0, covariance=Covariance(1, 0, 1)))
    return lambda camera_id: found.get(camera_id, nothing)
