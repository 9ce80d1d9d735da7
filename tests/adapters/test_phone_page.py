"""The page for a phone: the real process, with what ``watch`` holds of it on the other side."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scanner.core.blink import State
from scanner.core.button import Action
from scanner.errors import ConfigError
from scanner.phone import codes, lines
from scanner.phone.link import PageLink
from scanner.phone.server import host_of, own_address
from scanner.phone.walk import Walk
from scanner.wall import landlock
from tests.cli.test_commands import error_of, scanner
from tests.e2e.test_wall import REFUSED, probe, status_of
from tests.helpers.page import Page
from tests.helpers.waiting import until


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with Page(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One that nobody tells anything, for all tests that leave it as it was."""
    with Page(tmp_path_factory.mktemp("page")) as running:
        yield running


def view(phone: httpx.Client) -> dict[str, object]:
    response = phone.get("/view")
    assert response.status_code == 200
    shown: dict[str, object] = response.json()
    return shown


class Watch:
    """What ``watch`` has of the page."""

    def __init__(self, page: Page) -> None:
        self.asked: list[Action] = []
        self.facts = {"fix": lambda: "good to 4 m"}
        self.link = PageLink(page.socket, self.asked.append, self.facts)


@pytest.fixture
def watch(page: Page) -> Iterator[Watch]:
    watch = Watch(page)
    yield watch
    watch.link.close()


def test_the_phone_sees_this_walks_finds_newest_first(page: Page, watch: Watch) -> None:
    phone = page.phone()
    for text in ("dome, 9 views, ±4 m", "bullet, 5 views, ±7 m"):
        watch.link.show("seen", text)
    watch.link.show("found", "2 sites")
    for _ in range(3):
        watch.link.show("withheld")
    watch.link.show("scanning")
    until(lambda: view(phone)["state"] == "scanning")
    shown = view(phone)
    assert [find["text"] for find in shown["finds"]] == [
        "bullet, 5 views, ±7 m",
        "dome, 9 views, ±4 m",
    ]
    assert (shown["sites"], shown["withheld"]) == (2, 3)
    until(lambda: view(phone)["facts"] == {"fix": "good to 4 m"})
    watch.link.new_walk()
    until(lambda: view(phone)["finds"] == [])


def test_what_is_told_right_before_the_end_still_gets_there(page: Page, watch: Watch) -> None:
    phone = page.phone()
    watch.link.show("scanning")
    until(lambda: view(phone)["state"] == "scanning")
    for state, text in (("seen", "dome, 9 views, ±4 m"), ("found", "1 site"), ("done", "")):
        watch.link.show(state, text)
    watch.link.close()
    until(lambda: not view(phone)["running"])
    shown = view(phone)
    assert (shown["state"], shown["sites"], len(shown["finds"])) == ("done", 1, 1)


@pytest.mark.parametrize(
    ("address", "port", "host"),
    [
        ("10.55.0.1", 8480, "10.55.0.1:8480"),
        ("10.55.0.1", 80, "10.55.0.1"),
        ("fd00::1", 80, "[fd00::1]"),
        ("fd00::1", 8480, "[fd00::1]:8480"),
    ],
)
def test_the_host_is_named_as_browsers_name_it(address: str, port: int, host: str) -> None:
    sent = httpx.Request("GET", f"http://{host_of(address, port)}/")
    assert sent.headers["Host"] == host_of(address, port) == host


def test_troubles_are_told_in_words(page: Page, watch: Watch) -> None:
    phone = page.phone()
    watch.link.show("scanning")
    watch.link.show("lens", "unplugged")
    until(lambda: view(phone)["troubles"] == ["The lens is lost or covered: unplugged"])
    assert view(phone)["text"] == "Not looking"
    watch.link.show("asleep")
    until(lambda: view(phone)["text"] == "Paused")


def test_what_is_asked_reaches_watch(page: Page, watch: Watch) -> None:
    phone = page.phone()
    until(lambda: view(phone)["running"])
    for what in ("pause", "go on", "new walk"):
        assert phone.post("/ask", json={"what": what}).status_code == 204
    until(lambda: watch.asked == [Action.PAUSE, Action.GO_ON, Action.NEW_WALK])
    assert phone.post("/ask", json={"what": "format"}).status_code == 400


def test_a_wipe_wants_an_answer_of_the_same_phone(page: Page, watch: Watch) -> None:
    phone, other = page.phone(), page.phone()
    until(lambda: view(phone)["running"])
    answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
    assert other.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 409
    answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
    assert phone.post("/ask", json={"what": "wipe", "answer": "yes"}).status_code == 409
    assert phone.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 409  # spent
    answer = phone.post("/ask", json={"what": "wipe"}).json()["answer"]
    assert watch.asked == []
    assert phone.post("/ask", json={"what": "wipe", "answer": answer}).status_code == 204
    until(lambda: watch.asked == [Action.WIPE])
    watch.link.show(State.WIPED)
    until(lambda: view(phone)["state"] == "wiped")
    assert view(phone)["facts"] in ({}, {"fix": "good to 4 m"})


