"""Everyday things that are no cameras, with where each is met; used for cut-outs only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.blender import (
    camera_signs,
    car_parts,
    ceilings,
    fasteners,
    fixtures,
    passers_by,
    patches,
    pole_gear,
    power_gear,
    road_gear,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from models.blender.assembly import Assembly


@dataclass(frozen=True, slots=True)
class Thing:
    """How to build a thing, how often against the others, and where it is met.

    on_pole and on_wall are shares; the rest stands alone. level: seen from its own height, not
    from below.
    """

    build: Callable[[Random], Assembly]
    weight: float = 1.0
    on_pole: float = 0.0
    on_wall: float = 0.0
    level: bool = False


THINGS: tuple[Thing, ...] = (
    Thing(patches.build_holed_surface, 5, level=True),
    Thing(patches.build_knots, 1, level=True),
    Thing(patches.build_post_holes, 2, level=True),
    Thing(fasteners.build_fasteners, 3.5, level=True),
    Thing(fasteners.build_lug, 2.5, on_pole=0.4),
    Thing(fasteners.build_clamp, 2),
    Thing(fasteners.build_lock, 1.5, level=True),
    Thing(fasteners.build_tap, 1.2, level=True),
    Thing(fixtures.build_conduit_box, 1.6, on_wall=0.6),
    Thing(fixtures.build_door_bell, 1.2, on_wall=0.6, level=True),
    Thing(fixtures.build_door_furniture, 1.5, level=True),
    Thing(fixtures.build_vent, 1.6, on_wall=0.5),
    Thing(fixtures.build_gutter, 0.8, on_wall=0.4),
    Thing(fixtures.build_wall_speaker, 1.6, on_wall=0.4, on_pole=0.2),
    Thing(ceilings.build_motion_sensor, 1.4, on_wall=0.6),
    Thing(ceilings.build_ceiling_disc, 2.4),
    Thing(ceilings.build_access_point, 1.2, on_wall=0.5, on_pole=0.1),
    Thing(ceilings.build_exit_light, 1.2, on_wall=0.5),
    Thing(pole_gear.build_weather_station, 1.8, on_pole=0.8),
    Thing(pole_gear.build_feed_horn, 1.4, on_wall=0.3),
    Thing(pole_gear.build_photocell, 1.0),
    Thing(power_gear.build_cross_arm, 2.5, on_pole=0.7),
    Thing(power_gear.build_transformer, 0.9, on_pole=0.9),
    Thing(pole_gear.build_equipment_box, 2.5, on_pole=0.6, on_wall=0.2),
    Thing(pole_gear.build_radio_unit, 1.8, on_pole=0.9),
    Thing(power_gear.build_solar_mast, 1.6, on_pole=0.95),
    Thing(road_gear.build_double_lamp, 2.2),
    Thing(road_gear.build_lamp_head, 1.8),
    Thing(road_gear.build_signal, 3.0, on_pole=0.7),
    Thing(road_gear.build_push_button, 1.4, on_pole=0.8, level=True),
    Thing(road_gear.build_cabinet_corner, 0.6, level=True),
    Thing(camera_signs.build_camera_sign, 2.6, on_pole=0.3, on_wall=0.35),
    Thing(camera_signs.build_round_sticker, 1.2, on_wall=0.6, level=True),
    Thing(passers_by.build_person, 1.8, level=True),
    Thing(passers_by.build_bag, 0.6, level=True),
    Thing(passers_by.build_bird, 1.2),
    Thing(car_parts.build_side_mirror, 1.0, level=True),
    Thing(car_parts.build_wheel, 0.8, level=True),
    Thing(car_parts.build_head_lamp, 1.0, level=True),
    Thing(car_parts.build_parked_car, 0.5, level=True),
    Thing(car_parts.build_bicycle_lamp, 0.8, level=True),
    Thing(passers_by.build_ornament, 1.0),
    Thing(passers_by.build_leaves, 1.2),
)


def choose_thing(rng: Random) -> Thing:
    """Return one of the things, by their weights."""
    return rng.choices(THINGS, [thing.weight for thing in THINGS])[0]
