"""From a hub's key to a device that seals to it, with tokens: the commands as people use them."""

import base64
import datetime as dt
import json
import os
import pty
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from nacl.signing import SigningKey

from scanner import config as settings
from scanner import disk, enrolment, signing
from scanner.app import has_tokens, hub_key, sealing_of
from scanner.cli import main
from scanner.cli.enrol import PASSWORD_FILE
from scanner.core.wire import Record
from scanner.errors import ConfigError
from scanner.hub import cohorts, keys
from scanner.hub.cohorts import Checker
from scanner.hub.ingest import Ingest
from scanner.hub.stores import open_store
from scanner.outgoing import mqtt_password
from scanner.sealing import unseal
from scanner.storage.outbox import Outbox
from tests.helpers.reports import entry, record

ROOT = Path(__file__).parents[2]
TODAY = dt.datetime.now(dt.UTC).date()
DAY = (TODAY - dt.date(1970, 1, 1)).days
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scanner(capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def enrolled(scanner: Command, folder: Path, *more: object) -> tuple[Path, str]:
    """A hub's enrolment in a file, and the fingerprint that goes with it."""
    hub = folder / "hub"
    if not keys.epochs(hub):
        scanner("hub", "keys", "new", "--data", hub)
        scanner("hub", "keys", "new", "--data", hub)
    text = folder / "enrolment.txt"
    code, out, err = scanner(
        *("hub", "enrolment", "--data", hub, "--out", text, "--broker", "broker.example:8883"),
        *more,
    )
    assert code == 0, err
    print_ = next(line for line in out.splitlines() if line.startswith("fingerprint"))
    return text, print_.removeprefix("fingerprint").strip()


def of_broker(folder: Path, host: str, password: str) -> tuple[Path, str]:
    """An enrolment of a campaign of its own, with its fingerprint."""
    broker = enrolment.Broker(host=host, username="u", password=password)
    made = enrolment.Enrolment(
        v=1, made="2026-11-01", broker=broker, hub_keys={"2026-Q4": bytes(range(32))}
    )
    key = SigningKey.generate()
    text = folder / "text"
    text.write_text(signing.sign(made, key))
    return text, signing.fingerprint(bytes(key.verify_key))


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Our town's own CA")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(dt.datetime.now(dt.UTC))
        .not_valid_after(dt.datetime.now(dt.UTC) + dt.timedelta(800))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "ca.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


def test_the_whole_way_of_a_volunteer(scanner: Command, tmp_path: Path) -> None:
    hub, device, toml = tmp_path / "hub", tmp_path / "device", tmp_path / "etc" / "scanner.toml"
    assert scanner("hub", "cohorts", "new", "harbour", "--data", hub)[0] == 0
    (tmp_path / "password").write_text("of all scanners\n")
    text, print_ = enrolled(
        scanner, tmp_path, "--cohort", "harbour", "--ca", certificate(tmp_path),
        "--password-file", tmp_path / "password", "--campaign", "Our town",
        "--qr", tmp_path / "code.png",
    )  # fmt: skip
    assert len(text.read_bytes()) <= enrolment.QR_BYTES
    assert (tmp_path / "code.png").read_bytes().startswith(b"\x89PNG")

    toml.parent.mkdir()
    toml.write_text(settings.example())  # every key at its default
    code, out, err = scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    assert code == 0, err
    assert "broker.example:8883 with TLS" in out
    config = settings.load(toml)
    assert config.privacy.profile == "careful"
    assert (config.mqtt.host, config.mqtt.tls, config.mqtt.username) == (
        "broker.example", True, "scanner",
    )  # fmt: skip
    ssl.create_default_context(cafile=config.mqtt.ca_file)
    assert len(config.privacy.hub_keys) == 2

    asked, answer = tmp_path / "asked", tmp_path / "answer"
    where = ("--data", device, "--config", toml)
    assert scanner("tokens", "request", "--count", 3, "--out", asked, *where)[0] == 0
    sign = ("hub", "cohorts", "sign", "harbour", asked, "--out", answer, "--data", hub)
    assert scanner(*sign)[0] == 0
    assert scanner("tokens", "take", answer, *where)[0] == 0
    assert json.loads(scanner("tokens", "ls", "--json", *where)[1]) == {
        "tokens": {enrolment.month_of(TODAY): 3}
    }
    assert "answers nothing" in scanner("tokens", "take", answer, *where)[2]

    key = hub_key(config)
    assert key
    with sealing_of(config, device, key) as seal:
        sealed = [seal(record([entry((300.0 * i, 0))], day=DAY)) for i in range(4)]
    store = open_store(tmp_path / "db")
    checker = Checker(cohorts.issuers(hub))
    taken = Ingest(store, keys.load_ring(hub), lambda: DAY * 86_400.0, checker=checker).take(sealed)
    assert (taken.added, taken.quarantined) == (4, 0)
    store.mark_fused([])
    rows = store._db.rows("SELECT cohort FROM reports ORDER BY 1")
    assert [c for (c,) in rows] == ["", "harbour", "harbour", "harbour"]  # the tokens ran out
    store.close()


def test_what_the_issuer_saw_does_not_lie_on_the_device(scanner: Command, tmp_path: Path) -> None:
    hub, device, toml = tmp_path / "hub", tmp_path / "device", tmp_path / "scanner.toml"
    scanner("hub", "cohorts", "new", "harbour", "--data", hub)
    text, print_ = enrolled(scanner, tmp_path, "--cohort", "harbour")
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    where = ("--data", device, "--config", toml)
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    scanner("tokens", "request", "--count", 2, "--out", asked, *where)
    scanner("hub", "cohorts", "sign", "harbour", asked, "--out", answer, "--data", hub)
    assert scanner("tokens", "take", answer, *where)[0] == 0
    seen = json.loads(answer.read_text())
    left = b"".join(p.read_bytes() for p in device.rglob("*") if p.is_file())
    assert has_tokens(device)
    for text_ in seen["blinded"] + seen["signed"]:
        assert base64.b64decode(text_) not in left


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda t: t.replace('"careful"', '"open"'), "signature is wrong"),
        (lambda t: t.replace("broker.example", "others.example"), "signature is wrong"),
        (lambda t: t.splitlines()[0], "a line of JSON and a line with its signature"),
        (lambda _: "hello", "a line of JSON and a line with its signature"),
        (lambda _: "", "a line of JSON"),
    ],
)
def test_a_wrong_file_gives_one_line_and_changes_nothing(
    scanner: Command, tmp_path: Path, bend: Callable[[str], str], words: str
) -> None:
    text, print_ = enrolled(scanner, tmp_path, "--profile", "careful")
    toml = tmp_path / "etc" / "scanner.toml"
    assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
    before = {p.name: p.read_bytes() for p in toml.parent.iterdir()}
    text.write_text(bend(text.read_text()))
    code, out, err = scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    assert code == 78
    assert (err.count("\n"), out) == (1, "")
    assert words in err
    assert {p.name: p.read_bytes() for p in toml.parent.iterdir()} == before


