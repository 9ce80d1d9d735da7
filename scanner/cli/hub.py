"""``scanner hub``: serve, simulate, rebuild; the other commands are declared by their own files."""

import argparse
import contextlib
import logging
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

from scanner import config
from scanner.cli import (
    add_config_option,
    config_of,
    hub_campaign,
    hub_export,
    hub_hints,
    hub_ingest,
    hub_review,
    hub_store,
    hub_work,
)
from scanner.cli.hub_cohorts import add_land
from scanner.cli.hub_store import (
    add_places,
    add_publication,
    database,
    default_data,
    existing,
    publication,
)
from scanner.cli.hub_work import tell_of_trouble
from scanner.cli.numbers import port
from scanner.cli.relay import add_broker_option, with_broker
from scanner.errors import ConfigError, UsageError
from scanner.hub import broker, keys, mapping, naming, simulate
from scanner.hub.ingest import SIGMA_MAX_M, Ingest
from scanner.hub.service import Hub, Options
from scanner.hub.stores import open_store
from scanner.outgoing import mqtt_password
from scanner.sealing import key_to_text
from scanner.simulated.walks import Errors


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``hub`` to the program's."""
    parser = subparsers.add_parser("hub", help="run and look after a shared map")
    commands = parser.add_subparsers(dest="hub_command", required=True, metavar="COMMAND")
    _add_serve(commands)

    hub_work.add_work(commands)
    hub_export.add_export(commands)
    hub_export.add_import(commands)
    hub_store.add_parsers(commands)
    hub_review.add_review(commands)
    hub_review.add_reviewers(commands)
    hub_campaign.add_keys(commands, default_data())
    hub_campaign.add_cohorts(commands, default_data())
    hub_campaign.add_enrolment(commands, default_data())
    hub_hints.add_hints(commands, default_data())

    hub_ingest.add_ingest(commands)
    _add_simulate(commands)

    command = commands.add_parser("rebuild", help="make the cameras again from all records")
    add_places(command)
    command.add_argument(
        "--rename", action="store_true", help="the keys are lost: ids by those that are here"
    )
    command.set_defaults(run=_rebuild)


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="receive records, publish the map, show the page")
    add_places(serve)
    serve.add_argument("--host", default="127.0.0.1", help="address of the page")
    serve.add_argument("--port", type=port, default=8080, help="port of the page; 0: a free one")
    add_broker_option(serve)
    serve.add_argument(
        "--embedded-broker", action="store_true", help="start a broker on this machine, too"
    )
    serve.add_argument(
        "--broker-port", type=port, default=1883, help="of the embedded broker; 0: a free one"
    )
    add_publication(serve)
    serve.add_argument("--require-token", action="store_true", help="only records with a token")
    add_land(serve)
    hub_ingest.add_keep(serve)
    serve.add_argument(
        "--behind-proxy", action="store_true", help="a proxy says from where requests come"
    )
    serve.add_argument(
        "--reviewer-header",
        default="",
        metavar="NAME",
        help="a proxy on this machine logs reviewers in and names them in this header",
    )
    serve.add_argument(
        "--tiles", default="", metavar="URL", help="basemap: .../{z}/{x}/{y}.png, or FILE.pmtiles"
    )
    serve.add_argument("--attribution", default="", help="of the basemap, shown on the page")
    serve.add_argument("--truth", type=Path, help="GeoJSON of the true cameras, to compare with")
    add_config_option(serve)
    serve.set_defaults(run=_serve)


def _add_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("simulate", help="simulated volunteers walk past given cameras")
    add_places(command)
    command.add_argument("--cameras", type=Path, required=True, metavar="FILE", help="GeoJSON")
    command.add_argument("--passes", type=int, default=3, help="walks past each camera (3)")
    command.add_argument("--gnss-sigma-m", type=float, default=4.0, metavar="M")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=_simulate)


def _serve(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    if args.truth and not args.truth.is_file():
        raise UsageError(f"--truth {args.truth}: no such file")
    with contextlib.ExitStack() as running:
        settings, password = _broker(args, running)
        options = Options(
            data=args.data,
            database=database(args),
            mqtt=settings,
            password=password,
            host=args.host,
            port=args.port,
            policy=publication(args),
            batch=args.batch,
            token_required=args.require_token,
            land=args.land,
            keep=args.keep,
            tiles=args.tiles,
            attribution=args.attribution,
            truth=args.truth,
            behind_proxy=args.behind_proxy,
            reviewer_header=args.reviewer_header,
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        hub = running.enter_context(Hub(options))
        ring = keys.load_ring(args.data)
        public = ring.public.get(hub_campaign.current(ring))
        print(f"map     {hub.url}")
        print(f"broker  {settings.host}:{settings.port}")
        print(f"key     {key_to_text(public) if public else 'all are destroyed'}", flush=True)
        tell_of_trouble(hub.broker_trouble, stop)
    return 0


def _broker(args: argparse.Namespace, running: contextlib.ExitStack) -> tuple[config.Mqtt, str]:
    """Settings and password of the broker to use, started if asked for."""
    configured = with_broker(config_of(args), args.broker).mqtt
    if args.embedded_broker:
        own = broker.start(args.data, port=args.broker_port, root=configured.root)
        running.callback(own.stop)
        access = own.access("hub")
        return access.settings, access.password
    if not configured.host:
        raise ConfigError(
            "no broker is configured", hint="--broker HOST:PORT, or --embedded-broker"
        )
    return configured, mqtt_password()


def _simulate(args: argparse.Namespace) -> int:
    if args.passes < 1 or not 0 < args.gnss_sigma_m <= SIGMA_MAX_M / 2:
        raise UsageError("--passes of 1 or more and --gnss-sigma-m of 0 to 25 are wanted")
    rng = np.random.default_rng(args.seed)
    town = simulate.read_town(args.cameras, rng)
    plan = simulate.Simulation(passes=args.passes, errors=Errors(gnss_m=args.gnss_sigma_m))
    with contextlib.closing(open_store(database(args))) as store:
        name = naming.name_of(store, args.data, make=True)
        ring = keys.load_ring(args.data)
        key = hub_campaign.public_key(ring)
        intake = Ingest(store, ring, time.time)
        received = simulate.simulate(town, plan, intake, key, rng=rng, now_s=time.time())
        while mapping.fuse_waiting(store, name):
            pass
        cameras = store.size()
    print(
        f"{len(town)} cameras, {args.passes} passes: {received.added} records, "
        f"{received.quarantined} quarantined, {cameras} cameras on the map"
    )
    return 0


def _rebuild(args: argparse.Namespace) -> int:
    with existing(args) as store:
        if args.rename:
            name: mapping.Name = partial(keys.camera_id, keys.load_naming(args.data))
        else:
            name = naming.name_of(store, args.data)
        deltas = mapping.rebuild(store, name)
        if args.rename:  # last: until then nothing else takes these keys
            naming.adopt(store, args.data)
        cameras = store.size()
    print(f"{cameras} cameras, {len(deltas) or 'nothing'} changed")
    return 0
