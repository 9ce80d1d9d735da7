"""Tells of each test file as soon as it is done; for pytest's ``-p tests.arm64.told``.

One Python runs many files, as its start is dear where it is emulated, and what has passed is known
even if it is ended before the last.
"""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

MARK = "@@@ done"


class Teller:
    """Counts the tests of the file under way."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._counts: Counter[str] = Counter()
        self._began_s = time.monotonic()

    def _say(self, line: str) -> None:
        self._config.pluginmanager.getplugin("terminalreporter").write_line(line)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts by its call, or by what failed around it."""
        if report.when == "call" or not report.passed:
            self._counts[report.outcome] += 1
        if report.failed:
            self._say(f"\n--- {report.nodeid} ({report.when})\n{report.longreprtext}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """After the last test of a file, a line with its name and how many there were."""
        told = yield
        if nextitem is None or nextitem.path != item.path:
            name = item.nodeid.partition("::")[0].removeprefix("tests/")
            now_s = time.monotonic()
            figures = f"{self._counts['passed']} {sum(self._counts.values())}"
            self._say(f"\n{MARK} {name} {figures} {now_s - self._began_s:.0f}")
            self._counts.clear()
            self._began_s = now_s
        return told


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.pluginmanager.register(Teller(config))
