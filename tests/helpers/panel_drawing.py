"""Draws docs/pictures/panel.svg: what one lamp does in each state, to scale.

python -m tests.helpers.panel_drawing > docs/pictures/panel.svg
"""

from html import escape

from scanner.core.blink import PATTERNS, Lamp, State

ROWS = [
    (State.SCANNING, "all is well"),
    (State.SEARCHING, "a position, no direction yet: walk on"),
    (State.NO_FIX, "no position: open sky is wanted"),
    (State.FOUND, "a site is on the card (once)"),
    (State.ASLEEP, "paused"),
    (State.TROUBLE, "something else: see the page"),
    (State.LENS, "the lens is lost or covered"),
    (State.ACCELERATOR, "no accelerator: slower"),
    (State.GNSS, "the position receiver is silent"),
    (State.DISK, "the card cannot be written"),
    (State.CLOCK, "no time from satellites"),
    (State.HEAT, "too hot, or too little power"),
    (State.DISK_FULL, "the card is full"),
    (State.ASK_WIPE, "press again to wipe"),
    (State.WIPED, "wiped (once)"),
]
SECONDS, PX_PER_S, ROW_PX, LEFT_PX, TOP_PX = 12, 34, 30, 404, 44
WIDTH_PX = LEFT_PX + SECONDS * PX_PER_S + 20
COLOURS = {Lamp.RED: "#c5221f", Lamp.YELLOW: "#b07800", Lamp.GREEN: "#1a7a3c"}


def colour(lamps: frozenset[Lamp]) -> str:
    return COLOURS[next(iter(lamps))] if len(lamps) == 1 else "#5a5f64"


def lights(state: State) -> list[tuple[float, float]]:
    """Beginning and end of each light, seconds, within the drawing."""
    pattern = PATTERNS[state]
    once = state in (State.FOUND, State.WIPED)
    found: list[tuple[float, float]] = []
    start = 0.0
    while start < SECONDS:
        edges = [start + edge for edge in pattern.edges]
        found += zip(edges[::2], edges[1::2], strict=True)
        start += SECONDS if once else pattern.cycle_s
    return [(a, min(b, SECONDS)) for a, b in found if a < SECONDS]


def row(number: int, state: State, meaning: str) -> list[str]:
    y = TOP_PX + number * ROW_PX
    shade = colour(PATTERNS[state].lamps)
    parts = [
        f'<text x="16" y="{y + 15}" class="name">{escape(state.value)}</text>',
        f'<text x="128" y="{y + 15}">{escape(meaning)}</text>',
        f'<path d="M{LEFT_PX} {y + 20}h{SECONDS * PX_PER_S}" stroke="#888" stroke-width=".75"/>',
    ]
    for begin, end in lights(state):
        x, width = LEFT_PX + begin * PX_PER_S, (end - begin) * PX_PER_S
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="17" rx="2" fill="{shade}"/>'
        )
    return parts


def drawing() -> str:
    """The whole picture."""
    height = TOP_PX + len(ROWS) * ROW_PX + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}"',
        ' font-family="system-ui, sans-serif" font-size="14" role="img">',
        "<title>What the panel's lamp does in each state, over twelve seconds</title>",
        "<style>text{fill:#222}.name{font-weight:600}.scale{fill:#666;font-size:12px}</style>",
        f'<rect width="{WIDTH_PX}" height="{height}" fill="#fbfaf7"/>',
    ]
    for second in range(0, SECONDS + 1, 2):
        x = LEFT_PX + second * PX_PER_S
        parts.append(f'<path d="M{x} {TOP_PX - 6}V{height - 10}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{x}" y="{TOP_PX - 14}" text-anchor="middle" class="scale">{second} s</text>'
        )
    for number, (state, meaning) in enumerate(ROWS):
        parts += row(number, state, meaning)
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    print(drawing(), end="")
