"""Our vector tiles, read back by another's decoder."""

import mapbox_vector_tile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.hub import tiles
from tests.helpers.web import tile_at

VALUES = st.one_of(st.text(max_size=12), st.integers(-(2**31), 2**31))
DOTS = st.tuples(
    st.integers(-128, 4224),
    st.integers(-128, 4224),
    st.dictionaries(st.sampled_from(["id", "kind", "month", "n", "direction"]), VALUES),
)


@given(st.lists(DOTS, min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_every_point_comes_back_as_it_was(dots: list[tiles.Dot]) -> None:
    tile = tiles.encode("cameras", dots)
    # The decoder turns y upwards unless told.
    layer = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})["cameras"]
    assert (layer["version"], layer["extent"]) == (2, 4096)
    found = [(*f["geometry"]["coordinates"], f["properties"]) for f in layer["features"]]
    assert found == [(x, y, dict(properties)) for x, y, properties in dots]
    assert {f["geometry"]["type"] for f in layer["features"]} == {"Point"}


def test_values_that_repeat_are_kept_once() -> None:
    one = tiles.encode("cameras", [(0, 0, {"kind": "bullet"})])
    many = tiles.encode("cameras", [(0, 0, {"kind": "bullet"})] * 11)
    assert len(many) - len(one) <= 10 * 14


def test_where_there_is_nothing_there_are_no_bytes() -> None:
    assert tiles.encode("cameras", []) == b""


@pytest.mark.parametrize(
    ("tile", "there"),
    [((0, 0, 0), True), ((0, 1, 0), False), ((3, 7, 7), True), ((3, 8, 0), False),
     ((3, 0, -1), False), ((16, 65535, 65535), True), ((17, 0, 0), False), ((-1, 0, 0), False)],
)  # fmt: skip
def test_which_tiles_there_can_be(tile: tuple[int, int, int], *, there: bool) -> None:
    assert tiles.exists(*tile) is there


@given(st.floats(-85, 85), st.floats(-180, 179.999), st.integers(0, 16))
def test_a_place_lies_where_its_tile_says(lat: float, lon: float, z: int) -> None:
    x, y = tile_at(z, lat, lon)
    assert tiles.exists(z, int(x), int(y))
    assert tiles.place_of(z, x, y) == pytest.approx((lat, lon), abs=1e-9)
