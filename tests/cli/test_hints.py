"""The list of signatures: signed by the campaign, trusted by the enrolment, refused otherwise."""

import base64
import json
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from scanner import enrolment, signing
from scanner.config_front import HintSettings
from scanner.core.hints import LASTS_NS, MORE_TILES
from scanner.enrolment import Broker, Enrolment
from scanner.errors import ConfigError
from scanner.hinting import Hinting, signatures_of
from scanner.records import Position
from tests.cli.test_commands import error_of, scanner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str]:
    """A list signed by a campaign, and the campaign's key."""
    out = tmp_path / "hints.txt"
    result = scanner("hub", "hints", ROOT / "docs" / "hints.json", "--out", out, "--data", tmp_path)
    assert result.returncode == 0, result.stderr
    key = next(line for line in result.stdout.splitlines() if line.startswith("key"))
    return out, key.split()[1]


def enrolled(folder: Path, key: SigningKey) -> Path:
    text = signing.sign(
        Enrolment(v=1, made="2026-11-20", broker=Broker(host="h"), hub_keys={"2026-Q4": bytes(32)}),
        key,
    )
    (folder / enrolment.FILE).write_text(text)
    return folder / "scanner.toml"


def test_a_list_is_trusted_by_its_key(signed: tuple[Path, str], tmp_path: Path) -> None:
    path, key = signed
    found = signatures_of(HintSettings(file=str(path), key=key), tmp_path / "scanner.toml")
    assert len(found) == 2


def test_a_list_is_trusted_by_the_enrolment(tmp_path: Path) -> None:
    campaign = SigningKey.generate()
    body = json.dumps(json.loads((ROOT / "docs" / "hints.json").read_text())).encode()
    (tmp_path / "hints.txt").write_text(signing.sign_hints(body, campaign))
    settings = HintSettings(file=str(tmp_path / "hints.txt"))
    assert len(signatures_of(settings, enrolled(tmp_path, campaign))) == 2
    with pytest.raises(ConfigError, match="another key"):
        signatures_of(settings, enrolled(tmp_path, SigningKey.generate()))


def test_an_enrolments_signature_is_not_one_of_a_list(tmp_path: Path) -> None:
    """Whoever got one thing signed has not got the other."""
    campaign = SigningKey.generate()
    config = enrolled(tmp_path, campaign)
    settings = HintSettings(file=str(tmp_path / enrolment.FILE))
    with pytest.raises(ConfigError, match="signature is wrong"):
        signatures_of(settings, config)


def test_without_a_file_nothing_is_listened_for(tmp_path: Path) -> None:
    assert signatures_of(HintSettings(), tmp_path / "scanner.toml") == ()


@pytest.mark.parametrize("key", ["", "!!", base64.b64encode(bytes(32)).decode()])
def test_a_list_that_cannot_be_checked_stops_watch(
    signed: tuple[Path, str], tmp_path: Path, key: str
) -> None:
    config = tmp_path / "scanner.toml"
    config.write_text(f'[hints]\nfile = "{signed[0]}"\nkey = "{key}"\n')
    result = scanner("watch", "--config", config, "--data", tmp_path / "data")
    assert "key" in error_of(result, 78)


def test_the_hub_signs_no_list_of_what_people_carry(tmp_path: Path) -> None:
    wrong = json.loads((ROOT / "docs" / "hints.json").read_text())
    wrong["signatures"][0]["companies"] = ["004C"]
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    out = tmp_path / "out"
    result = scanner(
        "hub", "hints", tmp_path / "wrong.json", "--out", out, "--data", tmp_path / "hub"
    )
    assert "AirTag" in error_of(result, 78)
    assert not out.exists()


def test_a_hint_is_placed_where_the_walk_was_when_it_was_taken() -> None:
    heard = [[10], [], []]
    hinting = Hinting(lambda: heard.pop(0))
    here = Position(
        at_ns=0, lat_deg=52.0, lon_deg=4.0, sigma_m=4.0, course_deg=0.0, course_sigma_deg=5.0,
        utc_s=None,
    )  # fmt: skip
    assert hinting.attention(20, here) == MORE_TILES
    assert hinting.attention(30, here) == MORE_TILES
    assert hinting.attention(20 + LASTS_NS, here) == 1.0
    assert hinting.heard == 1
