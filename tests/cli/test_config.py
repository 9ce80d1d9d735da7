"""scanner.toml: what a mistake looks like, and that init, check and explain agree."""

import json
import tomllib
from pathlib import Path

import pytest

from scanner import config
from scanner.errors import ConfigError
from tests.cli.test_commands import error_of, scanner


def test_the_example_is_the_default_configuration() -> None:
    assert config.parse(config.example(), "example") == config.Config()


def test_every_key_is_explained() -> None:
    assert all(len(text) > 10 for _, _, _, text in config.entries())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[lens]\nhfov = 60\n", ["lens", "unknown key", "hfov"]),
        ("[lense]\n", ["unknown key", "lense"]),
        ("[lens]\nhfov_deg = 400\n", ["lens.hfov_deg", "150"]),
        ('[lens]\nhfov_deg = "wide"\n', ["lens.hfov_deg", "float", "str"]),
        ("[lens]\nhfov_deg = nan\n", ["lens.hfov_deg"]),
        ("[mqtt]\nport = 0\n", ["mqtt.port"]),
        ('[mqtt]\nroot = "a/#"\n', ["mqtt.root"]),
        ('[privacy]\nprofile = "loud"\n', ["privacy.profile"]),
        ('[position]\nsource = "gpsd://host:what"\n', ["position.source"]),
        ("[lens\n", ["not valid TOML"]),
    ],
)
def test_a_mistake_is_named_with_file_and_key(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "scanner.toml")
    assert str(caught.value).startswith("scanner.toml: ")
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("source", "fine"),
    [
        ("gpsd", True),
        ("track", True),
        ("gpsd://pi.local", True),
        ("gpsd://192.168.1.4:2947", True),
        ("gpsd://[::1]:2947", True),
        ("gpsd:///run/gpsd/json.sock", True),
        ("serial:///dev/ttyACM0", True),
        ("serial:///dev/serial/by-id/usb-u-blox?baud=115200", True),
        ("ble://C8:8E:81:FD:9B:CA", True),
        ("ble://Walker%20GNSS", True),
        ("", False),
        ("gps", False),
        ("gpsd://", False),
        ("gpsd:///", False),
        ("serial://ttyACM0", False),
        ("serial:///dev/ttyACM0?parity=odd", False),
        ("ble://", False),
        ("ble://Walker GNSS", False),
    ],
)
def test_sources_of_positions(source: str, fine: bool) -> None:  # noqa: FBT001
    text = f'[position]\nsource = "{source}"\n'
    if fine:
        assert config.parse(text, "scanner.toml").position.source == source
        return
    with pytest.raises(ConfigError, match=r"position\.source"):
        config.parse(text, "scanner.toml")


def test_init_writes_a_file_that_check_accepts(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "scanner.toml"
    assert scanner("config", "init", path).returncode == 0
    assert scanner("config", "check", "--config", path).stdout == f"{path}: ok\n"
    assert "exists" in error_of(scanner("config", "init", path), 2)
    assert tomllib.loads(path.read_text())["lens"]["hfov_deg"] == 0.0


def test_check_and_all_commands_refuse_a_wrong_file(tmp_path: Path) -> None:
    path = tmp_path / "scanner.toml"
    path.write_text("[lens]\nfov = 3\n")
    assert "unknown key" in error_of(scanner("config", "check", "--config", path), 78)
    assert "unknown key" in error_of(scanner("doctor", SCANNER_CONFIG=str(path)), 78)
    missing = tmp_path / "none.toml"
    assert "no such file" in error_of(scanner("relay", SCANNER_CONFIG=str(missing)), 78)


def test_a_mistyped_file_beside_an_enrolment_is_told(tmp_path: Path) -> None:
    (tmp_path / "enrolment.json").write_text("{}")
    typed = tmp_path / "scanner.tml"
    assert "no such file" in error_of(scanner("relay", SCANNER_CONFIG=str(typed)), 78)


def test_explain_shows_value_default_and_text(tmp_path: Path) -> None:
    path = tmp_path / "scanner.toml"
    path.write_text("[lens]\nhfov_deg = 102.0\n")
    out = scanner("config", "explain", "--json", "--config", path).stdout
    rows = {r["key"]: r for r in map(json.loads, out.splitlines())}
    assert rows["lens.hfov_deg"]["value"] == 102.0
    assert rows["lens.hfov_deg"]["default"] == 0.0
    assert (
        "lens.hfov_deg = 102.0   (default 0.0)"
        in scanner("config", "explain", "--config", path).stdout
    )