def test_a_profile_that_enrolment_leaves_at_its_default_is_not_weakened(
    scanner: Command, tmp_path: Path
) -> None:
    toml = tmp_path / "scanner.toml"
    text, print_ = enrolled(scanner, tmp_path, "--profile", "open")
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    for own, held in (("", "open"), ("open", "open"), ("hostile", "hostile")):
        toml.write_text(f'[privacy]\nprofile = "{own}"\n' if own else "")
        assert settings.load(toml).privacy.profile == held
    text, print_ = enrolled(scanner, tmp_path, "--profile", "hostile")
    assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
    toml.write_text('[privacy]\nprofile = "open"\n[mqtt]\nhost = "mine"\n')
    config = settings.load(toml)
    assert (config.privacy.profile, config.mqtt.host, config.mqtt.port) == ("hostile", "mine", 1883)


def test_another_fingerprint_is_refused(scanner: Command, tmp_path: Path) -> None:
    text, _ = enrolled(scanner, tmp_path)
    toml = tmp_path / "scanner.toml"
    code, _, err = scanner("enrol", text, "--fingerprint", "00" * 16, "--config", toml)
    assert code == 2
    assert "not your campaign" in err
    assert not toml.with_name(enrolment.FILE).exists()


def test_without_a_person_a_fingerprint_is_needed(scanner: Command, tmp_path: Path) -> None:
    text, print_ = enrolled(scanner, tmp_path)
    toml = tmp_path / "scanner.toml"
    run = [sys.executable, "-m", "scanner", "enrol", "-", "--config", str(toml)]
    for more, code in (([], 2), (["--fingerprint", print_], 0)):
        result = subprocess.run(
            run + more,
            input=text.read_text(),
            text=True,
            capture_output=True,
            check=False,
            cwd=ROOT,
        )
        assert result.returncode == code, result.stderr
    assert enrolment.installed(toml)


