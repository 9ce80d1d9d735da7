"""``scanner demo``: a recorded walk, from pictures to the map, through the real parts."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import msgspec

import scanner.demo
from scanner.cli import add_config_option
from scanner.cli.numbers import port
from scanner.cli.text import table
from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import distance_m
from scanner.core.wire import CameraFeature
from scanner.errors import BrokerError, ScannerError
from scanner.hub import broker, keys
from scanner.hub.exports import source
from scanner.hub.service import DATABASE, Hub, Options
from scanner.hub.stores import open_store
from scanner.outgoing import open_outbox
from scanner.sealing import key_to_text

WALK: Final = Path(scanner.demo.__file__).parent
MATCH_M: Final = 10.0  # a camera on the map farther than this from any true one is a false one
ARRIVAL_S: Final = 60.0
HEADER: Final = ("kind", "height m", "found as", "height m", "off by m", "stated ± m")


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that stands in the walk's street."""

    kind: str
    lat_deg: float
    lon_deg: float
    height_m: float


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("demo", help="a recorded walk, from pictures to the map")
    parser.add_argument("--once", action="store_true", help="end after the table")
    parser.add_argument("--port", type=port, default=0, help="of the map page (0: a free one)")
    parser.add_argument(
        "--broker",
        choices=["auto", "mosquitto", "iotcore"],
        default="auto",
        help="auto: mosquitto where it is installed, else the one that pip brings",
    )
    parser.add_argument("--json", action="store_true", help="the table as a JSON object")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Walk, map, compare; then keep the page up until Ctrl-C."""
    # Told to end, it ends as by Ctrl-C: broker and hub stopped, its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scanner-demo-")))
        own = broker.start(data / "hub", kind=args.broker)
        stack.callback(own.stop)
        access = own.access("hub")
        hub = stack.enter_context(
            Hub(
                Options(
                    data=data / "hub",
                    mqtt=access.settings,
                    password=access.password,
                    port=args.port,
                    truth=WALK / "truth.geojson",
                )
            )
        )
        say = sys.stderr if args.json else sys.stdout
        print(f"broker  {own.name} at 127.0.0.1:{own.port}", file=say)
        print(f"map     {hub.url}", file=say)
        print("walk    36 s of street, through the detector ...", file=say, flush=True)
        _walk(data, own.access("scanner"))
        _await_records(data)
        found = _published(data)
        print(_as_json(found) if args.json else f"\n{_as_table(found)}", flush=True)
        if not args.once:
            _stay(hub.url)
    return 0


def _walk(data: Path, access: broker.Access) -> None:
    """The device as a process of its own, configured as any device would be."""
    key = key_to_text(keys.load_or_create(data / "hub").public_key)
    mqtt = access.settings
    config = data / "scanner.toml"
    config.write_text(
        f'[privacy]\nprofile = "open"\nhub_key = "{key}"\n'
        f'[mqtt]\nhost = "{mqtt.host}"\nport = {mqtt.port}\n'
        f'root = "{mqtt.root}"\nusername = "{mqtt.username}"\n',
        encoding="utf-8",
    )
    (data / "credentials").mkdir()
    (data / "credentials" / "mqtt-password").write_text(access.password, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "scanner", "run", "--once", "--config", str(config)),
        *("--source", str(WALK / "walk.mp4"), "--track", str(WALK / "walk.nmea")),
        *("--data", str(data / "device")),
    ]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(data / "credentials")}
    result = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    if result.returncode:
        raise ScannerError(f"the walk ended with exit code {result.returncode}")


def _await_records(data: Path) -> None:
    """Wait until the outbox is empty and the map no longer changes."""
    deadline = time.monotonic() + ARRIVAL_S
    last, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        with open_outbox(data / "device") as outbox:
            waiting = outbox.count()
        with closing(open_store(data / "hub" / DATABASE)) as store:
            records, _ = store.counts()
        if records != last:
            last, since = records, time.monotonic()
        if not waiting and time.monotonic() - since > 1.0:
            return
        time.sleep(0.1)
    raise BrokerError("the records did not arrive at the hub in time")


def _published(data: Path) -> list[CameraFeature]:
    with closing(open_store(data / "hub" / DATABASE)) as store:
        return list(source.cameras(store))


def read_truth(path: Path) -> list[Truth]:
    """The cameras of a truth.geojson."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return [
        Truth(
            kind=f["properties"]["kind"],
            lon_deg=f["geometry"]["coordinates"][0],
            lat_deg=f["geometry"]["coordinates"][1],
            height_m=f["properties"]["height_m"],
        )
        for f in features
    ]


def compare(
    truth: Sequence[Truth], found: Sequence[CameraFeature]
) -> list[tuple[Truth | None, CameraFeature | None, float | None]]:
    """True cameras beside those on the map, one to one within 10 m; with the distance in metres.

    A pair without a map camera was missed, one without a true camera is false.
    """
    distances = [
        [
            distance_m(t.lat_deg, t.lon_deg, f.geometry.coordinates[1], f.geometry.coordinates[0])
            for f in found
        ]
        for t in truth
    ]
    costs = [[d if d <= MATCH_M else FORBIDDEN for d in row] for row in distances]
    pairs: list[tuple[Truth | None, CameraFeature | None, float | None]] = []
    used = set()
    for i, j in enumerate(assign(costs, unmatched=2 * MATCH_M)):
        if j is None:
            pairs.append((truth[i], None, None))
        else:
            pairs.append((truth[i], found[j], distances[i][j]))
            used.add(j)
    pairs += [(None, f, None) for j, f in enumerate(found) if j not in used]
    return pairs


def _as_table(found: Sequence[CameraFeature]) -> str:
    pairs = compare(read_truth(WALK / "truth.geojson"), found)
    rows = []
    for true, camera, off_m in pairs:
        mine = camera.properties if camera else None
        rows.append(
            [
                true.kind if true else "(none)",
                f"{true.height_m:.1f}" if true else "-",
                str(mine.kind) if mine else "(missed)",
                f"{mine.height_m:.1f}" if mine and mine.height_m is not None else "-",
                f"{off_m:.1f}" if off_m is not None else "-",
                f"{mine.sigma_m:.1f}" if mine else "-",
            ]
        )
    return f"{table(rows, HEADER)}\n\n{summary(pairs)}"


def summary(
    pairs: Sequence[tuple[Truth | None, CameraFeature | None, float | None]],
) -> str:
    """One line: how many were found, missed and false, and how far off."""
    offs = sorted(off for _, _, off in pairs if off is not None)
    total = sum(true is not None for true, _, _ in pairs)
    false = sum(true is None for true, _, _ in pairs)
    line = f"{len(offs)} of {total} cameras found, {false} false"
    if offs:
        line += f"; off by {statistics.median(offs):.1f} m (median), {offs[-1]:.1f} m at most"
    return line


def _as_json(found: Sequence[CameraFeature]) -> str:
    pairs = compare(read_truth(WALK / "truth.geojson"), found)
    offs = sorted(off for _, _, off in pairs if off is not None)
    return json.dumps(
        {
            "true": sum(true is not None for true, _, _ in pairs),
            "found": len(offs),
            "false": sum(true is None for true, _, _ in pairs),
            "median_off_m": round(statistics.median(offs), 2) if offs else None,
            "off_m": [round(o, 2) for o in offs],
        }
    )


def _stay(url: str) -> None:
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
    print(f"\nThe map is at {url} until Ctrl-C.", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()