def test_without_watch_the_page_says_so_and_passes_nothing_on(quiet: Page) -> None:
    phone = quiet.phone()
    assert view(phone)["state"] == "away"
    assert phone.post("/ask", json={"what": "pause"}).status_code == 503


def test_watch_may_come_late_and_come_back(quiet: Page) -> None:
    phone = quiet.phone()
    for number in range(2):
        watch = Watch(quiet)
        watch.link.show("scanning", str(number))
        until(lambda number=number: view(phone)["detail"] == str(number))
        watch.link.close()
        until(lambda: not view(phone)["running"])


def test_nothing_is_shown_without_the_code(page: Page, watch: Watch) -> None:
    watch.link.show("scanning")
    stranger = page.phone(inside=False)
    for path in ("/", "/page.css", "/page.js", "/icon.svg"):
        assert stranger.get(path).status_code == 200
    assert stranger.get("/view").status_code == 401
    for what in ("pause", "wipe"):
        assert stranger.post("/ask", json={"what": what}).status_code == 401
    stranger.cookies.set("scanner", "x" * 32)
    assert stranger.get("/view").status_code == 401
    assert stranger.get("/../../etc/passwd").status_code == 404
    assert watch.asked == []


def test_guessing_is_slow_but_does_not_end_a_session(page: Page) -> None:
    inside, stranger = page.phone(), page.phone(inside=False)
    answers = [
        stranger.post("/enter", json={"code": f"{n:05}-wrong"}).status_code for n in range(20)
    ]
    assert 1 <= answers.count(403) <= codes.GUESSES_AT_ONCE + 2
    assert answers.count(429) + answers.count(403) == 20
    assert inside.get("/view").status_code == 200


def test_the_code_may_be_typed_as_people_type(quiet: Page) -> None:
    phone = quiet.phone(inside=False)
    typed = f" {quiet.code.upper().replace('-', ' ')} "
    assert phone.post("/enter", json={"code": typed}).status_code == 204
    assert phone.post("/leave", json={}).status_code == 204
    assert phone.get("/view").status_code == 401


def test_a_browser_keeps_nothing_and_shows_nobody_else(quiet: Page) -> None:
    phone = quiet.phone(inside=False)
    entered = phone.post("/enter", json={"code": quiet.code})
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Max-Age" not in cookie
    assert "Expires" not in cookie
    for path in ("/", "/page.js", "/page.css", "/view", "/none"):
        headers = phone.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "geolocation=()" in headers["permissions-policy"]
        assert "python" not in headers["server"].lower()
    script = phone.get("/page.js").text
    for word in ("localStorage", "sessionStorage", "indexedDB", "geolocation", "serviceWorker"):
        assert word not in script
    everything = phone.get("/").text + script + phone.get("/page.css").text
    assert "http" not in everything.replace("http://www.w3.org/2000/svg", "")  # works offline


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1"},
    ],
)
def test_pages_from_elsewhere_cannot_reach_in(quiet: Page, headers: dict[str, str]) -> None:
    phone = quiet.phone()
    assert phone.get("/view", headers=headers).status_code == 421
    assert phone.post("/ask", json={"what": "pause"}, headers=headers).status_code == 421


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{" + b" " * 1000 + b"}", "application/json"),
        (b'{"what": "pause"}', "text/plain"),
        (b'{"what": 1}', "application/json"),
        (b'{"what": "pause", "more": 1}', "application/json"),
        (b"\xff", "application/json"),
        (b"", "application/json"),
    ],
)
def test_what_is_not_a_small_json_object_is_refused(quiet: Page, content: bytes, kind: str) -> None:
    phone = quiet.phone()
    response = phone.post("/ask", content=content, headers={"Content-Type": kind})
    assert response.status_code == 400


def test_connections_that_never_say_anything_do_not_lock_the_owner_out(page: Page) -> None:
    idle = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(30)]
    started = time.monotonic()

    def gets_in() -> bool:
        try:
            return page.phone().get("/view").status_code == 200
        except httpx.TransportError:
            return False

    until(gets_in, 40)
    assert time.monotonic() - started < 30
    for connection in idle:
        connection.close()


def test_the_page_process_is_walled_in(quiet: Page) -> None:
    status = status_of(quiet.process.pid)
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    files = [str(p.readlink()) for p in Path(f"/proc/{quiet.process.pid}/fd").iterdir()]
    assert [f for f in files if "sqlite" in f or "video" in f or "tty" in f] == []


