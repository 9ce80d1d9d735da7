"""The wall between lens and network, tried by real processes on this kernel."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scanner import wall
from scanner.errors import WallError
from scanner.wall import landlock, seccomp
from tests.helpers.media import write_gpx, write_pictures
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
SCANNER = (sys.executable, "-m", "scanner")
REFUSED = {"EPERM", "EACCES"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "configuration" / "volunteer.key"
    path.parent.mkdir()
    path.write_text("a private key")
    return path


def probe(who: str, data: Path, secret: Path, *before: str) -> dict[str, object]:
    result = subprocess.run(
        [sys.executable, "-m", "tests.helpers.prober", who, data, secret, *before],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_nothing_gets_through_the_wall_of_watch(tmp_path: Path, secret: Path) -> None:
    tried = probe("watch", tmp_path / "data", secret)
    assert tried.pop("landlock") == landlock.version()
    assert tried.pop("socket unix") == "done"  # gpsd and D-Bus are behind such sockets
    assert tried.pop("call openat2") == "ENOSYS"
    assert (tried.pop("records"), tried.pop("core"), tried.pop("dumpable")) == (1, [0, 0], 0)
    assert 0 < tried.pop("largest") < 100_000_000
    assert tried.pop("read a device") in {"done", "ENOENT", "ENODEV"}  # as far as the wall goes
    assert {k: v for k, v in tried.items() if v not in REFUSED} == {}
    assert len(tried) > 60
    assert not list((tmp_path / "data").glob("*.jpg"))


def test_a_file_that_goes_while_the_wall_is_built_is_no_matter(
    tmp_path: Path, secret: Path
) -> None:
    """SQLite removes its log when it is done; here a name that leads nowhere."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "gone").symlink_to(data / "no such file")
    assert probe("watch", data, secret)["records"] == 1


def test_relay_reaches_the_network_and_nothing_else(tmp_path: Path, secret: Path) -> None:
    tried = probe("relay", tmp_path / "data", secret)
    assert tried.pop("landlock") == landlock.version()
    assert (tried.pop("socket inet"), tried.pop("socket inet6")) == ("done", "done")
    assert tried.pop("call openat2") == "ENOSYS"
    assert (tried.pop("records"), tried.pop("core"), tried.pop("dumpable")) == (1, [0, 0], 0)
    tried.pop("largest")
    assert {k: v for k, v in tried.items() if v not in REFUSED} == {}


def test_without_a_wall_the_attempts_succeed(tmp_path: Path, secret: Path) -> None:
    """Else the two tests above would show nothing."""
    names = ["socket inet", "socket netlink", "new file", "nameless file", "new folder", "symlink"]
    names += ["link", "read a secret", "write elsewhere", "read a key of the configuration"]
    names += ["device node"] if os.geteuid() == 0 else []
    tried = probe("watch", tmp_path / "data", secret, ",".join(names))
    assert tried == dict.fromkeys(names, "done")


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}


