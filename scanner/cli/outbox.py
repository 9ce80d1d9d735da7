"""``scanner outbox``: what waits to be sent, as far as this device can know it."""

import argparse
import base64
from datetime import UTC, datetime
from pathlib import Path

from scanner.cli import add_config_option, courier, own
from scanner.cli.text import json_line, table
from scanner.core.privacy import DAY_S, REASONS
from scanner.errors import UsageError
from scanner.outgoing import data_folder, open_outbox
from scanner.ports import Waiting
from scanner.storage.known import KEPT, read_counts


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("outbox", help="what waits to be sent")
    commands = parser.add_subparsers(required=True, metavar="ls|show|withheld|export|open|keygen")
    own.add_commands(commands)
    courier.add_export(commands)
    ls = commands.add_parser("ls", help="list the sealed records")
    show = commands.add_parser("show", help="one record, exactly as it will leave")
    show.add_argument("record", metavar="ID", help="id, or its first characters")
    withheld = commands.add_parser("withheld", help="how much was kept back, and why")
    for command, action in ((ls, _ls), (show, _show), (withheld, _withheld)):
        command.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
        command.add_argument("--json", action="store_true", help="one JSON object per record")
        add_config_option(command)
        command.set_defaults(run=action)


def _folder(args: argparse.Namespace) -> Path:
    data: Path = args.data or data_folder()
    if not data.is_dir():
        raise UsageError(f"{data}: no such folder", hint="--data names the folder of the outbox")
    return data


def _records(args: argparse.Namespace) -> list[Waiting]:
    with open_outbox(_folder(args)) as store:
        return store.waiting()


def _ls(args: argparse.Namespace) -> int:
    records = _records(args)
    if args.json:
        for record in records:
            print(json_line(_row(record)))
    elif records:
        rows = [[r.record_id, str(len(r.payload)), _due(r)] for r in records]
        print(table(rows, ["id", "bytes", "due"]))
        print(f"\n{len(records)} waiting. All are sealed: only the hub can open them.")
    else:
        print("The outbox is empty.")
    for line in [] if args.json else _counts(_folder(args)):
        print(line)
    return 0


def _withheld(args: argparse.Namespace) -> int:
    folder = _folder(args)
    if args.json:
        for day, counts in sorted(read_counts(folder).items()):
            for what, sites in sorted(counts.items()):
                print(json_line({"from": _day(day), "what": what, "sites": sites}))
        return 0
    lines = _counts(folder)
    print("\n".join(lines) if lines else "Nothing was found in this period.")
    reasons = {what for counts in read_counts(folder).values() for what in counts}
    for reason in sorted(reasons - {KEPT}):
        print(f"{reason}: {REASONS.get(reason, '')}")
    return 0


def _counts(folder: Path) -> list[str]:
    """One line per bucket: sites for the outbox, sites kept back and why."""
    lines = []
    for day, counts in sorted(read_counts(folder).items()):
        kept = counts.get(KEPT, 0)
        back = [f"{n} {what}" for what, n in sorted(counts.items()) if what != KEPT]
        lines.append(
            f"from {_day(day)} on: {kept} sites to be sent, {', '.join(back) or 'none'} kept back"
        )
    return lines


def _day(days: int) -> str:
    """First day of a bucket; finds without time have none."""
    return datetime.fromtimestamp(days * DAY_S, UTC).strftime("%Y-%m-%d") if days else "-"


def _show(args: argparse.Namespace) -> int:
    found = [r for r in _records(args) if r.record_id.startswith(args.record)]
    if len(found) != 1:
        what = "no record" if not found else f"{len(found)} records"
        raise UsageError(f"{what} with id {args.record}", hint="`scanner outbox ls` lists them")
    record = found[0]
    payload = base64.b64encode(record.payload).decode()
    if args.json:
        print(json_line({**_row(record), "payload": payload}))
    else:
        print(f"id     {record.record_id}\nbytes  {len(record.payload)}\ndue    {_due(record)}")
        print("These bytes, and nothing else, go to the broker. Only the hub's key opens them:\n")
        print("\n".join(payload[i : i + 76] for i in range(0, len(payload), 76)))
    return 0


def _row(record: Waiting) -> dict[str, object]:
    return {
        "id": record.record_id,
        "size": len(record.payload),
        "due": record.due_s,
        "state": "waiting",
    }


def _due(record: Waiting) -> str:
    if not record.due_s:
        return "at once"
    return datetime.fromtimestamp(record.due_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
