"""Every command that a page shows is run as a reader would run it, or says here why not."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scanner
from firmware import release
from firmware.rootfs import Built
from scanner.cli import build_parser
from scanner.cli.courier import pack
from scanner.hub import broker, keys, mapping
from scanner.hub.features import Policy
from scanner.hub.stores import open_store
from scanner.sealing import seal
from scanner.storage.outbox import OWN_FOLDER
from tests.cli.test_calibrate import LENSES, POSES, draw, rays
from tests.docs.excused import ANYWHERE, EXCUSED, reason
from tests.docs.following import READY, TYPED, cameras_in, fill, follow, sealed_to_newest
from tests.docs.hub_page import HubPage
from tests.helpers.media import write_gpx, write_pictures, write_video
from tests.helpers.pages import (
    PAGES,
    ROOT,
    Command,
    blocks_without_language,
    check,
    fenced,
    mentioned,
    text_of,
)
from tests.helpers.reports import entry, record
from tests.helpers.story import Step, Story
from tests.helpers.waiting import until

# Run line by line by tests of their own: with cameras to show, and a look at the answers.
ELSEWHERE = {
    "docs/dashboard.md": ("tests/docs/test_contract.py", "tests/docs/test_http_pages.py"),
    "docs/exports.md": ("tests/docs/test_exports_page.py",),
}
YES = (("[y/N]", "y\n"),)
FREE = "--port 0 --broker-port 0"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A folder with a walk; settings and data of one device or hub."""
    folder = tmp_path / "work"
    toml = tmp_path / "etc" / "scanner.toml"
    toml.parent.mkdir()
    toml.touch()
    places = {"SCANNER_CONFIG": str(toml), "STATE_DIRECTORY": str(tmp_path / "data")}
    with Story(folder, **places) as told:
        write_video(folder / "WALK.mp4", count=8, rate=4, width=640, height=480)
        write_gpx(
            folder / "WALK.gpx",
            [(1_780_000_000.0 + t, 55.75 + t * 1.2e-5, 37.6) for t in range(6)],
        )
        yield told


def data_of(story: Story) -> Path:
    return Path(story.environment["STATE_DIRECTORY"])


def settings_of(story: Story) -> Path:
    return Path(story.environment["SCANNER_CONFIG"])


# --- the pages ----------------------------------------------------------------------------------


def enrolment_in(story: Story, name: str = "FILE") -> None:
    """What an organiser hands out, made at a hub of its own."""
    story.run("scanner hub keys new --data organiser")
    made = f"scanner hub enrolment --data organiser --out {name} --broker 127.0.0.1:9"
    assert "fingerprint" in story.run(made)


def readme(story: Story) -> None:
    enrolment_in(story)
    follow(
        story,
        "README.md",
        {
            "sudo scanner enrol": Step(typed=YES, says="wrote"),
            "sudo scanner home set": Step(typed=(("degrees:", "52.37 4.89\n"),), says="Set."),
            # No lens, no receiver, and nobody at the broker: each is told, none is a crash.
            "sudo scanner doctor": Step(more="--seconds 2", codes=(69, 75), says="broker"),
        },
    )


def commands(story: Story) -> None:
    folder = story.folder
    write_pictures(folder / "PICTURES", count=2)
    (folder / "board").mkdir()
    ray = rays(LENSES["plain"])
    for number, pose in enumerate(POSES):
        draw(ray, pose, 1.0).save(folder / "board" / f"{number}.png")
    point = {"type": "Point", "coordinates": [4.8952, 52.3702]}
    camera = {"type": "Feature", "geometry": point, "properties": {"kind": "dome"}}
    collection = {"type": "FeatureCollection", "features": [camera]}
    (folder / "truth.geojson").write_text(json.dumps(collection))
    ports: dict[str, str] = {}

    def hub_is_up() -> None:
        ports["127.0.0.1:1883"] = re.findall(r"broker +(\S+)", story.said)[0]

    def record_waits() -> None:
        fill(folder / "device", sealed_to_newest(folder / "hub"))

    def courier_came() -> None:
        (folder / "records.box").write_bytes(pack([sealed_to_newest(folder / "hub", 40.0)]))

    follow(
        story,
        "docs/commands.md",
        {
            "scanner doctor": Step(more="--seconds 2", codes=(69,), says="gnss"),
            "scanner bench": Step(more="--frames 2"),
            "scanner home set": Step(instead={"LAT LON": "52.37 4.89"}),
            "scanner run --source": Step(more=f"--data {folder}/walked", says="outbox"),
            "scanner watch": Step(more="--once"),
            "scanner relay": Step(more="--broker 127.0.0.1:9", says="sent 0"),
            "scanner wipe": Step(typed=(("Type wipe", "wipe\n"),), says="overwritten"),
            "scanner calibrate --board": Step(says="field of view"),
            "scanner hub serve": Step(more=FREE, until=READY),
            "scanner hub enrolment": Step(instead=ports),
            "scanner enrol": Step(typed=YES),
            "scanner run --once": Step(says="outbox: 0 waiting"),
            "scanner hub ingest": Step(says="1 records taken in"),
            "scanner hub export": Step(says='"kind"'),
            "scanner hub rebuild": Step(says="nothing changed"),
        },
        {
            "scanner config init": settings_of(story).unlink,
            "scanner config check": lambda: settings_of(story).touch(),
            "scanner hub enrolment": hub_is_up,
            "scanner run --once": record_waits,
            "scanner hub ingest": courier_came,
            "scanner hub export": lambda: until(
                lambda: story.run("scanner hub export --data hub").count('"kind"') >= 4, 60
            ),
        },
    )
    assert len(cameras_in(folder / "hub")) == 2


