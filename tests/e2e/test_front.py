"""What a person asks of a running device, by the page: real processes behind their walls."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from nacl.public import PrivateKey

from scanner import enrolment, wiping
from scanner.cli.run import TRIES, Sender
from scanner.config import Config
from scanner.core.wire import SEALED_BYTES
from scanner.errors import ConfigError, StoreError
from scanner.front import open_front
from scanner.hub.broker import free_port
from scanner.sealing import key_to_text
from scanner.storage import known, outbox
from scanner.storage.outbox import Outbox
from scanner.wiping import EXIT_WIPED
from tests.e2e.test_wall import status_of
from tests.helpers.broker import Mosquitto
from tests.helpers.live import CONFIG as WAITING
from tests.helpers.live import Watch
from tests.helpers.media import write_gpx, write_pictures
from tests.helpers.page import Page
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
SCANNER = (sys.executable, "-m", "scanner")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Device:
    """A recorded walk whose first picture is a pipe: nothing is looked at until we write it."""

    def __init__(self, folder: Path) -> None:
        self.pictures = write_pictures(folder / "walk", count=6)
        self.first = self.pictures / "0.png"
        self.picture = self.first.read_bytes()
        self.first.unlink()
        os.mkfifo(self.first)
        self.track = write_gpx(
            folder / "t.gpx", [(1_780_000_000.0 + t, 55.75, 37.6) for t in range(8)]
        )
        self.data = folder / "data"
        self.port = free_port()
        self.config = folder / "scanner.toml"
        self.config.write_text(f'[page]\naddress = "127.0.0.1"\nport = {self.port}\n')
        (folder / enrolment.CA_FILE).write_text("a certificate")
        self.options = ["--source", self.pictures, "--track", self.track, "--data", self.data]
        self.options += ["--config", self.config]

    @contextmanager
    def runs(self, command: str, *more: "str | Path") -> "Iterator[subprocess.Popen[str]]":
        process = subprocess.Popen(
            [*SCANNER, command, *self.options, *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            if process.args[3] == "watch":
                process.kill()  # it may wait for the picture
            process.communicate(timeout=20)

    def relay(self, port: int) -> "subprocess.Popen[str]":
        """Sends to a broker at that port."""
        command = [*SCANNER, "relay", "--data", self.data, "--config", self.config]
        return subprocess.Popen(
            [*command, "--broker", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def view(phone: httpx.Client) -> dict[str, object]:
    shown: dict[str, object] = phone.get("/view").json()
    return shown


def troubles(phone: httpx.Client) -> str:
    return " ".join(map(str, phone.get("/view").json()["troubles"]))


def entered(phone: httpx.Client, code: str) -> bool:
    try:
        return phone.post("/enter", json={"code": code}).status_code == 204
    except httpx.TransportError:
        return False


def test_the_page_pauses_watch_and_lets_it_go_on(device: Device, tmp_path: Path) -> None:
    with Page(tmp_path) as page, device.runs("watch", "--page-socket", page.socket) as watch:
        phone = page.phone()
        until(lambda: view(phone)["running"], 20)
        assert phone.post("/ask", json={"what": "pause"}).status_code == 204
        # Where it is late, watch waits for its first picture already and pauses after it.
        showing = threading.Thread(
            target=device.first.write_bytes, args=[device.picture], daemon=True
        )
        showing.start()
        until(lambda: view(phone)["paused"] and view(phone)["text"] == "Paused", 20)
        assert watch.poll() is None
        until(lambda: view(phone)["facts"].get("outbox") == "0 records wait")
        phone.post("/ask", json={"what": "go on"})
        showing.join(20)
        out, errors = watch.communicate(timeout=20)
        assert watch.returncode == 0, errors
        assert "frames" in out
        assert "no home is set" in errors


def test_what_the_page_is_told_of_the_outbox_stands_in_nobodys_way(tmp_path: Path) -> None:
    """The order of finding is gone from the card also while somebody reads the page."""
    told: list[str] = []
    over = threading.Event()
    data, socket = tmp_path / "data", tmp_path / "nobody-listens"
    with (
        closing(Outbox(data)) as store,
        open_front(Config(), data, tmp_path / "scanner.toml", page_socket=socket) as front,
    ):

        def ask() -> None:
            while not over.is_set():
                told.append(front.facts["outbox"]())

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for _ in range(20):
                store.add(os.urandom(SEALED_BYTES))
            until(lambda: told[-1:] == ["20 records wait"])
            for _ in range(10):
                store.settle()
                assert (data / f"{outbox.FILE_NAME}-wal").stat().st_size == 0
        finally:
            over.set()
            asking.join(10)


def test_a_wipe_by_the_page_overwrites_what_watch_holds_open(
    device: Device, tmp_path: Path
) -> None:
    with Page(tmp_path) as page, device.runs("watch", "--page-socket", page.socket) as watch:
        phone = page.phone()
        until(lambda: view(phone)["running"], 20)
        until(lambda: status_of(watch.pid)["Seccomp"] == "2", 60)  # behind the closed door
        names = (outbox.FILE_NAME, known.FILE_NAME)
        handles = [os.open(device.data / name, os.O_RDONLY) for name in names]
        assert all(os.fstat(handle).st_size for handle in handles)
        answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
        assert phone.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 204
        until(lambda: view(phone)["text"] == "Wiped")
        _, errors = watch.communicate(timeout=20)
        assert watch.returncode == EXIT_WIPED, errors
        # The certificate lies beyond the wall: the mark stands for whoever can reach it.
        assert [p.name for p in device.data.iterdir()] == [wiping.MARK]
        assert wiping.begun(device.data)
        assert [os.fstat(handle).st_size for handle in handles] == [0, 0]
        for handle in handles:
            os.close(handle)


def test_run_shows_the_page_and_ends_it_with_itself(device: Device, tmp_path: Path) -> None:
    with device.runs("run", "--page", "--once") as run:
        assert run.stdout
        said = next(line for line in run.stdout if line.startswith("page: "))
        address, code = re.fullmatch(r"page: (http://\S+)/  code: (\S+)\n", said).groups()

        def gets_in() -> bool:
            try:
                return httpx.post(f"{address}/enter", json={"code": code}).status_code == 204
            except httpx.TransportError:
                return False

        until(gets_in, 20)
        phone = httpx.Client(base_url=address)
        phone.post("/enter", json={"code": code})
        until(lambda: view(phone)["running"], 20)
        answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
        assert phone.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 204
        run.communicate(timeout=20)
        assert run.returncode == 0
    assert not (device.data / outbox.FILE_NAME).exists()
    assert not (tmp_path / enrolment.CA_FILE).exists()  # what only the whole wipe reaches
    with pytest.raises(httpx.TransportError):
        phone.get("/view")


def runs_still(pid: int) -> bool:
    """Whether a process is there and at work."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("at_work", [False, True], ids=["as they start", "at work"])
