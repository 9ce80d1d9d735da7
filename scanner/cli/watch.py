"""``scanner watch``: lens to outbox; no network, and no new file once it looks.

The lens is a Raspberry Pi camera, or with ``--source`` a recorded walk.

Imports that start threads (numpy, the detector) come after the fence, which binds one thread and
those it starts.
"""

import argparse
import datetime as dt
import signal
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import msgspec

from scanner import wall
from scanner.cli import EXIT_UNREAD, add_config_option, config_of, say
from scanner.cli.home import wants_home
from scanner.cli.insecure import add_insecure_option, insecurely, tell_of_fence
from scanner.cli.page import add_page_socket_option, page_socket
from scanner.cli.recording import add_recording_options
from scanner.config import Config, find
from scanner.core.blink import State
from scanner.core.hints import Signature
from scanner.disk import named
from scanner.enrolment import outlived
from scanner.errors import ConfigError, StoreError, UsageError
from scanner.hardware.board import Service
from scanner.hardware.edgetpu import EdgeTpu, is_there
from scanner.hardware.modelfile import compiled_form, model_file
from scanner.hinting import signatures_of
from scanner.outgoing import data_folder, open_outbox
from scanner.storage.outbox import Outbox
from scanner.wiping import EXIT_WIPED, begun, wipe_now

if TYPE_CHECKING:
    from scanner.pipeline import Counts


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("watch", help="find cameras and seal them into the outbox")
    add_watch_options(parser)
    add_config_option(parser)
    # A service that has lost its reader is to be started again, not to be taken for done.
    parser.set_defaults(run=run, unread=EXIT_UNREAD)


def add_watch_options(parser: argparse.ArgumentParser) -> None:
    """What ``watch`` takes, and ``run`` passes on to it."""
    parser.add_argument(
        "--source", type=Path, metavar="VIDEO|FOLDER", help="recorded pictures; without, the lens"
    )
    add_recording_options(parser, required=False)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--once", action="store_true", help="end when the source ends")
    add_page_socket_option(parser)
    parser.add_argument("--hub-key", metavar="BASE64", help="instead of privacy.hub_key")
    parser.add_argument("--json", action="store_true", help="the counts as a JSON object")
    add_insecure_option(parser)


def run(args: argparse.Namespace) -> int:
    """Look until the source ends or SIGTERM comes; what was found is then on the card.

    Where a wipe was begun and cut short, that goes on instead.
    """
    if begun(args.data or data_folder()):
        say("scanner: note: a wipe was begun here: that goes on, and nothing is looked for")
        wipe_now(args.data or data_folder(), args.config or find())
        with closing(Service()) as service:
            service.ready()  # systemd takes an end before this word for a failure
        return EXIT_WIPED
    config = checked(args, config_of(args))
    data: Path = args.data or data_folder()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _open_and_watch(args, config, data, stop)
    except StoreError as e:
        trouble = named(e, data)
        _blink(config, data, State.DISK_FULL if trouble.full else State.DISK, stop)
        raise trouble from e.__cause__
    return 0


def _blink(config: Config, data: Path, state: State, stop: Event) -> None:
    """A panel that is dark would say that all is well: as a service we start again and again."""
    from scanner.front import show_alone  # noqa: PLC0415 - after the fence, if it came so far

    show_alone(config.panel, state, data, stop=stop)


def _open_and_watch(args: argparse.Namespace, config: Config, data: Path, stop: Event) -> None:
    with ExitStack() as stack:
        store = stack.enter_context(open_outbox(data, lambda line: say(f"scanner: note: {line}")))
        service = stack.enter_context(closing(Service()))
        signatures = signatures_of(config.hints, args.config or find())
        tpu = _accelerator(config, live=args.source is None)
        if tpu:
            stack.callback(tpu.close)
        with insecurely(asked=args.insecure):
            tell_of_fence(wall.fence_watch(data, _inputs(args, config)))
        _watch(args, config, store, signatures, stop=stop, service=service, tpu=tpu)


