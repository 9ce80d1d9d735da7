"""The story of docs/hub.md: a hub that is copied, goes on, is lost and comes back from the copy."""

import re
import time

from scanner.hub import broker
from tests.docs.following import READY, TYPED, Before, cameras_in, fill, follow, sealed_to_newest
from tests.helpers.broker import PLAIN, Mosquitto
from tests.helpers.pages import ROOT, text_of
from tests.helpers.postgres import cluster
from tests.helpers.story import Step, Story

PAGE = "docs/hub.md"


class HubPage:
    """Two brokers, the settings of the page with their ports, what happens between its lines."""

    def __init__(self, story: Story) -> None:
        self._story, self._folder = story, story.folder
        own = broker.start(self._folder / "broker", kind="mosquitto")
        story.at_end.callback(own.stop)
        self._at = f"-h 127.0.0.1 -p {own.port}"
        self._password = own.access("hub").password
        story.environment["CREDENTIALS_DIRECTORY"] = self._credentials("hubs", self._password)
        (block,) = re.findall(r"```toml\n(.*?)```", text_of(PAGE), re.DOTALL)
        block = block.replace("broker.example.org", "127.0.0.1").replace("8883", str(own.port))
        self._settings("scanner.toml", block.replace("tls = true", "tls = false"))
        device = f"host = '127.0.0.1'\nport = {own.port}\nusername = 'scanner'\n"
        self._settings("device.toml", f"[mqtt]\n{device}[privacy]\nprofile = 'open'\n")
        self._scanners = self._credentials("scanners", own.access("scanner").password)
        # Of its own: the first would keep for the workers, once they are gone, their part.
        large = Mosquitto(self._folder / "large", f"{PLAIN}acl_file {ROOT}/scanner/hub/acl\n")
        large.start()
        story.at_end.callback(large.stop)
        settings = f"[mqtt]\nhost = '127.0.0.1'\nport = {large.port}\nusername = 'hub'\n"
        self._settings("large.toml", settings)

    def _credentials(self, name: str, password: str) -> str:
        (self._folder / name).mkdir()
        (self._folder / name / "mqtt-password").write_text(password)
        return str(self._folder / name)

    def _settings(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)

    def _deliver(self, east_m: float) -> None:
        """One more camera, by a scanner's relay, confirmed by the reviewer."""
        before = cameras_in(self._folder / "hub")
        fill(self._folder / "device", sealed_to_newest(self._folder / "hub", east_m))
        relay = "scanner relay --once --config device.toml --data device"
        assert "sent 1" in self._story.run(f"CREDENTIALS_DIRECTORY={self._scanners} {relay}")
        (new,) = self._new(before)
        self._story.run(f"scanner hub review confirm {new} --reviewer ana --data hub")

    def _new(self, before: list[str]) -> set[str]:
        """What the hub has made of it. Asked now and then: who opens the file makes it wait."""
        for _ in range(240):
            if found := set(cameras_in(self._folder / "hub")) - set(before):
                return found
            time.sleep(0.5)
        raise AssertionError(self._story.said)

    def _cells(self, wanted: int) -> None:
        """So many cells of the map are what a new reader is given."""
        line = f"mosquitto_sub {self._at} -t 'cctv/v1/map/#' --retained-only -W 1"
        for _ in range(20):
            cells = self._story.run(line, Step(codes=(0, 27))).count("FeatureCollection")
            if cells == wanted:
                return
        assert cells == wanted

    def _small_again(self) -> None:
        self._story.stop()
        small = "scanner hub serve --data hub --config scanner.toml --port 0 --keep kept"
        self._story.run(small, Step(until=READY))
        self._deliver(0.0)
        self._cells(1)

    def _goes_on_after_the_copy(self) -> None:
        self._deliver(5_000.0)
        self._cells(2)

    def follow(self) -> None:
        """The whole page."""
        with cluster().database() as url:
            large = {"postgresql://hub@/hub": f"'{url}'", "scanner.toml": "large.toml"}
            follow(self._story, PAGE, self._steps(large), self._between())
        self._story.stop()
        new = self._folder / "new"
        assert {p.name for p in new.iterdir()} >= {"keys", "naming.key", "reviewers.json"}
        assert new.stat().st_mode & 0o077 == 0

    def _steps(self, large: dict[str, str]) -> dict[str, Step]:
        own_broker = {"-h localhost": self._at, "PASSWORD": self._password}
        serving = Step(more="--port 0", until=READY)
        return {
            "scanner hub reviewers add": Step(typed=TYPED),
            "sudo scanner hub reviewers add": Step(typed=TYPED),
            "scanner hub serve --data hub": serving,
            "scanner hub serve --db": Step(instead=large, more="--port 0", until=READY, alone=True),
            "scanner hub work": Step(instead=large, until="broker"),
            "scanner hub restore": Step(alone=True, says="1 records are back"),
            "scanner hub rebuild": Step(says="1 cameras, nothing changed"),
            "scanner hub ingest": Step(says="1 records taken in, 1 known before"),
            "mosquitto_sub": Step(instead=own_broker, codes=(27,)),
            "scanner hub serve --data new": serving,
            "scanner hub keys list": Step(says="sealed to now"),
            "scanner hub keys destroy": Step(says="cannot open"),
            "sudo scanner hub backup": Step(
                instead={"/var/lib/scanner-hub/": ""}, more="--data hub"
            ),
        }

    def _between(self) -> Before:
        old_key = "scanner hub keys new 2026-Q2 --data hub"
        return {
            "scanner hub backup hub.backup": self._small_again,
            "mkdir": self._goes_on_after_the_copy,
            # One of the two is on the map: the other one's confirmation came after the copy.
            "scanner hub keys list": lambda: self._cells(1),
            "scanner hub keys destroy": lambda: self._story.run(old_key),
        }