def test_what_run_has_started_ends_with_it_even_where_it_is_killed(
    tmp_path: Path, *, at_work: bool
) -> None:
    config = f'{WAITING}[page]\naddress = "127.0.0.1"\nport = {free_port()}\n'
    with Watch(tmp_path, "--page", command="run", config=config) as run:
        pid = run.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        until(lambda: len(children.read_text().split()) == 2, 60)
        pids = [int(word) for word in children.read_text().split()]
        if at_work:
            until(lambda: run.heard("READY=1"), 60)
            assert {status_of(pid)["Seccomp"] for pid in pids} == {"2"}
        run.process.kill()
        until(lambda: not any(runs_still(pid) for pid in pids), 30)


ORPHAN = """
import os, time
from scanner import wall
parent = os.getpid()
if not os.fork():
    while os.getppid() == parent:
        time.sleep(0.01)
    print("alone", flush=True)
    wall.end_with_parent(parent)
    print("still here", flush=True)
"""


def test_who_is_alone_before_it_asks_to_be_told_ends_at_once() -> None:
    command = [sys.executable, "-c", ORPHAN]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    assert done.stdout == "alone\n"


def test_a_relay_that_dies_is_told_and_the_walk_goes_on(tmp_path: Path) -> None:
    key = key_to_text(PrivateKey.generate().public_key)
    config = f'{WAITING}[privacy]\nhub_key = "{key}"\n'
    away = f"127.0.0.1:{free_port()}"
    with Watch(tmp_path, "--broker", away, command="run", config=config) as run:
        pid = run.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        until(lambda: len(children.read_text().split()) == 2, 60)
        relay, watch = map(int, children.read_text().split())
        until(lambda: run.heard("READY=1"), 60)
        os.kill(relay, signal.SIGKILL)
        until(lambda: "the relay has ended with -9" in run.log.read_text(), 20)
        assert runs_still(watch)
        os.kill(watch, signal.SIGTERM)
        run.process.wait(60)
    assert run.log.read_text().count("the relay has ended") == 1
    assert run.process.returncode != 0


