"""Settings for every test."""

from typing import Final

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is; speed is measured in benchmarks.
settings.register_profile("scanner", deadline=None)
settings.load_profile("scanner")

# Files with minutes in one test: where several run at once (xdist), they are begun first.
LONG: Final = ("test_faults.py", "test_calibrate.py", "test_calibration.py", "test_api_schema.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, all others as they were found; as they were named where one runs alone."""
    if not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
