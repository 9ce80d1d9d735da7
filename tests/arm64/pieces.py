"""Which test files are the device's core, and on which kind of emulation each runs.

A new test file in one of FOLDERS has to be named in LEFT_OUT, or it runs: nothing is forgotten.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("core", "contracts", "adapters", "cli", "e2e")

HUB: Final = "the hub and its stores, which do not run on the device"
BUILD: Final = "what the build machine makes and checks, the same on any processor"
LEFT_OUT: Final = {
    "adapters/test_api.py": HUB,
    "adapters/test_api_schema.py": HUB,
    "adapters/test_backups.py": HUB,
    "adapters/test_batches.py": HUB,
    "adapters/test_broker.py": HUB,
    "adapters/test_cohorts.py": HUB,
    "adapters/test_exports.py": HUB,
    "adapters/test_first_start.py": HUB,
    "adapters/test_hub_keys.py": HUB,
    "adapters/test_hub_store.py": HUB,
    "adapters/test_inbox.py": HUB,
    "adapters/test_keeping.py": HUB,
    "adapters/test_osm_import.py": HUB,
    "adapters/test_package.py": BUILD,
    "adapters/test_poisoning.py": HUB,
    "adapters/test_review.py": HUB,
    "adapters/test_review_api.py": HUB,
    "adapters/test_review_edges.py": HUB,
    "adapters/test_simultaneous.py": HUB,
    "adapters/test_units.py": BUILD,
    "cli/test_hub_export.py": HUB,
    "cli/test_hub_review.py": HUB,
    "cli/test_hub_simulate.py": HUB,
    "contracts/test_map_store.py": HUB,
    "e2e/test_faults.py": HUB,
    "e2e/test_hub.py": HUB,
    "e2e/test_intake.py": HUB,
    "e2e/test_late.py": HUB,
    "e2e/test_review.py": HUB,
    "e2e/test_scale.py": HUB,
}
# Other folders of tests/, and why none of their files is among the pieces.
NOT_HERE: Final = {
    "attack": "privacy of what a hub sees: figures over simulated walks",
    "arm64": "this",
    "benchmarks": "measurements",
    "boot": "the units in a container: make test-units",
    "browser": "the map's pages in a desktop browser",
    "device": "wants the board itself",
    "docs": BUILD,
    "faults": "measurements",
    "firmware": "the image, which is started whole in an emulated machine: make test-image",
    "fuzz": "the parsers under a fuzzer: make fuzz",
    "golden": "files",
    "helpers": "what tests share",
    "lens": "the real libcamera, of Debian 13: make test-lens",
    "models": "training and judging the detector",
    "train": "training and judging the detector",
}
# What an emulated program cannot have: filters of system calls, Landlock, user namespaces, a file
# that is busy because it runs, a process without threads other than its own, a clock that runs no
# faster than the emulated processor.
MACHINE: Final = (
    "adapters/test_accelerator.py",
    "adapters/test_board.py",
    "adapters/test_clock.py",
    "adapters/test_known.py",
    "adapters/test_package_command.py",
    "adapters/test_package_scripts.py",
    "adapters/test_panel.py",
    "adapters/test_phone_page.py",
    "adapters/test_picamera.py",
    "cli/test_commands.py",
    "cli/test_doctor.py",
    "cli/test_enrol.py",
    "cli/test_hints.py",
    "cli/test_packaging.py",
    "core/test_found_inputs.py",
    "e2e/",
)
# An inference takes seconds there: what looks at many tiles comes last, so that the rest is known.
SLOW: Final = (
    "cli/test_bench.py",
    "core/test_calibration.py",
    "cli/test_calibrate.py",
    "e2e/test_demo.py",
)


def pieces() -> tuple[list[str], list[str]]:
    """Test files for emulated programs, and those for the emulated machine."""
    found = sorted(
        str(path.relative_to(ROOT / "tests"))
        for folder in FOLDERS
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    )
    wrong = set(LEFT_OUT) - set(found)
    wrong |= set(SLOW) - set(found)
    wrong |= {n for n in MACHINE if not any(name.startswith(n) for name in found)}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    wrong |= folders - {*FOLDERS, *NOT_HERE, "__pycache__"}
    if wrong:
        raise SystemExit(f"tests/arm64/pieces.py is out of date: {', '.join(sorted(wrong))}")
    core = [name for name in found if name not in LEFT_OUT]
    core.sort(key=lambda name: SLOW.index(name) + 1 if name in SLOW else 0)
    machine = [name for name in core if name.startswith(MACHINE)]
    return [name for name in core if name not in machine], machine