@pytest.mark.parametrize("code", [71, 74])
def test_a_relay_whose_name_servers_have_changed_is_started_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], code: int
) -> None:
    starts = tmp_path / "starts"
    script = f"import sys; open({str(starts)!r}, 'a').write('s'); sys.exit({code})"
    children: list[subprocess.Popen[bytes]] = []
    sender = Sender(children, [sys.executable, "-c", script], steady_s=5)
    until(lambda: sender.ended() is not None, 60)
    time.sleep(6)  # ended for so long is not at work for so long
    assert sender.ended() == code
    assert len(starts.read_text()) == len(children) == (1 + TRIES if code == 71 else 1)
    assert capfd.readouterr().err.count(f"the relay has ended with {code}") == 1


def test_without_an_address_to_show_the_page_at_run_starts_nothing(device: Device) -> None:
    device.config.write_text("")
    with device.runs("run", "--page") as run:
        _, errors = run.communicate(timeout=60)
    assert run.returncode == ConfigError.exit_code
    assert "page.address is empty" in errors
    assert not device.data.exists()


def test_the_code_is_told_first_and_the_page_outlives_a_lost_lens(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "pulled").touch()  # the lens comes late
    config = f'{WAITING}[page]\naddress = "127.0.0.1"\nport = {port}\n'
    with Watch(tmp_path, "--page", command="run", config=config) as run:
        assert run.process.stdout
        said = run.process.stdout.readline().decode()
        assert said.startswith("page: "), said
        assert not (tmp_path / "data" / outbox.FILE_NAME).exists()  # nothing slow was begun
        phone = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        until((tmp_path / "data/page.sock").exists)
        until(lambda: entered(phone, said.split()[-1]))
        assert view(phone)["state"] in ("away", "starting")
        until(lambda: troubles(phone).startswith("The lens is lost"), 90)
        run.plug()
        until(lambda: view(phone)["state"] == "no-fix" and "lens" not in troubles(phone), 60)
        run.pull()
        until(lambda: troubles(phone).startswith("The lens is lost"), 60)
        assert phone.post("/ask", json={"what": "pause"}).status_code == 204
        until(lambda: view(phone)["text"] == "Paused", 20)
        assert phone.post("/ask", json={"what": "go on"}).status_code == 204
        until(lambda: view(phone)["text"] == "Not looking", 20)
        run.process.terminate()
        run.process.wait(60)
        with pytest.raises(httpx.TransportError):
            phone.get("/view")


@pytest.mark.parametrize("answers", [True, False], ids=["sending", "broker away"])
def test_a_relay_at_work_ends_after_a_wipe_and_writes_nothing_back(
    device: Device, tmp_path: Path, *, answers: bool
) -> None:
    with device.config.open("a") as config:
        config.write('[privacy]\nprofile = "open"\n')
    with closing(Outbox(device.data)) as store:
        for _ in range(3000 if answers else 30):
            store.add(os.urandom(SEALED_BYTES))
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Page(tmp_path) as page,
        device.runs("watch", "--page-socket", page.socket) as watch,
    ):
        phone = page.phone()
        until(lambda: view(phone)["running"], 20)
        until(lambda: status_of(watch.pid)["Seccomp"] == "2", 60)
        port = broker.port if answers else free_port()
        relay = device.relay(port)
        until(lambda: status_of(relay.pid)["Seccomp"] == "2", 60)
        handle = os.open(device.data / outbox.FILE_NAME, os.O_RDONLY)
        answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
        assert phone.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 204
        watch.communicate(timeout=20)
        assert watch.returncode == EXIT_WIPED
        errors = relay.communicate(timeout=60)[1]
        assert relay.returncode == StoreError.exit_code, errors
        assert "Traceback" not in errors
        assert "bug" not in errors
        assert [p.name for p in device.data.iterdir()] == [wiping.MARK]
        left = os.pread(handle, 1 << 20, 0)
        os.close(handle)
        assert not left.strip(b"\0"), "what was overwritten was written again"
        again = device.relay(port)  # as systemd would, were it not for the unit's condition
        assert "a wipe is not finished" in again.communicate(timeout=60)[1]
        assert [p.name for p in device.data.iterdir()] == [wiping.MARK]
    finished = [*SCANNER, "wipe", "--finish", "--data", device.data, "--config", device.config]
    subprocess.run(finished, check=True, env=ENVIRONMENT, capture_output=True)
    assert list(device.data.iterdir()) == []
    assert not (tmp_path / enrolment.CA_FILE).exists()