def behind_the_door(process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None, process.communicate()
    return status_of(process.pid).get("Seccomp") == "2"


def limits_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_watch_looks_only_behind_a_closed_door(tmp_path: Path) -> None:
    """The pictures are pipes: the first is given only after the door has been seen closed."""
    folder = write_pictures(tmp_path / "walk", count=4)
    first = min(folder.iterdir())
    picture = first.read_bytes()
    first.unlink()
    os.mkfifo(first)
    track = write_gpx(tmp_path / "t.gpx", [(1_780_000_000.0 + t, 55.75, 37.6) for t in range(6)])
    process = subprocess.Popen(
        [*SCANNER, "watch", "--source", folder, "--track", track, "--data", tmp_path / "data"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        until(lambda: behind_the_door(process), timeout_s=120)
        status, limits = status_of(process.pid), limits_of(process.pid)
        assert status["NoNewPrivs"] == "1"
        assert limits["Max core file size"] == "0"
        assert int(limits["Max file size"]) < 100_000_000
        threads = Path(f"/proc/{process.pid}/task").iterdir()
        assert {status_of(int(t.name))["Seccomp"] for t in threads} == {"2"}
        first.write_bytes(picture)
        out, errors = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert out.startswith(("4 frames", "3 frames")), out
    assert "no Landlock" not in errors or not landlock.version()


def test_relay_connects_only_behind_a_closed_door(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        fill = (
            "from pathlib import Path; from scanner.storage.outbox import Outbox as O; import sys;"
        )
        fill += "O(Path(sys.argv[1])).add(bytes(1072))"
        subprocess.run([sys.executable, "-c", fill, tmp_path], check=True, cwd=ROOT)
        config = tmp_path / "scanner.toml"
        config.write_text('[privacy]\nprofile = "open"\n')
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "scanner",
                "relay",
                "--data",
                tmp_path,
                "--config",
                config,
                "--broker",
                f"127.0.0.1:{server.getsockname()[1]}",
            ],
            env=ENVIRONMENT,
        )
        try:
            connection, _ = server.accept()
            status = status_of(process.pid)
            assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
            connection.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


NO_SECCOMP = """
import sys
from scanner.wall import seccomp
seccomp.AUDIT_ARCH.clear()
from scanner.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_machine_without_walls_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_SECCOMP, "relay", "--once", "--broker", "127.0.0.1:9"]
    command += ["--data", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 71, refused.stderr
    assert "--insecure" in refused.stderr
    aloud = subprocess.run(
        [*command, "--insecure"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (aloud.returncode, aloud.stdout) == (0, "sent 0\n"), aloud.stderr
    assert "WARNING" in aloud.stderr
    assert "NO WALL" in aloud.stderr


LATE = """
import sys, threading
from pathlib import Path
from scanner import wall
threading.Thread(target=threading.Event().wait, daemon=True).start()
wall.fence_watch(Path(sys.argv[1]), [])
"""
CONNECTED = """
import socket, sys
from pathlib import Path
from scanner import wall
server = socket.create_server(("127.0.0.1", 0))
wall.close_watch(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("program", "words"), [(LATE, "threads run already"), (CONNECTED, "connection is open")]
)
def test_the_order_is_kept(tmp_path: Path, program: str, words: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert f"WallError: {'' if words[0] != 't' else '1 '}" in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
@pytest.mark.parametrize("rules", [wall.WATCH, wall.HELPER, wall.RELAY])
def test_the_filter_judges_as_meant_on_both_machines(name: str, rules: seccomp.Rules) -> None:
    """The other machine's filter cannot be installed here, so it is interpreted."""
    column = list(seccomp.AUDIT_ARCH).index(name)
    steps = seccomp.program(rules, name)
    assert len(steps) < 4096

    def judge(number: int, *arguments: int, arch: int = seccomp.AUDIT_ARCH[name]) -> int:
        values = {0: number, 4: arch}
        values |= {16 + 8 * i: a & 0xFFFFFFFF for i, a in enumerate((*arguments, *[0] * 6)[:6])}
        return interpreted(steps, values)

    refused, allowed = seccomp.ERRNO | 1, seccomp.ALLOW
    for numbers in seccomp.FORBIDDEN.values():
        if numbers[column] is not None:
            assert judge(numbers[column]) == refused
    opening, position = seccomp.OPEN["openat"]
    before = [0] * position
    assert judge(opening[column], *before, os.O_RDWR) == allowed
    assert judge(opening[column], *before, os.O_RDWR | os.O_CREAT) == refused
    assert judge(opening[column], *before, os.O_RDWR | os.O_TMPFILE) == refused
    for family in range(50):
        inside = family in rules.families
        assert judge(seccomp.SOCKET[column], family) == (allowed if inside else refused)
    assert judge(seccomp.SOCKETPAIR[column], socket.AF_UNIX) == allowed
    hears = allowed if rules.may_hear_devices else refused
    assert judge(seccomp.SOCKET[column], socket.AF_NETLINK, socket.SOCK_RAW, 15) == hears
    assert judge(seccomp.SOCKET[column], socket.AF_PACKET, socket.SOCK_RAW, 15) == refused
    bind = seccomp.BIND[column]
    assert judge(bind, 3, 0, 12) == (allowed if rules.may_serve else hears)  # sockaddr_nl
    assert judge(bind, 3, 0, 16) == (allowed if rules.may_serve else refused)  # sockaddr_in
    assert judge(0, arch=0x40000003) == seccomp.KILL_PROCESS  # 32-bit x86
    read = {"x86_64": 0, "aarch64": 63}[name]
    assert judge(read) == allowed
    if name == "x86_64":
        assert judge(read | seccomp.X32_BIT) == refused


def interpreted(steps: list[seccomp.Step], data: dict[int, int]) -> int:
    """Classic BPF as far as the filter uses it (linux/filter.h)."""
    at, value = 0, 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == seccomp.LOAD:
            value = data[k]
        elif code == seccomp.RETURN:
            return k
        else:
            holds = {
                seccomp.EQUAL: value == k,
                seccomp.AT_LEAST: value >= k,
                seccomp.ANY_BIT: bool(value & k),
            }[code]
            at += yes if holds else no


def test_a_32_bit_program_gets_no_filter() -> None:
    with pytest.raises(WallError, match="armv7l"):
        seccomp.machine("armv7l")


UNITS = ["scanner-watch.service", "scanner-relay.service"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_build_the_same_wall(unit: str) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is missing: sudo apt-get install systemd"
    result = subprocess.run(
        [
            analyze,
            "security",
            "--offline=true",
            "--no-pager",
            "--threshold=15",
            ROOT / "systemd" / unit,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    text = (ROOT / "systemd" / unit).read_text()
    for line in ("LimitCORE=0", "MemorySwapMax=0", "ProtectSystem=strict", "NoNewPrivileges=yes"):
        assert line in text.splitlines()
    line = "PrivateNetwork=yes" if "watch" in unit else "PrivateDevices=yes"
    assert line in text.splitlines()
    assert "landlock_restrict_self" in text
