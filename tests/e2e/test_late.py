"""Who comes late to the map still gets all of it."""

from pathlib import Path

import pytest

from scanner.hub import broker as brokers
from scanner.hub.broker import KindName
from tests.helpers.late import listen, make_city, publish_city

CAMERAS = 20_000


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city") / "city.sqlite3", CAMERAS)


@pytest.mark.parametrize(
    ("kind", "qualities"),
    # iotcore stops at 100 retained messages for a filter at QoS 1: readers must ask for QoS 0.
    [("mosquitto", (0, 1)), ("iotcore", (0,))],
)
def test_a_late_subscriber_to_a_region_of_20000_cameras_has_all_of_it_within_10_s(
    tmp_path: Path, city: Path, kind: KindName, qualities: tuple[int, ...]
) -> None:
    own = brokers.start(tmp_path, kind=kind)
    try:
        access = own.access("hub")
        cells = publish_city(access.settings, access.password, city)
        for qos in qualities:
            late = listen(access.settings, cells, CAMERAS, qos=qos, patience_s=30)
            assert (late.got, late.cameras) == (cells, CAMERAS)
            assert late.seconds < 10
    finally:
        own.stop()
