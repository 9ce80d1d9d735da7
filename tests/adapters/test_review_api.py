"""The reviewers' web side by HTTP, on a server that runs: who comes in, and what one can do."""

import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn
from nacl.public import PrivateKey
from starlette.applications import Starlette
from starlette.routing import Mount

from scanner.core.wire import Record
from scanner.errors import StoreError, UsageError
from scanner.hub import keys, mapping
from scanner.hub.api_answers import on_usage
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.review import ReviewDesk
from scanner.hub.review_api import routes
from scanner.hub.reviewers import IDLE_S, SESSION_S, Door, Reviewers
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import Store
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record

KEY = PrivateKey(bytes(range(32)))
NAME = partial(keys.camera_id, keys.naming_key(KEY))
NOW_S = (DAY + 3) * 86_400.0
PASSPHRASE = "four words of some length"  # noqa: S105
TWO = Policy(reports=2)
WRITES = {"X-Review": "1"}
LOGIN = {"name": "ana", "passphrase": PASSPHRASE}


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with two reviewers: hashing a passphrase takes a while."""
    folder = tmp_path_factory.mktemp("hub")
    reviewers = Reviewers(folder)
    assert reviewers.add("ana", PASSPHRASE)
    assert reviewers.add("ben", None)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "hub.sqlite3")
    mapping.set_policy(opened, TWO)
    take_in(opened, record([entry((0, 0))]), record([entry((200, 0))]))
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(store: Store, data: Path, clock: Clock) -> Iterator[str]:
    with serving(store, Door(Reviewers(data), clock)) as address:
        yield address


@pytest.fixture
def ana(url: str) -> Iterator[httpx.Client]:
    """Somebody who has logged in."""
    with httpx.Client(base_url=url, headers=WRITES) as client:
        assert client.post("/login", json=LOGIN).status_code == 204
        yield client


class serving:  # noqa: N801 - reads as a verb
    """A server of its own while the block lasts."""

    def __init__(self, store: Store, door: Door) -> None:
        desk = ReviewDesk(store, TWO, partial(mapping.refresh, name=NAME), lambda: NOW_S)
        app = Starlette(
            routes=[Mount("/api/review", routes=routes(desk, door))],
            exception_handlers={UsageError: on_usage},
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", proxy_headers=False, lifespan="off")
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/api/review"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def take_in(store: Store, *values: Record) -> None:
    Ingest(store, KEY, lambda: NOW_S).take([seal(v, KEY.public_key) for v in values])
    while mapping.fuse_waiting(store, NAME):
        pass


# --- who comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/me", None),
        ("GET", "/queue", None),
        ("GET", "/log", None),
        ("POST", "/actions", {"verb": "confirm", "camera_id": "x"}),
        ("POST", "/undo", {"number": 1}),
    ],
)
def test_a_stranger_sees_and_does_nothing(url: str, method: str, path: str, body: object) -> None:
    for cookie in ("", "session=", "session=wrong", "session=ana"):
        headers = WRITES | ({"Cookie": cookie} if cookie else {}) | {"X-Forwarded-User": "ana"}
        answer = httpx.request(method, url + path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"error": "for reviewers", "hint": "log in"}


def test_the_cookie_is_for_this_side_alone(url: str) -> None:
    answer = httpx.post(f"{url}/login", json=LOGIN, headers=WRITES)
    (cookie,) = answer.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "samesite=strict", "path=/api/review", f"max-age={SESSION_S:.0f}"}
    behind_tls = httpx.post(
        f"{url}/login", json=LOGIN, headers=WRITES | {"X-Forwarded-Proto": "https"}
    )
    assert "; Secure" in behind_tls.headers["set-cookie"]
    assert len(cookie.split(";")[0]) > 40


def test_who_logs_out_is_out_wherever_the_cookie_was_copied_to(ana: httpx.Client) -> None:
    copied = dict(ana.cookies)
    assert ana.get("/me").json() == {"name": "ana"}
    assert ana.post("/logout").status_code == 204
    assert httpx.get(str(ana.base_url) + "me", cookies=copied).status_code == 401


@pytest.mark.parametrize(("pauses_s", "left_in"), [
    ([IDLE_S - 1], True),
    ([IDLE_S + 1], False),
    ([IDLE_S - 1] * 6, True),
    ([IDLE_S - 1] * 7, False),  # used all the time, but older than a session may be
])  # fmt: skip
def test_a_session_ends(
    ana: httpx.Client,
    clock: Clock,
    pauses_s: list[float],
    left_in: bool,  # noqa: FBT001
) -> None:
    for pause_s in pauses_s:
        clock.now_s += pause_s
        answer = ana.get("/me")
    assert (answer.status_code == 200) == left_in


def test_a_reviewer_who_is_taken_off_the_list_is_out_at_once(store: Store, tmp_path: Path) -> None:
    reviewers = Reviewers(tmp_path)
    reviewers.add("eve", PASSPHRASE)
    with serving(store, Door(reviewers, Clock())) as url, httpx.Client(base_url=url) as client:
        login = {"name": "eve", "passphrase": PASSPHRASE}
        assert client.post("/login", json=login, headers=WRITES).status_code == 204
        assert client.get("/me").status_code == 200
        Reviewers(tmp_path).remove("eve")
        assert client.get("/me").status_code == 401
        assert client.post("/login", json=login, headers=WRITES).status_code == 401


def test_guessing_becomes_slow_for_the_guesser_alone(data: Path) -> None:
    clock = Clock()
    door = Door(Reviewers(data), clock)
    assert [door.enter("ana", f"wrong {i}", "192.0.2.1") for i in range(5)] == [None] * 5
    assert door.enter("ana", PASSPHRASE, "192.0.2.1") is None
    assert 0 < door.wait_s("ana", "192.0.2.1") <= 1
    assert door.wait_s("ana", "192.0.2.2") == 0
    clock.now_s += 1
    assert door.enter("ana", "wrong again", "192.0.2.1") is None
    assert door.wait_s("ana", "192.0.2.1") == 2
    clock.now_s += 2
    assert door.enter("ana", PASSPHRASE, "192.0.2.1")
    assert door.wait_s("ana", "192.0.2.1") == 0


def test_the_server_says_how_long_to_wait(url: str) -> None:
    for _ in range(5):
        wrong = httpx.post(f"{url}/login", json=LOGIN | {"passphrase": "x"}, headers=WRITES)
        assert wrong.status_code == 401
    late = httpx.post(f"{url}/login", json=LOGIN, headers=WRITES)
    assert late.status_code == 429
    assert late.headers["retry-after"] == "2"


@pytest.mark.parametrize("name", ["nobody", "ben", ""])
def test_without_a_passphrase_nobody_comes_in(url: str, name: str) -> None:
    for passphrase in ("", PASSPHRASE):
        login = {"name": name, "passphrase": passphrase}
        assert httpx.post(f"{url}/login", json=login, headers=WRITES).status_code == 401


def test_a_proxy_on_this_machine_may_say_who_it_is(store: Store, data: Path) -> None:
    door = Door(Reviewers(data), Clock(), proxy_header="X-Forwarded-User")
    with serving(store, door) as url:
        told = {"X-Forwarded-User": "ben"}
        assert httpx.get(f"{url}/me", headers=told).json() == {"name": "ben"}
        for header, name in (("X-Forwarded-User", "mallory"), ("X-User", "ben")):
            assert httpx.get(f"{url}/me", headers={header: name}).status_code == 401


@pytest.mark.parametrize(
    ("peer", "believed"),
    [("127.0.0.1", True), ("::1", True), (None, True), ("192.0.2.7", False), ("proxy", False)],
)
def test_a_proxy_elsewhere_is_not_believed(
    data: Path,
    peer: str | None,
    believed: bool,  # noqa: FBT001
) -> None:
    door = Door(Reviewers(data), Clock(), proxy_header="X-Forwarded-User")
    assert (door.who("", "ben", peer) == "ben") == believed
    assert Door(Reviewers(data), Clock()).who("", "ben", peer) is None


@pytest.mark.parametrize("removed", [False, True], ids=["set anew", "removed and added"])
def test_a_new_passphrase_ends_what_the_old_one_opened(
    tmp_path: Path,
    removed: bool,  # noqa: FBT001
) -> None:
    reviewers = Reviewers(tmp_path)
    reviewers.add("ana", PASSPHRASE)
    reviewers.add("ben", PASSPHRASE)
    door = Door(reviewers, Clock())
    stolen, other = door.enter("ana", PASSPHRASE, "x"), door.enter("ben", PASSPHRASE, "x")
    if removed:
        reviewers.remove("ana")
    reviewers.add("ana", "another phrase of words")
    assert door.who(stolen or "", "", "192.0.2.7") is None
    assert door.who(other or "", "", "192.0.2.7") == "ben"
    own = door.enter("ana", "another phrase of words", "x")
    assert door.who(own or "", "", "192.0.2.7") == "ana"
    reviewers.add("ana", "another phrase of words")  # the same again is another, too
    assert door.who(own or "", "", "192.0.2.7") is None


def test_another_site_cannot_make_a_reviewer_decide(ana: httpx.Client) -> None:
    item = ana.get("/queue").json()["items"][0]
    body = {"verb": "confirm", "camera_id": item["feature"]["id"]}
    foreign = [{"X-Review": "0"}, {"X-Review": ""}, WRITES | {"Sec-Fetch-Site": "cross-site"}]
    for headers in foreign:
        for path in ("/login", "/logout", "/actions", "/undo"):
            assert ana.post(path, json=body, headers=headers).status_code == 403
    assert ana.get("/log").json()["lines"] == []
    assert ana.post("/actions", json=body, headers={"Sec-Fetch-Site": "same-origin"}).is_success


# --- what one can do ----------------------------------------------------------------------------


def test_a_reviewer_works_off_the_queue(ana: httpx.Client) -> None:
    queue = ana.get("/queue", params={"limit": 10}).json()
    assert queue["licence"] == "ODbL-1.0"
    first, second = queue["items"]
    assert set(first) == {"feature", "gain", "reasons", "near"}
    assert first["feature"]["properties"]["status"] == "candidate"
    assert first["gain"] >= second["gain"] > 0
    done = ana.post(
        "/actions", json={"verb": "confirm", "camera_id": first["feature"]["id"]}
    ).json()
    assert [i["feature"]["id"] for i in ana.get("/queue").json()["items"]] == [
        second["feature"]["id"]
    ]
    assert ana.post("/undo", json=done).json() == {"number": 2}
    assert len(ana.get("/queue").json()["items"]) == 2
    log = ana.get("/log").json()["lines"]
    assert [(x["number"], x["reviewer"], x["verb"], x["counts"]) for x in log] == [
        (1, "ana", "confirm", False),
        (2, "ana", "undo", True),
    ]
    assert [x["number"] for x in ana.get("/log", params={"since": 1}).json()["lines"]] == [2]


def test_nonsense_is_answered_in_one_line(ana: httpx.Client) -> None:
    for path, body, message in (
        ("/actions", b"{", "the body is not what is wanted"),
        ("/actions", b'{"verb": "confirm"}', "camera_id"),
        ("/actions", b'{"verb": "confirm", "camera_id": "x", "who": "y"}', "unknown field"),
        ("/actions", b'{"verb": "confirm", "camera_id": "x"}', "there is no camera x"),
        ("/undo", b'{"number": 7}', "the log has no line 7"),
        ("/undo", b'{"number": "all"}', "Expected `int`"),
        ("/actions", b" " * 70_000, "too long"),
    ):
        answer = ana.post(path, content=body)
        assert answer.status_code == 400
        assert message in answer.json()["error"]


# --- the file -----------------------------------------------------------------------------------


def test_the_file_holds_hashes_and_is_private(tmp_path: Path) -> None:
    reviewers = Reviewers(tmp_path / "hub")
    assert reviewers.add("ana", PASSPHRASE)
    path = tmp_path / "hub" / "reviewers.json"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "$argon2id$v=19$m=65536" in text
    assert PASSPHRASE not in text
    assert reviewers.names() == {"ana": True}
    assert reviewers.check("ana", PASSPHRASE)
    assert not reviewers.check("ana", PASSPHRASE + " ")
    assert not reviewers.add("ana", "another phrase of words")
    assert not reviewers.check("ana", PASSPHRASE)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="can be read by others"):
        reviewers.names()
    path.chmod(0o600)
    path.write_text("[]")
    with pytest.raises(StoreError, match="cannot be read"):
        reviewers.check("ana", PASSPHRASE)
    assert [p.name for p in path.parent.iterdir()] == ["reviewers.json"]


@pytest.mark.parametrize(
    ("name", "passphrase"),
    [("", PASSPHRASE), ("Ana", PASSPHRASE), ("a b", PASSPHRASE), ("ana\n", PASSPHRASE),
     ("ana", "too short"), ("ana", "x" * 2000)],
)  # fmt: skip
def test_names_are_plain_and_passphrases_long(tmp_path: Path, name: str, passphrase: str) -> None:
    with pytest.raises(UsageError):
        Reviewers(tmp_path).add(name, passphrase)
    assert list(tmp_path.iterdir()) == []
