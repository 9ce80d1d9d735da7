"""The policies that are measured, and ``careful`` with one of its rules missing."""

from typing import Final

from msgspec.structs import replace

from scanner.core.geometry import Origin
from scanner.core.privacy import CAREFUL, HOSTILE, OPEN, Delay
from tests.attack.table import Design, as_due

ORIGIN: Final = Origin(55.752, 37.6175)
GOALS: Final = {"walk": 0.12, "device": 0.05, "home": 0.30}

DESIGNS: Final = {
    "open": Design(OPEN, as_due),
    "careful": Design(CAREFUL, as_due),
    "hostile": Design(HOSTILE, as_due),
    "careful, all sent at the walk's end": Design(replace(CAREFUL, delay=Delay()), as_due),
    "careful, cameras reported again each day": Design(replace(CAREFUL, once_days=1), as_due),
    "careful, no home told": Design(replace(CAREFUL, home=False), as_due),
    "careful, again each day and no home told": Design(
        replace(CAREFUL, once_days=1, home=False), as_due
    ),
}