def campaign(story: Story) -> None:
    folder = story.folder
    (folder / "scanner.password").write_text("secret\n")
    (folder / "scanner.toml").write_text("[mqtt]\nhost = '127.0.0.1'\nport = 9\n")

    def last_quarters_key() -> None:
        story.run("scanner hub keys new 2026-Q2")

    def copied() -> None:
        own = re.findall(r'own_key = "(.*)"', story.said)[0]
        to_own = seal(record([entry((0, 0))]), keys.PublicKey(base64.b64decode(own)))
        (folder / "copy-of-the-data-folder").mkdir()
        fill(folder / "copy-of-the-data-folder" / OWN_FOLDER, to_own)

    follow(
        story,
        "docs/campaign.md",
        {
            "scanner hub enrolment": Step(says="fingerprint"),
            "scanner hub serve": Step(more="--port 0", until=READY),
            "scanner hub keys list": Step(says="2026-Q2"),
            "scanner hub keys destroy": Step(says="cannot open"),
            "scanner enrol": Step(typed=YES),
            "scanner tokens ls": Step(says="60"),
            "scanner outbox open": Step(says='"FeatureCollection"'),
        },
        {"scanner hub keys list": last_quarters_key, "scanner outbox open": copied},
    )


def field_guide(story: Story) -> None:
    folder = story.folder
    (folder / "docs").symlink_to(ROOT / "docs")

    def link() -> None:
        settings_of(story).write_text(
            f'[page]\naddress = "127.0.0.1"\nport = {broker.free_port()}\n'
        )

    walk = "--source WALK.mp4 --track WALK.gpx --once"
    follow(
        story,
        "docs/field-guide.md",
        {
            "scanner selftest": Step(says="thrown away"),
            "scanner run --page": Step(more=walk, says="page: http"),
            "scanner page": Step(more=f"--socket {folder}/page.sock", until="code:"),
            "scanner hub hints": Step(says="fingerprint"),
        },
        {"scanner run --page": link},
    )


def install(story: Story) -> None:
    enrolment_in(story)
    follow(
        story,
        "docs/install.md",
        {
            "sudo scanner enrol": Step(typed=YES),
            "sudo scanner home set": Step(typed=(("degrees:", "52.37 4.89\n"),)),
            "sudo scanner doctor": Step(more="--seconds 2", codes=(69, 75)),
        },
    )


def reviewing(story: Story) -> None:
    folder, data = story.folder, data_of(story)
    way = '<node id="{n}" version="1" lat="52.37" lon="4.{n}"/>'
    nodes = "".join(way.format(n=n) for n in (88, 89))
    street = (
        '<way id="1" version="1"><nd ref="88"/><nd ref="89"/><tag k="highway" v="service"/></way>'
    )
    (folder / "region.osm").write_text(f'<osm version="0.6">{nodes}{street}</osm>')
    story.run("osmium cat region.osm -o region.osm.pbf")
    story.run("scanner hub keys new")
    story.run("scanner hub cohorts new harbour")
    (folder / "box").write_bytes(pack([sealed_to_newest(data, 30.0 * n) for n in range(3)]))
    with closing(open_store(data / "hub.sqlite3")) as store:
        mapping.set_policy(store, Policy(reports=2, cohorts=2))  # as `hub serve` does
    story.run("scanner hub ingest box")
    one, two = cameras_in(data)[:2]
    lines = {"121": "1"}

    follow(
        story,
        "docs/reviewing.md",
        {
            "scanner hub reviewers add ana": Step(typed=TYPED, says="may review"),
            "scanner hub reviewers remove": Step(says="any more"),
            "scanner hub review --reviewer": Step(
                typed=(("q quit", "c"), ("confirm", "q")), says="1 decided"
            ),
            "scanner hub review confirm": Step(instead={"4d7da73f363d291c9409": one}),
            "scanner hub review merge": Step(
                instead={"4d7da73f363d291c9409": one, "08936c48e052f533bd7b": two}
            ),
            "scanner hub review tag": Step(instead={"4d7da73f363d291c9409": one}),
            "scanner hub review log": Step(instead={"120": "0"}, says="merge"),
            "scanner hub review undo": Step(instead=lines),
            "scanner hub serve": Step(
                instead={"localhost:1883": "127.0.0.1:9"}, more="--port 0", until=READY
            ),
        },
    )
    assert '"LineString"' in (folder / "land.geojson").read_text()


