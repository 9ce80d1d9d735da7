"""The device's tokens on a real card: what a finder can read of those that were spent."""

import datetime as dt
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from scanner.core.wire import Record
from scanner.enrolment import month_of
from scanner.hub.cohorts import _in_time
from scanner.sealing import days
from scanner.storage.tokens import DAY_ZERO, Asked, Tokens, good_months

MONTH = "2026-11"
TOKENS = 20

SPENDER = """
import os, signal, sys
from pathlib import Path
from scanner.storage.tokens import Tokens
store = Tokens(Path(sys.argv[1]))
print(*(store.spend(("2026-11",)).decode() for _ in range(int(sys.argv[2]))), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def request(number: int) -> Asked:
    return Asked(
        month=MONTH,
        modulus=bytes(256),
        blinded=b"blinded-%03d" % number * 21,
        prepared=b"prepared-%03d" % number * 3,
        inverse=b"inverse-%03d" % number * 21,
    )


def body(number: int) -> bytes:
    return b"token-%03d." % number * 30


def card(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def filled(folder: Path) -> None:
    with closing(Tokens(folder)) as store:
        asked = [request(n) for n in range(TOKENS)]
        store.ask(asked)
        store.receive([(a, body(n)) for n, a in enumerate(asked)])


def spent_and_killed(folder: Path, count: int) -> list[bytes]:
    """Tokens that a process spent before its power went."""
    result = subprocess.run(
        [sys.executable, "-c", SPENDER, folder, str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    return [word.encode() for word in result.stdout.split()]


def test_a_card_pulled_on_a_walk_names_no_token_that_was_spent(tmp_path: Path) -> None:
    filled(tmp_path)
    spent: list[bytes] = []
    for count in (1, 4, 3):
        spent += spent_and_killed(tmp_path, count)
        content = card(tmp_path)
        assert [token for token in spent if token in content] == []
        left = {body(n) for n in range(TOKENS)} - set(spent)
        assert all(token in content for token in left)
    assert len(set(spent)) == 8


def test_what_undoes_the_blinding_is_gone_once_the_tokens_are_there(tmp_path: Path) -> None:
    with closing(Tokens(tmp_path)) as store:
        asked = [request(n) for n in range(TOKENS)]
        store.ask(asked)
        assert asked[0].inverse in card(tmp_path)
        store.receive([(a, body(n)) for n, a in enumerate(asked)])
        content = card(tmp_path)
        assert not any(a.inverse in content or a.blinded in content for a in asked)


def test_what_a_killed_process_left_in_the_log_goes_when_the_file_is_opened(tmp_path: Path) -> None:
    device, pulled = tmp_path / "device", tmp_path / "card"
    filled(device)
    with closing(Tokens(device)) as store, closing(Tokens(device)) as reader:
        store._db.execute("PRAGMA busy_timeout = 50")
        reader._db.execute("BEGIN")
        reader.counts()
        token = store.spend((MONTH,))
        pulled.mkdir()
        for path in device.iterdir():
            (pulled / path.name).write_bytes(path.read_bytes())
        reader._db.execute("COMMIT")
    assert token in card(pulled)
    with closing(Tokens(pulled)):
        assert token not in card(pulled)


@pytest.mark.parametrize("bucket_days", [1, 7, 28])
def test_a_device_tries_every_month_that_its_hub_takes(bucket_days: int) -> None:
    for bucket in range(20_500 // bucket_days, 21_300 // bucket_days):
        record = Record(
            bucket_days=bucket_days, bucket=bucket, common_sigma_cm=400, model="t", cameras=()
        )
        last = DAY_ZERO + dt.timedelta(days(record)[-1])
        months = {month_of(last - dt.timedelta(back)) for back in range(150)}
        taken = {month for month in months if _in_time(record, month)}
        assert set(good_months(days(record))) == taken
