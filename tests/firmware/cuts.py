"""Power cuts at random instants, and what must hold after each.

Announced is what the device has said to be safe: its panel's "found", which is told when a record's
row is in the outbox on the card. While no broker is there, each of these must hold:

- the card has at least as many records as were announced until the cut;
- a record that lay on the card at an earlier instant lies there at every later one;
- after the next start every record of the card reaches a broker.
"""

import itertools
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.firmware.machine import Card, Machine, listening, running

CUTS: Final = int(os.environ.get("CUTS", "3"))  # over all phases
SEED: Final = int(os.environ.get("SEED", "20"))
PHASES: Final = ("first start", "walk", "update")
STEP_S: Final = 3.0  # between two instants, in the mean
PATIENCE_S: Final = float(os.environ.get("PATIENCE", "1800"))
UP: Final = "Started scanner-watch"


class Cut(msgspec.Struct, frozen=True):
    """A card as the power cut at an instant left it."""

    card: Card
    phase: str
    at_s: float  # since the switch was turned on
    said: str  # on the console until then
    outbox: frozenset[str]  # records on the card


class Again(msgspec.Struct, frozen=True):
    """The start after a cut."""

    slot: str
    up: bool
    delivered: frozenset[str]
    took_s: float
    said: str


def share(phase: str) -> int:
    """How many of all cuts fall into a phase."""
    return CUTS // len(PHASES) + (PHASES.index(phase) < CUTS % len(PHASES))


def announced(said: str) -> int:
    """How many records the panel has told of; it says the same words only once in a row."""
    return sum(map(int, re.findall(r"\+ found: (\d+) site", said)))


def slots(said: str) -> list[str]:
    """The slots that were started, in order."""
    return re.findall(r"^scanner: slot ([ab])", said, re.MULTILINE)


def gather(
    machine: Machine, folder: Path, phase_of: Callable[[str], str], wanted: Mapping[str, int]
) -> list[Cut]:
    """Cards of so many instants of each phase, until ``phase_of`` the console says "end".

    Of all instants that were drawn in a phase each is as likely to be kept as any other, however
    long the phase lasts.
    """
    chance = random.Random(SEED)
    began_s = time.monotonic()
    kept: dict[str, list[tuple[float, str, Card]]] = {phase: [] for phase in wanted}
    drawn = dict.fromkeys(wanted, 0)
    while machine.runs() and time.monotonic() < began_s + PATIENCE_S:
        time.sleep(chance.uniform(0, 2 * STEP_S))
        said = machine.said()
        phase = phase_of(said)
        if phase == "end":
            break
        if phase not in wanted:
            continue
        drawn[phase] += 1
        place = len(kept[phase])
        if place >= wanted[phase]:
            place = int(chance.random() * drawn[phase])
        if place >= wanted[phase]:
            continue
        for _, _, old in kept[phase][place : place + 1]:
            old.path.unlink()
        at_s = time.monotonic() - began_s
        name = f"{phase}-{drawn[phase]}.qcow2".replace(" ", "-")
        kept[phase][place : place + 1] = [(at_s, said, machine.as_if_cut(folder / name))]
    assert phase_of(machine.said()) == "end", machine.said()[-6000:]
    return [
        Cut(card, phase, at_s, said, card.outbox(folder))
        for phase, rows in kept.items()
        for at_s, said, card in sorted(rows, key=lambda row: row[0])
    ]


def again(cut: Cut, folder: Path, port: int) -> Again:
    """Start the card once more, before a broker that knows nothing yet."""
    began_s = time.monotonic()
    console = folder / f"{cut.card.path.stem}.txt"
    console.unlink(missing_ok=True)
    with listening(folder, port) as broker, running(cut.card, console) as machine:
        up = machine.until(lambda: UP in machine.said(), PATIENCE_S)
        took_s = time.monotonic() - began_s
        machine.until(lambda: cut.outbox <= broker.ids(), PATIENCE_S / 3)
        said = machine.said()
        return Again((slots(said) or [""])[-1], up, broker.ids(), took_s, said)


def told(cut: Cut, then: Again) -> str:
    """One line for the log."""
    return (
        f"\n{cut.phase}, cut after {cut.at_s:.0f} s: slot {then.slot or '?'} "
        f"{'started' if then.up else 'DID NOT START'} in {then.took_s:.0f} s, "
        f"{len(cut.outbox & then.delivered)} of {len(cut.outbox)} records delivered"
    )


def vanished(cuts: Sequence[Cut]) -> frozenset[str]:
    """Records on an earlier card and not on a later one, where nothing could be sent meanwhile."""
    gone: frozenset[str] = frozenset()
    for one, other in itertools.pairwise(cuts):
        gone |= one.outbox - other.outbox
    return gone
