"""Lines of the pages that no test runs, and why. Each is parsed all the same.

A line is excused by how it begins; what no page shows any more is to be removed here.
"""

from tests.helpers.pages import Command

MINUTES = "runs the whole demo or the whole suite; tests/e2e/test_demo.py runs what it runs"
ROOT_AND_PI = "installs, starts or stops the services of a Pi: tests/boot does, as root"
BUILDS = "builds or starts a card's image or a package: minutes to an hour, as root"
DEVICE = "needs a Raspberry Pi with its parts"
TRAINING = "hours, PyTorch, Blender and pictures that are not here: tests/train, tests/models"
SCALE = "minutes to hours of a quiet machine; what it measures has tests of its own"

EXCUSED = {
    ("README.md", "make "): MINUTES,
    ("CONTRIBUTING.md", "make "): MINUTES,
    ("docs/bring-up.md", "python3 -m venv"): DEVICE,
    ("docs/bring-up.md", "sudo "): DEVICE,
    ("docs/field-guide.md", "sudo install"): ROOT_AND_PI,
    ("docs/field-guide.md", "sudo systemctl"): ROOT_AND_PI,
    ("docs/hub.md", "sudo install"): ROOT_AND_PI,
    ("docs/hub.md", "sudo systemctl"): ROOT_AND_PI,
    ("docs/hub.md", "sudo apt"): ROOT_AND_PI,
    ("docs/install.md", "sudo apt"): ROOT_AND_PI,
    ("docs/install.md", "systemctl"): ROOT_AND_PI,
    ("docs/install.md", "sudo systemctl"): ROOT_AND_PI,
    ("docs/install.md", "sudo journalctl"): ROOT_AND_PI,
    ("models/CARD.md", "python -m models."): TRAINING,
    ("models/README.md", "apt-get"): TRAINING,
    ("models/README.md", "python"): TRAINING,
    ("systemd/README.md", "make "): ROOT_AND_PI,
}

# On whatever page they stand: what measures, breaks or builds for minutes to hours.
ANYWHERE = {
    **dict.fromkeys(("make bench", "make faults", "make soak", "make fuzz", "make privacy"), SCALE),
    **dict.fromkeys(("python -m tests.benchmarks", "python -m tests.faults"), SCALE),
    **dict.fromkeys(("make image", "make image-qemu", "make test-image", "make deb"), BUILDS),
}


def reason(command: Command) -> str:
    """Why a line is not run; empty if it is."""
    for beginning, why in ANYWHERE.items():
        if command.line.startswith(beginning):
            return why
    for (page, beginning), why in EXCUSED.items():
        if command.page == page and command.line.startswith(beginning):
            return why
    return ""
