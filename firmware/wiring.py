"""The picture of how the parts are connected: ``python -m firmware.wiring`` writes wiring.svg."""

from html import escape
from typing import Final

import msgspec

from firmware.layering import FOLDER

TARGET: Final = FOLDER / "wiring.svg"
WIDTH, HEIGHT = 940, 560
PIN_PX: Final = 22
HEADER_X, HEADER_Y = 430, 74
ROWS: Final = 20
# What the panel's keys in scanner.toml would be for this wiring.
PANEL: Final = {"red": 17, "yellow": 27, "green": 22, "buzzer": 23, "button": 24}


class Wire(msgspec.Struct, frozen=True):
    """From a pin of the 40-pin header to a part."""

    pin: int  # 1 to 40, as printed on the board
    name: str
    part: str
    colour: str
    y: int  # of the part


WIRES: Final = (
    Wire(1, "3.3 V", "GNSS receiver: VCC", "#b3261e", 90),
    Wire(6, "ground", "GNSS receiver: GND", "#202124", 120),
    Wire(8, "GPIO 14, TXD", "GNSS receiver: RX", "#1a66c9", 150),
    Wire(10, "GPIO 15, RXD", "GNSS receiver: TX", "#1a66c9", 180),
    Wire(9, "ground", "lamps, buzzer, button: common", "#202124", 240),
    Wire(11, "GPIO 17", "330 ohm, red lamp", "#b3261e", 280),
    Wire(13, "GPIO 27", "330 ohm, yellow lamp", "#a86b00", 320),
    Wire(15, "GPIO 22", "330 ohm, green lamp", "#1d7a34", 360),
    Wire(16, "GPIO 23", "active buzzer, at most 10 mA", "#6b3fa0", 400),
    Wire(18, "GPIO 24", "button", "#5f6368", 440),
)
CABLES: Final = (
    ("CAMERA ribbon", "Camera Module 3: contacts towards the contacts of the socket", 90),
    ("USB 3, blue", "Coral USB Accelerator: short cable; Zero 2 W: through an OTG adapter", 150),
    ("USB", "GNSS receiver with USB: instead of the one on pins 1, 6, 8, 10", 210),
    ("USB-C", "power bank, 5 V 3 A (Pi 4, Zero 2 W: 2.5 A by micro USB) or 5 V 5 A (Pi 5)", 270),
)


def place(pin: int) -> tuple[int, int]:
    """Where a pin is drawn: odd ones left, even ones right, pin 1 above."""
    row, right = divmod(pin - 1, 2)
    return HEADER_X + right * PIN_PX, HEADER_Y + row * PIN_PX


def drawing() -> str:
    """The picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
        ' font-family="sans-serif" font-size="13">',
        "<title>Wiring: camera, accelerator, receiver, lamps, buzzer and button</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(20, 30, "Sockets", weight="bold"),
        _text(HEADER_X - 30, 30, "40-pin header, seen from above", weight="bold"),
        _text(680, 30, "Parts", weight="bold"),
        f'<rect x="{HEADER_X - 14}" y="{HEADER_Y - 14}" width="50"',
        f' height="{ROWS * PIN_PX + 6}" rx="6" fill="#e8eaed" stroke="#5f6368"/>',
    ]
    for socket, what, y in CABLES:
        parts += [_box(20, y, socket), *_wrapped(20, y + 44, what)]
    used = {wire.pin for wire in WIRES}
    for pin in range(1, 2 * ROWS + 1):
        x, y = place(pin)
        fill = "#202124" if pin in used else "#bdc1c6"
        parts.append(f'<circle cx="{x}" cy="{y}" r="6" fill="{fill}"/>')
    for wire in WIRES:
        parts += _drawn(wire)
    text = ", ".join(f"{name} = {pin}" for name, pin in PANEL.items())
    parts += [_text(20, 540, f"scanner.toml: [panel] {text}"), "</svg>"]
    return "\n".join(parts) + "\n"


def _drawn(wire: Wire) -> list[str]:
    x, y = place(wire.pin)
    # Odd pins leave between the rows, so that no wire runs through a pin.
    way = f"M{x} {y} " + (f"l11 {PIN_PX // 2} h24 " if wire.pin % 2 else "h24 ")
    way += f"C600 {y}, 560 {wire.y}, 676 {wire.y}"
    label = f"{wire.pin}: {wire.name} - {wire.part}"
    return [
        f'<path d="{way}" fill="none" stroke="{wire.colour}" stroke-width="2"/>',
        f'<circle cx="680" cy="{wire.y}" r="4" fill="{wire.colour}"/>',
        _text(690, wire.y + 4, label.replace(" - ", ", "), size=11),
    ]


def _box(x: int, y: int, text: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="130" height="28" rx="4" fill="#e8f0fe" stroke="#1a66c9"/>'
        + _text(x + 8, y + 19, text)
    )


def _wrapped(x: int, y: int, text: str, width: int = 58) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > width:
            lines.append(line)
            line = ""
        line += f"{word} "
    return [
        _text(x, y + 13 * n, one.strip(), size=11)
        for n, one in enumerate([*lines, line])
        if one.strip()
    ]


def _text(x: int, y: int, text: str, *, size: int = 13, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}">{escape(text)}</text>'


if __name__ == "__main__":
    TARGET.write_text(drawing())
    print(TARGET)
