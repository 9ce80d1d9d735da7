"""Tests that only a Raspberry Pi with its parts can pass; elsewhere they are left out, aloud."""

from pathlib import Path

import pytest

MODEL = Path("/proc/device-tree/model")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    pi = MODEL.is_file() and "Raspberry Pi" in MODEL.read_text(errors="replace")
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.device)
            if not pi:
                item.add_marker(pytest.mark.skip(reason="needs a Raspberry Pi: docs/bring-up.md"))
