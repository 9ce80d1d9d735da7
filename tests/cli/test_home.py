"""``scanner home``, and what ``outbox`` and ``config explain`` say of the policy."""

import json
from contextlib import closing
from pathlib import Path

from scanner.core.privacy import CAREFUL, HOME, REPORTED
from scanner.storage.known import HOME_NAME, KEPT, Known
from tests.cli.test_commands import error_of, scanner
from tests.core.test_privacy import NOON


def test_a_home_is_set_once_shown_without_saying_where_and_forgotten(tmp_path: Path) -> None:
    assert "No home is set" in scanner("home", "show", "--data", tmp_path).stdout
    result = scanner("home", "set", "-33.92", "18.42", "--data", tmp_path)
    assert result.returncode == 0, result.stderr
    shown = scanner("home", "show", "--data", tmp_path).stdout
    assert "A home is set" in shown
    assert "33.9" not in shown + result.stdout
    assert "a home is set" in error_of(scanner("home", "set", "1", "2", "--data", tmp_path), 2)
    (tmp_path / "as a card keeps a copy").hardlink_to(tmp_path / HOME_NAME)
    assert scanner("home", "clear", "--data", tmp_path).stdout == "Forgotten.\n"
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b""]
    assert scanner("home", "clear", "--data", tmp_path).stdout == "No home was set.\n"


def test_what_is_no_place_is_refused(tmp_path: Path) -> None:
    for words in (["5"], ["north", "4"], ["95", "4"], ["nan", "4"], ["1", "2", "3"]):
        error_of(scanner("home", "set", *words, "--data", tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


def test_outbox_says_what_was_kept_back_and_why(tmp_path: Path) -> None:
    with closing(Known(tmp_path, CAREFUL)) as known:
        known.at(NOON)
        for what in (KEPT, HOME, HOME, REPORTED):
            known.count(what, NOON)
        known.save()
    said = scanner("outbox", "withheld", "--data", tmp_path).stdout
    assert "from 2026-05-28 on: 1 sites to be sent, 2 home block, 1 reported already" in said
    assert "around your home" in said
    assert "2 home block" in scanner("outbox", "ls", "--data", tmp_path).stdout
    rows = scanner("outbox", "withheld", "--json", "--data", tmp_path).stdout.splitlines()
    assert {"from": "2026-05-28", "what": "home block", "sites": 2} in map(json.loads, rows)


def test_config_explain_says_what_the_profile_means(tmp_path: Path) -> None:
    path = tmp_path / "scanner.toml"
    for profile, words in (("open", "at once"), ("careful", "week"), ("hostile", "14 to 60 days")):
        path.write_text(f'[privacy]\nprofile = "{profile}"\n')
        assert words in scanner("config", "explain", "--config", path).stdout
        out = scanner("config", "explain", "--json", "--config", path).stdout
        rows = {r["key"]: r for r in map(json.loads, out.splitlines())}
        assert any(words in line for line in rows["privacy.profile"]["means"])
