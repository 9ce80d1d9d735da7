"""What the emulated machine trusts: the same bytes for one commit, and a threshold of makers."""

import datetime as dt
from pathlib import Path

from scanner.updating import root_expiry
from tests.firmware.releases import keys

COMMIT_S = 1_790_000_000


def test_two_builds_of_one_commit_trust_the_same_bytes(tmp_path: Path) -> None:
    one, other = (keys(tmp_path / name, COMMIT_S).read_bytes() for name in ("one", "other"))
    assert one == other
    assert keys(tmp_path / "later", COMMIT_S + 1).read_bytes() != one


def test_what_it_trusts_expires(tmp_path: Path) -> None:
    root = keys(tmp_path / "updates", COMMIT_S).read_bytes()
    made = dt.datetime.fromtimestamp(COMMIT_S, dt.UTC)
    assert dt.timedelta(days=365) < root_expiry(root) - made < dt.timedelta(days=1000)
