"""The basemap's converter, on a small world that crosses the date line and rings a pole."""

from scanner.hub.world import world


def topology() -> dict[str, object]:
    """An island across the date line, two countries that share a border, a cap round the pole."""
    return {
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": [
            [[175, 0], [10, 0], [0, 5], [-10, 0], [0, -5]],  # the island, 175 to 185
            [[0, 0], [0, 10]],  # the border
            [[0, 10], [-10, 0], [0, -10], [10, 0]],  # west of it
            [[0, 10], [10, 0], [0, -10], [-10, 0]],  # east of it
            [[-180, -70], *[[60, -5], [60, 5]] * 3],  # the cap
        ],
        "objects": {
            "land": {"geometries": [{"arcs": [[[0]], [[2, ~3]], [[4]]]}]},
            "countries": {
                "geometries": [
                    {"arcs": [[1, 2]]},
                    {"arcs": [[[1, 3]]]},
                    {"type": None},
                ]
            },
        },
    }


def test_land_is_cut_at_the_date_line_and_closed_by_way_of_the_pole() -> None:
    land, border = world(topology())["features"]  # type: ignore[misc]
    rings = [polygon[0] for polygon in land["geometry"]["coordinates"]]
    assert all(ring[0] == ring[-1] for ring in rings)
    assert all(abs(lon) <= 180 for ring in rings for lon, _ in ring)
    spans = sorted((min(x for x, _ in r), max(x for x, _ in r)) for r in rings)
    assert spans == [(-180, -175), (-180, 180), (-10, 10), (175, 180)]
    cap = next(ring for ring in rings if min(y for _, y in ring) == -90)
    assert max(y for _, y in cap) == -70
    assert border["geometry"]["coordinates"] == [[(0, 0), (0, 10)]]


def test_a_point_that_adds_nothing_is_left_out() -> None:
    made = topology()
    made["arcs"][1] = [[0, 0], [0, 5], [0, 5]]  # type: ignore[index]
    _, border = world(made)["features"]  # type: ignore[misc]
    assert border["geometry"]["coordinates"] == [[(0, 0), (0, 10)]]
