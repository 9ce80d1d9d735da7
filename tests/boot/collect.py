"""Runs in the booted system as root: waits, disturbs, notes what happened, switches off.

python3 collect.py REPORT

Stands alone, as ``probe.py``.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

OURS = (
    *("scanner-watch", "scanner-relay", "scanner-page", "scanner-hub", "scanner-noswap"),
    "scanner-wipe",
)
SEEN = ("gpsd.socket", "gpsd.service", "systemd-journald", "mosquitto")
KEYS = (
    "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,MainPID,WatchdogUSec,"
    "StatusText,ConditionResult"
)
SETTINGS = Path("/etc/scanner/scanner.toml")


def sh(*command: str) -> str:
    """Output and errors."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def show(unit: str) -> dict[str, str]:
    """What systemd knows of a unit."""
    lines = sh("systemctl", "show", f"--property={KEYS}", unit).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.5)
    return False


def greeting(path: str) -> str:
    """The first line of who listens there."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        try:
            one.connect(path)
            return one.recv(4096).decode()
        except OSError as e:
            return f"{type(e).__name__}: {e}"


def answer(url: str) -> int:
    """The status code of a page, 0 without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=20) as page:  # noqa: S310 - our own
            return int(page.status)
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


def on_request(report: dict[str, object]) -> None:
    """What does not start by itself."""
    for unit, url in (
        ("scanner-hub", "http://127.0.0.1:8080/"),
        ("scanner-page", "http://127.0.0.1:8480/"),
    ):
        sh("systemctl", "start", unit)
        until(lambda url=url: answer(url) > 0, 90)
        report[unit] = {"answer": answer(url), **show(unit)}
        sh("systemctl", "stop", unit)


def state_of(unit: str) -> str:
    """``active``, ``inactive``, ``failed``, ``activating``."""
    return show(unit).get("ActiveState", "")


def disturb(report: dict[str, object]) -> None:
    """A watch that hangs; settings that are wrong."""
    pid = int(show("scanner-watch").get("MainPID") or 0)
    if pid:
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        restarted = until(lambda: show("scanner-watch")["NRestarts"] != "0", 90)
        report["a hanging watch was started again after s"] = (
            time.monotonic() - begun if restarted else None
        )
        report["watch works again"] = until(lambda: state_of("scanner-watch") == "active", 60)
    good = SETTINGS.read_text()
    SETTINGS.write_text("[mqtt]\nhots = 1\n")
    sh("systemctl", "restart", "scanner-relay")
    until(lambda: state_of("scanner-relay") == "failed", 60)
    time.sleep(12)  # longer than RestartSec
    report["relay with wrong settings"] = show("scanner-relay")
    SETTINGS.write_text(good)


def asked(path: str, body: dict[str, str], cookie: str = "") -> tuple[str, str]:
    """What the phone's page answers to a request, and the session it gave."""
    request = urllib.request.Request(
        f"http://127.0.0.1:8480{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Cookie": cookie},
    )
    with urllib.request.urlopen(request, timeout=20) as page:  # noqa: S310
        return page.read().decode(), (page.headers["Set-Cookie"] or "").split(";")[0]


def wipe(report: dict[str, object]) -> None:
    """By the page, while watch looks and relay sends."""
    sh("systemctl", "restart", "scanner-relay", "scanner-watch", "scanner-page")
    secrets = [SETTINGS.with_name(name) for name in ("enrolment-ca.pem", "mqtt-password")]
    for path in secrets:
        path.write_text("whose campaign this is")
    report["relay before the wipe"] = until(lambda: state_of("scanner-relay") == "active", 60)
    until(lambda: answer("http://127.0.0.1:8480/") > 0, 60)
    said = sh("journalctl", "--unit=scanner-page", "--output=cat")
    code = said.rsplit("code: ", 1)[-1].split()[0]
    _, session = asked("/enter", {"code": code})

    def yes() -> bool:
        try:
            told, _ = asked("/ask", {"what": "wipe"}, session)
            asked("/ask", {"what": "wipe", "answer": json.loads(told)["answer"]}, session)
        except urllib.error.HTTPError:
            return False  # watch is not there yet
        return True

    report["wipe was asked for"] = until(yes, 90)
    report["secrets went"] = until(lambda: not any(map(Path.exists, secrets)), 60)
    time.sleep(14)  # longer than any RestartSec
    report["after the wipe"] = {
        "data": sorted(p.name for p in Path("/var/lib/scanner").iterdir()),
        "settings": sorted(p.name for p in SETTINGS.parent.iterdir()),
        "units": {unit: show(unit) for unit in ("scanner-watch", "scanner-relay", "scanner-wipe")},
        "journal": sh("journalctl", "--unit=scanner-wipe", "--output=cat"),
    }


def wipe_after_power_cut(report: dict[str, object]) -> None:
    """The mark stands as the system starts, and so does what only root reaches."""
    secret, mark = SETTINGS.with_name("mqtt-password"), Path("/var/lib/scanner/wipe-begun")
    secret.write_text("whose campaign this is")
    mark.write_bytes(b"1")
    shutil.chown(mark, "scanner", "scanner")
    sh("systemctl", "start", "scanner-watch")
    report["a cut wipe was finished"] = until(lambda: not secret.exists() and not mark.exists(), 60)


def main() -> None:
    """Report, then switch off."""
    report: dict[str, object] = {}
    sent = Path("/var/sent.txt")
    try:
        report["watch started"] = until(lambda: state_of("scanner-watch") == "active", 150)
        report["relay started"] = until(lambda: state_of("scanner-relay") == "active", 60)
        report["sent"] = until(lambda: bool(sent.is_file() and sent.read_text().strip()), 90)
        report["units"] = {unit: show(unit) for unit in (*OURS, *SEEN)}
        report["lengths"] = sent.read_text().split() if sent.is_file() else []
        report["gpsd says"] = greeting("/run/gpsd/json.sock")
        report["gpsd socket"] = sh("stat", "-c", "%U %G %a", "/run/gpsd/json.sock").strip()
        report["listening"] = sh("ss", "-Hltn")
        doctor = sh("scanner", "doctor", "--json", "--seconds", "60")
        report["doctor"] = [json.loads(x) for x in doctor.splitlines() if x.startswith("{")]
        report["logs on the card"] = sorted(p.name for p in Path("/var/log/journal").glob("*"))
        report["logs in memory"] = sorted(p.name for p in Path("/run/log/journal").glob("*"))
        report["udev"] = sh("udevadm", "test", "/sys/devices/virtual/mem/null")
        on_request(report)
        disturb(report)
        report["watch at the end"] = show("scanner-watch")
        wipe(report)
        wipe_after_power_cut(report)
    finally:
        report["journal"] = sh("journalctl", "--no-pager", "-n", "300", "-o", "cat")
        Path(sys.argv[1]).write_text(json.dumps(report))
        subprocess.run(["systemctl", "--force", "poweroff"], check=False)


if __name__ == "__main__":
    main()
