"""The web side over a store of given cameras, as a real server."""

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import uvicorn
from starlette.routing import BaseRoute

from scanner.core.fusing.fusion import Camera, Member
from scanner.core.wire import CameraFeature, CameraProperties, Claims, Point, Status, geohash
from scanner.hub.api import Api, Health, MapReader, PageSettings
from scanner.hub.api_guard import Limiter
from scanner.hub.feed import Feed
from scanner.hub.stores.protocol import Shown, Store
from scanner.records import Covariance, Kind
from tests.helpers.waiting import until

Placed = tuple[str, Camera, Shown]


def placed(
    camera_id: str,
    lat_deg: float,
    lon_deg: float,
    kind: Kind = Kind.DOME,
    *,
    direction_deg: float | None = None,
    sigma_m: float = 2.0,
    status: Status = "confirmed",
    first: str = "2026-09",
    last: str = "2026-11",
) -> Placed:
    """A camera as the map keeps it and as readers see it."""
    camera = Camera(
        members=(Member(0, camera_id.ljust(32, "0")[:32], 0),),
        kind=kind,
        kind_share=1.0,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        covariance=Covariance(sigma_m**2, 0.0, sigma_m**2),
        height_m=3.0,
        first_day=20_700,
        last_day=20_760,
    )
    feature = CameraFeature(
        id=camera_id,
        geometry=Point((round(lon_deg, 6), round(lat_deg, 6))),
        properties=CameraProperties(
            kind=kind,
            sigma_m=sigma_m,
            status=status,
            basis=Claims(present="reports", kind="reports"),
            confirmations="3-5",
            first_seen=first,
            last_seen=last,
            tags={"man_made": "surveillance"},
            direction_deg=direction_deg,
        ),
    )
    shown = Shown(
        id=camera_id,
        cell=geohash(lat_deg, lon_deg),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        kind=kind,
        sigma_m=sigma_m,
        direction_deg=direction_deg,
        status=status,
        confirmations="3-5",
        first_month=first,
        last_month=last,
        feature=msgspec.json.encode(feature),
    )
    return camera_id, camera, shown


def tile_at(z: int, lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """Where a place lies, counted in tiles of a zoom; whole parts are the tile's x and y."""
    size = 1 << z
    down = (1 - math.asinh(math.tan(math.radians(lat_deg))) / math.pi) / 2
    return (lon_deg + 180) / 360 * size, down * size


def put(store: Store, cameras: Iterable[Placed], *, old: Iterable[str] = ()) -> None:
    """Bring cameras to the map of a store, in place of others."""
    with store.transaction():
        store.put_cameras(old, [(i, shown.cell, camera, shown) for i, camera, shown in cameras])


@contextlib.contextmanager
def served(
    store: Store,
    *,
    feed: Feed | None = None,
    page: PageSettings | None = None,
    review: Sequence[BaseRoute] = (),
    limiter: Limiter | None = None,
    behind_proxy: bool = False,
) -> Iterator[str]:
    """Address of a running server over a store."""
    feed = feed or Feed()
    health = Health(ok=True, broker="online", store="ok")
    api = Api(
        MapReader(store),
        feed,
        lambda: health,
        page=page or PageSettings(),
        review=review,
        limiter=limiter,
        behind_proxy=behind_proxy,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            api.app(), port=0, lifespan="off", ws="none", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, timeout_graceful_shutdown=2,
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        feed.close()
        server.should_exit = True
        thread.join()