def _accelerator(config: Config, *, live: bool) -> EdgeTpu | None:
    """The Edge TPU's processes, which cannot be started behind the fence; None: not wanted.

    A live device waits for one to be plugged in.
    """
    model = model_file(config.detector.model)
    compiled = compiled_form(model)
    return EdgeTpu(compiled, walled=True) if compiled and (live or is_there()) else None


def checked(args: argparse.Namespace, config: Config) -> Config:
    """The configuration as the options change it, if they make sense; opens nothing."""
    if args.hub_key:
        privacy = msgspec.structs.replace(config.privacy, hub_key=args.hub_key)
        config = msgspec.structs.replace(config, privacy=privacy)
    if args.source is None and args.track is not None:
        raise UsageError("--track needs --source VIDEO|FOLDER", hint="the pictures of that walk")
    if args.source is not None and args.track is None:
        raise UsageError("--source needs --track FILE", hint="GPX or NMEA of the same walk")
    return config


def key_of(config: Config) -> str:
    """The hub's key; raises ConfigError if records would be sent that nobody could ever read."""
    key = config.privacy.hub_key or "".join(config.privacy.hub_keys.values())
    if not key and config.mqtt.host:
        raise ConfigError(
            "no hub key: what would be sent could never be read",
            hint="set privacy.hub_key or give --hub-key; `scanner hub keys` prints it",
        )
    return key


def _watch(
    args: argparse.Namespace,
    config: Config,
    store: Outbox,
    signatures: Sequence[Signature],
    *,
    stop: Event,
    service: Service,
    tpu: EdgeTpu | None,
) -> None:
    # After the fence: these start threads.
    from scanner.app import hub_key, nobodys_key, watch_recording  # noqa: PLC0415
    from scanner.cli.replay import recording_of  # noqa: PLC0415
    from scanner.cli.text import json_line  # noqa: PLC0415
    from scanner.front import open_front  # noqa: PLC0415
    from scanner.walking import watch_live  # noqa: PLC0415

    _note(config, store.folder)
    key = hub_key(config) or nobodys_key()

    def close_door() -> None:
        with insecurely(asked=args.insecure):
            wall.close_watch(store.folder)

    def ready() -> None:
        close_door()
        service.ready()

    def told() -> bool:
        service.alive()  # asked after each frame, when the one before it has been looked at
        return stop.is_set()

    with open_front(
        *(config, store.folder, args.config or find()),
        page_socket=page_socket(args, config),
        signatures=signatures,
        told_to_stop=told if args.source else stop.is_set,
        alive=service.alive,
    ) as front:
        if args.source is not None:
            counts = watch_recording(
                *(recording_of(args), config, store, key, front), close_door=ready, tpu=tpu
            )
        else:
            counts = watch_live(
                *(config, store, key, front),
                service=service,
                tpu=tpu,
                close_door=close_door,
                told_to_stop=stop.is_set,
            )
    print(json_line(counts) if args.json else _told(counts))


def _note(config: Config, data: Path) -> None:
    """Say what is missing and does not stop a walk."""
    if not key_of(config):
        say(
            "scanner: note: no hub key (privacy.hub_key, --hub-key): records are sealed to a key "
            "that nobody holds and only show the way"
        )
    if not config.privacy.hub_key and (
        late := outlived(config.privacy.hub_keys, dt.datetime.now(dt.UTC).date())
    ):
        say(f"scanner: note: {late}: soon nobody can read the records; `scanner enrol` a new one")
    if wants_home(config.privacy.profile, data):
        say(
            f"scanner: note: no home is set, and the profile {config.privacy.profile} wants one:"
            " what is found near it is reported like all else; `scanner home set`"
        )


def _told(counts: "Counts") -> str:
    return (
        f"{counts.frames} frames, {counts.detections} detections, "
        f"{counts.sightings} sightings, {counts.records} records kept, "
        f"{counts.withheld} withheld, {counts.not_located} tracks not located, "
        f"{counts.without_fix} frames without fix or course"
    )


def _inputs(args: argparse.Namespace, config: Config) -> list[Path]:
    named = [args.source, args.track, args.config, config.detector.model, config.lens.calibration]
    return [Path(path) for path in named if path]
