"""Rarer forms of cameras with where each is seen from; used for cut-outs only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.blender import camera_forms, mast_cameras

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from models.blender.assembly import Assembly


@dataclass(frozen=True, slots=True)
class Form:
    """How to build a camera, how often against the others, and whether from steeply below."""

    build: Callable[[Random], Assembly]
    weight: float = 1.0
    steep: bool = False


FORMS: tuple[Form, ...] = (
    Form(mast_cameras.build_standing, 7.0, steep=True),
    Form(mast_cameras.build_arm_domes, 4.0, steep=True),
    Form(mast_cameras.build_enforcement, 3.0),
    Form(camera_forms.build_old_bullet, 2.0),
    Form(camera_forms.build_hooded_bullet, 2.0),
    Form(camera_forms.build_group, 2.0),
    Form(camera_forms.build_soffit_dome, 3.0, steep=True),
    Form(camera_forms.build_ring_turret, 1.5, steep=True),
    Form(camera_forms.build_reader, 3.0),
)


def choose_form(rng: Random) -> Form:
    """Return one of the forms, by their weights."""
    return rng.choices(FORMS, [form.weight for form in FORMS])[0]