def test_the_page_may_serve_its_link_and_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a picture")
    tried = probe("page", tmp_path / "data", secret)
    assert tried.pop("landlock") == landlock.version()
    assert (tried.pop("socket inet"), tried.pop("socket inet6")) == ("done", "done")
    assert tried.pop("call openat2") == "ENOSYS"
    assert (tried.pop("core"), tried.pop("dumpable")) == ([0, 0], 0)
    tried.pop("largest")
    assert {k: v for k, v in tried.items() if v not in REFUSED} == {}
    assert len(tried) > 60


def connected(page: Page) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(20)
    link.connect(str(page.socket))
    return link


JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400


@pytest.mark.parametrize(
    "sent",
    [
        JPEG,
        b"A" * 5_000,
        b'{"state": "x", "detail": "%s"}\n' % (b"A" * 400),
        b'{"picture": "AAAA"}\n',
        b'{"state": "scanning", "detail": "\\u0000"}\n',
        b'{"fact": {"fix": {"deep": 1}}}\n',
        b'{"state": "seen", "detail": "' + b"A" * 160 + b'"}\n' * 1000,
    ],
    ids=["jpeg", "endless", "long", "unknown", "control", "nested", "many"],
)
def test_only_short_lines_of_text_get_through_to_the_page(quiet: Page, sent: bytes) -> None:
    """Whoever takes over ``watch`` finds a straw where the page is."""
    with connected(quiet) as link:
        try:
            for start in range(0, len(sent), 4096):
                link.sendall(sent[start : start + 4096])
                if b"many" in sent:
                    time.sleep(0.001)
            hung_up = link.recv(100) == b""
        except (ConnectionError, BrokenPipeError):
            hung_up = True
    assert hung_up
    phone = quiet.phone()
    assert len(json.dumps(view(phone))) < 60_000


def test_a_picture_would_take_minutes() -> None:
    meter = lines.Meter()
    passed = at_s = 0.0
    while passed < 300_000:
        at_s += 0.1
        passed += 600 if meter.passes(600, at_s) else 0
    assert at_s > 120


def test_every_text_fits_a_line() -> None:
    for line in (
        lines.Line(state="seen", detail=lines.clean("x" * 1000)),
        lines.Line(fact="fix", detail=lines.clean("\U0001f4f7\U0001f4f7" * 160)),
        lines.Line(fact="outbox", detail=lines.clean('\\"' * 160)),
        lines.Line(state="lens", detail=lines.clean("a\nb\x00c\u202e")),
    ):
        data = lines.encode(line)
        assert len(data) <= lines.LINE_BYTES
        assert lines.decode(data.rstrip(b"\n")) is not None


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("10.55.0.1", True),
        ("192.168.4.1", True),
        ("127.0.0.1", True),
        ("fd00::1", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("224.0.0.1", False),
        ("usb0", False),
    ],
)
def test_the_page_is_for_our_own_link_only(address: str, fine: bool) -> None:  # noqa: FBT001
    if fine:
        assert own_address(address) == address
        return
    with pytest.raises(ConfigError, match=r"page\.address"):
        own_address(address)


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    config.write_text('[page]\naddress = "10.255.255.1"\n')
    result = scanner("page", "--config", config, "--socket", tmp_path / "s")
    assert "10.255.255.1" in error_of(result, 69)
    config.write_text("")
    result = scanner("page", "--config", config, "--socket", tmp_path / "s")
    assert "page.address is empty" in error_of(result, 78)


def test_a_page_that_was_forgotten_ends_well(tmp_path: Path) -> None:
    page = Page(tmp_path)
    page.command += ["--hours", "0.002"]
    with page:
        assert page.process.wait(20) == 0
        with pytest.raises(httpx.TransportError):
            page.phone()


def test_a_code_is_not_one_of_few_and_a_session_ends_when_it_is_not_used() -> None:
    assert len({codes.new_code() for _ in range(1000)}) == 1000
    code = codes.new_code()
    door = codes.Door(code)
    secret = door.knock(code, 0)
    assert secret
    assert door.knows(secret, codes.IDLE_S - 1)
    assert not door.knows(secret, 2 * codes.IDLE_S)
    assert door.knock(code, 2 * codes.IDLE_S)


def test_the_fourth_phone_puts_out_the_one_idle_for_longest() -> None:
    code = codes.new_code()
    door = codes.Door(code)
    secrets = [door.knock(code, float(n)) or "" for n in range(codes.MOST_SESSIONS + 1)]
    assert [door.knows(s, 10.0) for s in secrets] == [False, True, True, True]


def test_the_walk_keeps_a_bounded_memory() -> None:
    walk = Walk()
    for n in range(1000):
        walk.take(lines.Line(state="seen", detail=str(n)), float(n))
    assert len(walk.view(2000.0).finds) == 200
    walk.take(lines.Line(state="wiped"), 2000.0)
    assert walk.view(2000.0).finds == []
