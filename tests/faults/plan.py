"""What is broken when: drawn from a seed before anything runs, so that a seed is one plan."""

import json
import random
from typing import Final

import msgspec

EVERY_S: Final = 20.0  # of accelerated time, from one fault to the next
QUIET_S: Final = 30.0  # at both ends
WALKERS: Final = ("walker-0", "walker-1")
CROWDS: Final = ("crowd-0", "crowd-1")
LOST: Final = "crowd-1"  # the device that never comes back
DEVICES: Final = (*WALKERS, *CROWDS)
WORKERS: Final = ("work-1", "work-2")
HUB: Final = ("serve", *WORKERS)
PI: Final = "pi"  # `scanner watch` as it is, on the demo's walk
PI_FROM_S: Final = 1_200.0  # it takes part in plans of so much time
RELAYS: Final = tuple(f"relay-{name}" for name in DEVICES)
LINE: Final = ("cut", "stall", "deaf", "twice", "late", "again", "bent")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something breaks at a time, and is whole again after ``for_s`` more; accelerated seconds."""

    at_s: float
    kind: str
    target: str
    for_s: float = 0.0
    amount: float = 0.0  # clock: seconds off; line: share of the messages


# kind -> how often, whom, from and to how long it lasts in accelerated seconds
KINDS: Final[dict[str, tuple[int, tuple[str, ...], tuple[float, float]]]] = {
    "kill": (30, (*DEVICES, *RELAYS, *HUB, *WORKERS), (2, 60)),
    "kill broker": (4, ("broker",), (5, 40)),
    "stop broker": (4, ("broker",), (5, 60)),
    "empty broker": (4, ("broker",), (5, 40)),  # it comes back without what it held
    "kill server": (4, ("postgres",), (5, 60)),
    "cut off": (2, ("postgres",), (0, 0)),  # the server ends every connection
    "stall": (14, (*DEVICES, *RELAYS, *HUB, *WORKERS, "broker", "postgres"), (10, 120)),
    "full disk": (10, (*DEVICES, "broker", "postgres"), (30, 150)),
    "clock": (8, (*WORKERS, *RELAYS), (40, 160)),
    "line": (14, LINE, (40, 160)),
    "lens": (5, WALKERS, (5, 40)),  # no frames
    "lens error": (3, WALKERS, (0, 0)),  # it ends with an error, and is started again
    "accelerator": (3, WALKERS, (10, 60)),  # an inference hangs
    "position": (5, WALKERS, (10, 90)),  # gpsd says nothing
}
CLOCKS_S: Final = (
    *(-20_000 * 86_400.0, 9_000 * 86_400.0),  # 1970 or so, and 2051
    *(-3 * 86_400.0, -400 * 86_400.0, 3_600.0, 30 * 86_400.0),
)
INSIDE: Final = ("lens", "lens error", "accelerator", "position")  # the device does them itself


def draw(seed: int, duration_s: float, every_s: float = EVERY_S) -> list[Fault]:
    """A fault every ``every_s``, and once each: a device lost, a backup, and its restoration."""
    dice = random.Random(seed)
    names, weights = list(KINDS), [weight for weight, _, _ in KINDS.values()]
    faults = []
    for number in range(int((duration_s - 2 * QUIET_S) / every_s)):
        at_s = QUIET_S + (number + dice.uniform(0.0, 0.9)) * every_s
        kind = dice.choices(names, weights)[0]
        _, targets, (least, most) = KINDS[kind]
        amount = dice.choice(CLOCKS_S) if kind == "clock" else dice.uniform(0.05, 0.5)
        target = dice.choice(targets)
        for_s = dice.uniform(least, most)
        faults.append(Fault(at_s=at_s, kind=kind, target=target, for_s=for_s, amount=amount))
    once = (("lose", LOST, 0.4, 0.8), ("backup", "hub", 0.2, 0.4), ("restore", "hub", 0.55, 0.75))
    for kind, target, least, most in once:
        faults.append(Fault(at_s=duration_s * dice.uniform(least, most), kind=kind, target=target))
    return sorted(faults, key=lambda fault: fault.at_s)


def inside(faults: list[Fault], device: str) -> str:
    """The faults that a device does itself, as its argument."""
    own = [f for f in faults if f.kind in INSIDE and f.target == device]
    return json.dumps([[f.kind, f.at_s, f.at_s + f.for_s] for f in own])
