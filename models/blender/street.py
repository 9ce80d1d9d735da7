"""Build a street along a course: ground, fronts, cars, trees, posts and what hangs on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix

from models.blender import furniture, lookalikes, studio
from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, Part, grey
from models.blender.cameras import KINDS, build_camera
from models.blender.facades import make_building
from models.blender.materials import shader
from models.blender.openings import Building
from models.blender.plan import ROAD_Z, Plan, on_front, post_mount, wall_mount
from models.blender.sightings import Placed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from numpy.typing import NDArray


@dataclass(slots=True)
class Street:
    """A built street and its camera heads."""

    plan: Plan
    heads: list[Placed] = field(default_factory=list)

    def put(self, model: Assembly, matrix: NDArray[np.float64]) -> None:
        """Place a model by its 4x4 matrix and remember its camera heads."""
        things = studio.place_model(model, matrix)
        for number, thing in enumerate(things):
            points = model.head_vertices(number) @ matrix[:3, :3].T + matrix[:3, 3]
            self.heads.append(Placed(model.heads[number], thing, points))


def lay_ground(plan: Plan, rng: Random) -> None:
    """Draw road, kerbs, pavements, markings and the land beyond."""
    course, stations = plan.course, list(np.arange(plan.start_m, plan.end_m + 1, 1.5))
    asphalt = Finish("asphalt", grey(rng.uniform(0.035, 0.08), 0.03), 0.85)
    stone = Finish(
        "paving",
        grey(rng.uniform(0.22, 0.4), 0.04),
        0.85,
        dirt=0.6,
        second=grey(0.1),
        scale=rng.choice([0.6, 0.8, 1.0]),
    )
    edge = Finish("plaster", grey(rng.uniform(0.3, 0.42)), 0.85, dirt=0.6)
    paint = Finish("paint", grey(0.6, 0.03), 0.7, dirt=0.5, scale=3)
    parts = [Part(course.strip(stations, plan.road_left_m, plan.road_right_m, ROAD_Z), asphalt)]
    parts.append(Part(course.strip(stations, plan.wall_left_m + 12, plan.road_left_m, 0), stone))
    parts.append(Part(course.strip(stations, plan.road_right_m, plan.wall_right_m - 12, 0), stone))
    parts += [
        Part(mesh, edge)
        for left in (plan.road_left_m + 0.15, plan.road_right_m)
        for mesh in course.kerb(stations, left, 0.15, ROAD_Z, 0.012)
    ]
    middle = (plan.road_left_m + plan.road_right_m) / 2
    if plan.road_left_m - plan.road_right_m > 5.6:
        for start in np.arange(plan.start_m, plan.end_m, 5.0):
            parts.append(
                Part(
                    course.strip(
                        [start, start + 1.2, start + 2.4],
                        middle + 0.06,
                        middle - 0.06,
                        ROAD_Z + 0.004,
                    ),
                    paint,
                )
            )
    crossing = rng.uniform(plan.start_m + 10, plan.end_m - 20)
    for left in np.arange(plan.road_right_m + 0.3, plan.road_left_m - 0.5, 1.0):
        parts.append(
            Part(course.strip([crossing, crossing + 3.0], left + 0.5, left, ROAD_Z + 0.005), paint)
        )
    parts.append(Part(sh.plain_box(-250, 250, -250, 250, -0.4, -0.3), asphalt))
    studio.make_object("ground", parts)


def write_letters(building: Building, matrix: NDArray[np.float64]) -> None:
    """Add the letterings of a front as text objects."""
    for sign in building.letterings:
        data = bpy.data.curves.new("letters", "FONT")
        data.body, data.size, data.extrude = sign.text, sign.height_m, 0.01
        data.materials.append(shader(Finish("paint", sign.colour, 0.4, dirt=0.0)))
        thing = bpy.data.objects.new("letters", data)
        thing.matrix_world = Matrix((matrix @ sh.shift(*sign.at) @ sh.turn("x", 90)).tolist())
        bpy.context.scene.collection.objects.link(thing)


def line_with_fronts(plan: Plan, rng: Random) -> None:
    """Draw buildings along both sides, and one across each end."""
    for side in ("left", "right"):
        station = plan.start_m
        while station < plan.end_m:
            width = rng.uniform(8, 17)
            building = make_building(rng, width)
            if side == "left":
                matrix = plan.course.frame_at(station + width / 2, plan.wall_left_m) @ sh.shift(
                    -width / 2
                )
            else:
                matrix = (
                    plan.course.frame_at(station + width / 2, plan.wall_right_m)
                    @ sh.turn("z", 180)
                    @ sh.shift(-width / 2)
                )
            studio.place_model(building.model, matrix)
            write_letters(building, matrix)
            station += width + (rng.uniform(2, 5) if rng.random() < 0.08 else 0.0)
    for end, heading in (
        (plan.end_m + rng.uniform(4, 25), -90),
        (plan.start_m - rng.uniform(4, 15), 90),
    ):
        matrix = plan.course.frame_at(end) @ sh.turn("z", heading)
        for place in (-24, -8, 8):
            building = make_building(rng, 16, rng.choice([3, 4, 5]))
            studio.place_model(building.model, matrix @ sh.shift(place))
            write_letters(building, matrix @ sh.shift(place))


def park_cars(plan: Plan, rng: Random, share: float) -> None:
    """Park cars along the kerbs; share is how full they are."""
    cars = [furniture.make_car(rng) for _ in range(5)]
    for side in ("left", "right"):
        if side == "right" and plan.road_left_m - plan.road_right_m < 5.6:
            continue
        left = plan.road_left_m - 1.05 if side == "left" else plan.road_right_m + 1.05
        station = plan.start_m + rng.uniform(0, 5)
        while station < plan.end_m:
            if rng.random() < share:
                # The left lane faces the other way.
                turn = 180 if side == "left" else 0
                matrix = plan.course.frame_at(station, left + rng.gauss(0, 0.08), ROAD_Z)
                studio.place_model(
                    rng.choice(cars),
                    matrix @ sh.turn("z", turn + rng.gauss(0, 1.5)) @ sh.shift(-2.2),
                )
            station += rng.uniform(5.4, 6.5)


def plant_trees(plan: Plan, rng: Random, stations_m: Sequence[float]) -> None:
    """Plant trees at the kerbs."""
    bare = rng.random() < 0.25
    kinds = [furniture.make_tree(rng, bare=bare) for _ in range(3)]
    for station in stations_m:
        left = rng.choice([plan.road_left_m + 0.7, plan.road_right_m - 0.7])
        studio.place_model(
            rng.choice(kinds),
            plan.course.frame_at(station, left) @ sh.turn("z", rng.uniform(0, 360)),
        )


def hang_lookalikes(street: Street, rng: Random, count: int) -> None:
    """Hang random look-alikes on the fronts."""
    plan = street.plan
    for _ in range(count):
        name = rng.choice(lookalikes.WALL)
        at = wall_mount(
            plan,
            rng.choice(["left", "right"]),
            rng.uniform(plan.start_m, plan.end_m),
            rng.uniform(2.8, 6.5),
        )
        street.put(lookalikes.BUILDERS[name](rng), on_front(at))


def raise_post(
    street: Street, rng: Random, station_m: float, left_m: float, *, lamp: bool
) -> tuple[float, float]:
    """Put up a post with a lamp or smaller things; returns height and radius in metres."""
    plan = street.plan
    height, radius = (
        (rng.uniform(6, 8.5), rng.uniform(0.06, 0.1))
        if lamp
        else (rng.uniform(3.6, 5.5), rng.uniform(0.045, 0.07))
    )
    street.put(furniture.make_post(rng, height, radius), plan.course.frame_at(station_m, left_m))
    inward = -90 if left_m > 0 else 90
    if lamp:
        street.put(
            lookalikes.BUILDERS["street_lamp"](rng),
            post_mount(plan, (station_m, left_m, height - 0.15), radius * 0.5, inward),
        )
    for up in (rng.uniform(2.3, 3.0), rng.uniform(3.2, 4.4)):
        if rng.random() < 0.5:
            name = rng.choice(
                [name for name in lookalikes.POLE if name not in {"street_lamp", "insulator"}]
            )
            street.put(
                lookalikes.BUILDERS[name](rng),
                post_mount(plan, (station_m, left_m, up), radius, rng.uniform(-180, 180)),
            )
    return height, radius


def string_wires(plan: Plan, rng: Random, count: int) -> None:
    """Hang wires across and along the street."""
    for _ in range(count):
        station, up = rng.uniform(plan.start_m, plan.end_m), rng.uniform(5.5, 8)
        start = plan.course.frame_at(station, plan.wall_left_m, up)[:3, 3]
        end = plan.course.frame_at(
            station + rng.uniform(-6, 6), plan.wall_right_m, up + rng.uniform(-1, 1)
        )[:3, 3]
        studio.place_model(furniture.make_wire(start, end, rng.uniform(0.1, 0.5)), np.eye(4))


def random_street(rng: Random, plan: Plan, *, cameras: int) -> Street:
    """Build a street with the number of cameras on fronts and posts, among look-alikes."""
    street = Street(plan)
    lay_ground(plan, rng)
    line_with_fronts(plan, rng)
    park_cars(plan, rng, rng.uniform(0, 0.8))
    length = plan.end_m - plan.start_m
    plant_trees(
        plan, rng, [rng.uniform(plan.start_m, plan.end_m) for _ in range(rng.choice([0, 2, 4, 6]))]
    )
    string_wires(plan, rng, rng.choice([0, 0, 2, 5]))
    hang_lookalikes(street, rng, round(length / rng.uniform(2.5, 6)))
    posts = []
    for station in np.arange(plan.start_m + rng.uniform(0, 8), plan.end_m, rng.uniform(8, 16)):
        left = rng.choice([plan.road_left_m + 0.5, plan.road_right_m - 0.5])
        posts.append(
            (
                float(station),
                left,
                *raise_post(street, rng, float(station), left, lamp=rng.random() < 0.6),
            )
        )
    for _ in range(rng.randint(0, 8)):
        left = rng.choice([plan.road_left_m + 0.35, plan.road_right_m - 0.35])
        street.put(
            furniture.make_bollard(rng),
            plan.course.frame_at(rng.uniform(plan.start_m, plan.end_m), left),
        )
    for _ in range(cameras):
        kind = rng.choices(KINDS, (38, 25, 20, 17))[0]
        if posts and (kind == "alpr" or rng.random() < 0.4):
            station, left, height, radius = rng.choice(posts)
            up = rng.uniform(2.6, min(height - 0.4, 5.5))
            street.put(
                build_camera(kind, rng, "pole"),
                post_mount(plan, (station, left, up), radius, rng.uniform(-180, 180)),
            )
        else:
            at = wall_mount(
                plan,
                rng.choice(["left", "right"]),
                rng.uniform(plan.start_m + 2, plan.end_m - 2),
                rng.uniform(2.6, 5.5),
            )
            street.put(build_camera(kind, rng, "wall"), on_front(at))
    return street