def firmware(story: Story) -> None:
    folder = story.folder
    root = folder / "root.squashfs"
    root.write_bytes(b"hsqs" + bytes(4096))
    built = Built(target="scanner-pi", release=7, built=1_790_000_000)
    payload = folder / "build/firmware/scanner-pi/payload"
    release.write_payload(payload, built, root, {"kernel.img": b"kernel"})

    follow(story, "firmware/README.md", {})
    assert (folder / "updates/metadata/root.json").exists() or (
        folder / "updates/metadata/1.root.json"
    ).exists()
    assert list((folder / "updates/targets").rglob("*.root.squashfs"))


def units(story: Story) -> None:
    for unit in (ROOT / "systemd").iterdir():
        (story.folder / "systemd").mkdir(exist_ok=True)
        if unit.is_file():
            (story.folder / "systemd" / unit.name).write_bytes(unit.read_bytes())
    # `verify` finds no /opt/scanner/bin/scanner here; what it finds besides is test_pages' matter.
    follow(story, "systemd/README.md", {"systemd-analyze verify": Step(codes=(0, 1))})


STORIES: dict[str, Callable[[Story], None]] = {
    "README.md": readme,
    "docs/commands.md": commands,
    "docs/campaign.md": campaign,
    "docs/field-guide.md": field_guide,
    "docs/hub.md": lambda story: HubPage(story).follow(),
    "docs/install.md": install,
    "docs/reviewing.md": reviewing,
    "firmware/README.md": firmware,
    "systemd/README.md": units,
}


@pytest.mark.timeout(900)  # dozens of programs are started, which takes minutes on a busy machine
@pytest.mark.parametrize("page", STORIES)
def test_the_page_can_be_followed(page: str, story: Story) -> None:
    STORIES[page](story)


# --- nothing is left out ------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_or_excused(page: str) -> None:
    if page in STORIES or page in ELSEWHERE:
        return
    assert [c.line for c in fenced(page) if not reason(c)] == []


@pytest.mark.parametrize(("page", "beginning"), EXCUSED)
def test_every_excuse_is_for_a_line_that_is_there(page: str, beginning: str) -> None:
    lines = [c.line for c in fenced(page) if c.line.startswith(beginning)]
    assert lines, f"no line of {page} begins with {beginning!r} any more"
    for line in lines:
        check(Command(page, line))


@pytest.mark.parametrize("line", ANYWHERE)
def test_what_is_excused_everywhere_is_there(line: str) -> None:
    check(Command("README.md", line))


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_could_run(page: str) -> None:
    for command in mentioned(page):
        check(command)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_of_commands_says_that_it_is_one(page: str) -> None:
    assert blocks_without_language(page) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scanner fly", "fly"),
        ("scanner outbox ls --lots", "unrecognized"),
        ("scanner hub keys brew", "invalid choice"),
        ("make tea", "tea"),
        ("make demo TWICE=1", "TWICE"),
        ("python -m models.evaluate --hurry", "--hurry"),
        ("python -m models.nothing", "models.nothing"),
        ("sudo systemctl start scanner-tea", "scanner-tea"),
        ("brew install scanner", "brew"),
    ],
)
def test_what_cannot_run_is_noticed(line: str, words: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=words):
        check(Command("README.md", line))


def test_the_service_is_started_as_the_page_says() -> None:
    page = text_of("docs/hub.md").replace("\\\n", "")
    (line,) = re.findall(r"^ExecStart=/\S*/scanner (.*)$", page, re.MULTILINE)
    unit = (ROOT / "systemd/scanner-hub.service").read_text()
    (shipped,) = re.findall(r"^ExecStart=/\S*/scanner (.*)$", unit, re.MULTILINE)
    assert build_parser().parse_args(line.split()).keep
    assert line.startswith(shipped)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[(.*?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == scanner.__version__
    assert len(set(versions)) == len(versions)


def test_pictures_of_pages_are_pictures() -> None:
    for page in PAGES:
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text_of(page)):
            path = (ROOT / page).parent / name
            if path.suffix == ".png":
                with Image.open(path) as picture:
                    assert np.asarray(picture).std() > 5, "an empty picture"
            else:
                assert path.read_text().startswith("<svg")
