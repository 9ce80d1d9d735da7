"""Small versions of what ``make soak`` does in full."""

from pathlib import Path

from tests.helpers.soak import kill_at_random, soak


def test_a_bad_line_loses_nothing_and_nothing_counts_twice(tmp_path: Path) -> None:
    result = soak(tmp_path, 400, restarts=1, mean_bytes=30_000)
    assert (result.lost, result.on_the_map, result.quarantined) == (0, 400, 0), result
    assert sum(result.ends.values()) > 5, result


def test_whoever_is_killed_loses_nothing_that_was_announced(tmp_path: Path) -> None:
    result = kill_at_random(tmp_path, 6)
    assert (result.lost, result.corrupt) == (0, 0), result
    assert result.announced > 20, result