@pytest.mark.parametrize(("said", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_person_is_shown_the_fingerprint_and_asked(
    scanner: Command, tmp_path: Path, said: str, code: int
) -> None:
    text, print_ = enrolled(scanner, tmp_path)
    toml = tmp_path / "scanner.toml"
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard:
        run = subprocess.Popen(
            [sys.executable, "-m", "scanner", "enrol", str(text), "--config", str(toml)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
        os.close(theirs)
        keyboard.write(f"{said}\n".encode())
        shown, _ = run.communicate(timeout=60)
    assert run.returncode == code, shown
    assert print_ in shown
    assert toml.with_name(enrolment.FILE).exists() == (code == 0)


def test_an_enrolment_can_be_given_as_text_or_picture(scanner: Command, tmp_path: Path) -> None:
    scanner("hub", "cohorts", "new", "harbour", "--data", tmp_path / "hub")
    text, print_ = enrolled(
        scanner, tmp_path, "--qr", tmp_path / "code.png", "--cohort", "harbour",
        "--ca", certificate(tmp_path),
    )  # fmt: skip
    assert len(text.read_bytes()) > 1200
    for number, source in enumerate((text.read_text(), tmp_path / "code.png")):
        toml = tmp_path / str(number) / "scanner.toml"
        code, _, err = scanner("enrol", source, "--fingerprint", print_, "--config", toml)
        assert code == 0, err
        assert toml.with_name(enrolment.FILE).read_text() == text.read_text()
    (tmp_path / "blank.png").write_bytes(b"")
    assert "picture" in scanner("enrol", tmp_path / "blank.png", "--fingerprint", print_)[2]


def test_enrolling_again_replaces_keys_and_keeps_the_outbox(
    scanner: Command, tmp_path: Path
) -> None:
    toml, device = tmp_path / "scanner.toml", tmp_path / "device"
    text, print_ = enrolled(scanner, tmp_path)
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    outbox = Outbox(device)
    waiting = outbox.add(os.urandom(1072))
    before = settings.load(toml).privacy.hub_keys
    keys.destroy(tmp_path / "hub", min(before))
    scanner("hub", "keys", "new", "--data", tmp_path / "hub")
    text, print_ = enrolled(scanner, tmp_path)
    assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
    assert settings.load(toml).privacy.hub_keys != before
    assert [w.record_id for w in outbox.waiting()] == [waiting]
    outbox.close()


def test_what_an_enrolment_replaces_is_overwritten(scanner: Command, tmp_path: Path) -> None:
    """A second name keeps the file, as a card keeps a copy: what it holds is not readable."""
    toml, old = tmp_path / "scanner.toml", tmp_path / "old"
    text, print_ = enrolled(scanner, tmp_path / "a")
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    old.hardlink_to(toml.with_name(enrolment.FILE))
    assert old.read_bytes()
    text, print_ = enrolled(scanner, tmp_path / "b")
    assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
    assert old.read_bytes() == b""
    assert toml.with_name(enrolment.FILE).read_text() == text.read_text()


def test_no_broker_gets_another_ones_password(scanner: Command, tmp_path: Path) -> None:
    toml = tmp_path / "scanner.toml"
    for host, password in [("a", "of a"), ("b", ""), ("c", "of c"), ("c", "of c")]:
        text, print_ = of_broker(tmp_path, host, password)
        assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
        assert mqtt_password(toml) == password


def test_enrolling_again_brings_back_what_was_lost(scanner: Command, tmp_path: Path) -> None:
    toml = tmp_path / "scanner.toml"
    text, print_ = of_broker(tmp_path, "a", "of a")
    for _ in range(2):
        assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] == 0
        assert mqtt_password(toml) == "of a"
        toml.with_name(PASSWORD_FILE).unlink()


def test_a_password_of_unknown_broker_that_goes_is_told(scanner: Command, tmp_path: Path) -> None:
    toml = tmp_path / "scanner.toml"
    toml.with_name(PASSWORD_FILE).write_text("by mouth\n")
    text, print_ = of_broker(tmp_path, "a", "")
    for told in (True, False):
        code, _, said = scanner("enrol", text, "--fingerprint", print_, "--config", toml)
        assert (code, "put it there again" in said) == (0, told)
        assert mqtt_password(toml) == ("" if told else "by mouth")
        toml.with_name(PASSWORD_FILE).write_text("by mouth\n")


@pytest.mark.parametrize("last", ["enrolment.json", "mqtt-password"])
def test_power_that_goes_while_an_enrolment_is_replaced_mixes_no_two(
    scanner: Command, tmp_path: Path, last: str
) -> None:
    toml = tmp_path / "scanner.toml"
    text, print_ = of_broker(tmp_path, "a", "of a")
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    assert mqtt_password(toml) == "of a"
    text, print_ = of_broker(tmp_path, "b", "of b")
    (tmp_path / f".{last}.new").mkdir()  # here it ends
    (tmp_path / f".{last}.new/x").touch()
    assert scanner("enrol", text, "--fingerprint", print_, "--config", toml)[0] != 0
    assert enrolment.installed(toml) is None
    assert mqtt_password(toml) == ""


def test_what_is_enrolled_as_root_is_read_by_the_services(tmp_path: Path) -> None:
    disk.replace(tmp_path / "a", b"x", mode=0o644, whatever_umask=True)
    command = 'umask 077; exec "$@"'
    program = (
        "import sys, pathlib, scanner.disk as d;"
        "d.replace(pathlib.Path(sys.argv[1]), b'', mode=0o644, whatever_umask=True)"
    )
    run = ["sh", "-c", command, "sh", sys.executable, "-c", program, tmp_path / "b"]
    subprocess.run(run, check=True)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o644, 0o644]


def test_another_campaign_is_said_aloud(scanner: Command, tmp_path: Path) -> None:
    toml = tmp_path / "scanner.toml"
    for name in ("a", "b"):
        text, print_ = enrolled(scanner, tmp_path / name)
        code, out, _ = scanner("enrol", text, "--fingerprint", print_, "--config", toml)
        assert code == 0
        assert ("ANOTHER CAMPAIGN" in out) == (name == "b")


def test_keys_are_listed_and_not_destroyed_in_haste(scanner: Command, tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    lone = scanner("hub", "keys", *where)[1].strip()
    assert len(base64.b64decode(lone)) == 32
    assert scanner("hub", "keys", "new", "2025-Q1", *where)[0] == 0
    assert scanner("hub", "keys", "new", *where)[0] == 0
    now = enrolment.quarter_of(TODAY)
    listed = scanner("hub", "keys", "list", *where)[1]
    assert "over: can be destroyed" in listed
    assert scanner("hub", "keys", *where)[1].strip() != lone
    code, _, err = scanner("hub", "keys", "destroy", now, *where)
    assert code == 2
    assert "may still arrive" in err
    code, out, _ = scanner("hub", "keys", "destroy", "2025-Q1", *where)
    assert code == 0
    assert "flash memory may keep" in out
    assert "destroyed" in scanner("hub", "keys", "list", *where)[1]


def test_the_enrolments_password_is_used_where_systemd_gives_none(
    scanner: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = tmp_path / "scanner.toml"
    toml.write_text("")
    (tmp_path / "p").write_text("secret\n")
    text, print_ = enrolled(scanner, tmp_path, "--password-file", tmp_path / "p")
    scanner("enrol", text, "--fingerprint", print_, "--config", toml)
    assert (tmp_path / "mqtt-password").stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert mqtt_password(toml) == "secret"
    monkeypatch.setenv("SCANNER_CONFIG", str(toml))
    assert mqtt_password() == "secret"


def own(scanner: Command, tmp_path: Path, profile: str) -> settings.Config:
    out = scanner("outbox", "keygen", tmp_path / "own.key")[1]
    toml = tmp_path / "scanner.toml"
    toml.write_text(out[out.index("[privacy]") :] + f'profile = "{profile}"\n')
    return settings.load(toml)


def test_own_copies_open_elsewhere_and_only_with_the_key(scanner: Command, tmp_path: Path) -> None:
    config, device = own(scanner, tmp_path, "careful"), tmp_path / "device"
    hub = keys.load_or_create(tmp_path / "hub")
    sent: Record = record([entry((0, 0)), entry((4, 0))], day=DAY)
    with sealing_of(config, device, hub.public_key) as seal:
        payload = seal(sent)
    assert unseal(payload, hub) == sent
    (copy,) = [w.payload for w in Outbox(device / "own").waiting()]
    assert len(copy) == len(payload)
    assert not (device / "outbox.sqlite3").exists()  # nothing sends it
    code, out, _ = scanner("outbox", "open", "--key", tmp_path / "own.key", "--data", device)
    assert code == 0
    found = json.loads(out)["features"]
    assert len(found) == 2
    assert found[0]["geometry"]["coordinates"][0] == sent.cameras[0].lon_e7 / 1e7
    scanner("outbox", "keygen", tmp_path / "other.key")
    code, out, err = scanner("outbox", "open", "--key", tmp_path / "other.key", "--data", device)
    assert json.loads(out)["features"] == []
    assert "1 copies are not for this key" in err
    assert scanner("outbox", "keygen", tmp_path / "own.key")[0] == 2  # never written over


def test_in_hostile_there_are_no_own_copies(scanner: Command, tmp_path: Path) -> None:
    config = own(scanner, tmp_path, "hostile")
    hub = keys.load_or_create(tmp_path / "hub")
    with pytest.raises(ConfigError, match="own_key"), sealing_of(config, tmp_path, hub.public_key):
        pass


BEHIND_THE_WALL = """
import sys
from pathlib import Path
from nacl.public import PrivateKey
from scanner import wall
folder, month, day = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
wall.fence_watch(folder, [])
from scanner.app import sealing_of
from scanner.config import Config, Privacy
from scanner.core.wire import CameraEntry, Record
from scanner.sealing import key_to_text, unseal
from scanner.storage.tokens import Asked, Tokens
store = Tokens(folder)
for i in range(2):
    asked = Asked(month=month, modulus=b"", blinded=bytes([i]), prepared=b"", inverse=b"")
    store.receive([(asked, bytes([i] * 296))])
store.close()
own, hub = (PrivateKey.generate() for _ in range(2))
config = Config(privacy=Privacy(own_key=key_to_text(own.public_key)))
record = Record(1, day, 1, "t", (CameraEntry(0, 1, 1, 1, 0, 1, None, 0, 0),))
with sealing_of(config, folder, hub.public_key) as seal:
    wall.close_watch(folder)
    sealed = [seal(record) for _ in range(3)]
print([len(unseal(payload, hub).cohort) for payload in sealed])
"""


def test_tokens_and_own_copies_work_behind_the_wall(tmp_path: Path) -> None:
    """All files are open before the door closes; none is made after."""
    arguments = [str(tmp_path), enrolment.month_of(TODAY), str(DAY)]
    result = subprocess.run(
        [sys.executable, "-c", BEHIND_THE_WALL, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.stdout == "[296, 296, 0]\n", result.stderr
    with closing(Outbox(tmp_path / "own")) as own_copies:
        assert len(own_copies.waiting()) == 3
