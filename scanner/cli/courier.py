"""Sealed records carried by hand: ``scanner outbox export`` and ``scanner hub ingest``.

A courier file is 8 bytes that name it, the sealed records one after the other, all of one size, in
no order, and the BLAKE2b-256 of all before. It says nothing else: neither when nor where from. But
records that arrive in one file are known to come from one device, which those sent by ``relay`` in
`careful` and `hostile` are not; so records that are not due yet stay, unless asked for.
"""

import argparse
import hashlib
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scanner.cli import add_config_option
from scanner.core.wire import SEALED_BYTES
from scanner.disk import replace
from scanner.errors import UsageError, WireError
from scanner.outgoing import data_folder, open_outbox

MAGIC: Final = b"CCTVBOX1"
SUM_BYTES: Final = 32


def pack(payloads: Sequence[bytes]) -> bytes:
    """A courier file of sealed records; raises WireError for one of another size."""
    if any(len(payload) != SEALED_BYTES for payload in payloads):
        raise WireError(f"a sealed record has {SEALED_BYTES} bytes")
    body = MAGIC + b"".join(payloads)
    return body + _sum(body)


def unpack(content: bytes) -> list[bytes]:
    """The sealed records of a courier file; raises WireError."""
    body, check = content[:-SUM_BYTES], content[-SUM_BYTES:]
    if not body.startswith(MAGIC):
        raise WireError("not a courier file")
    records = body[len(MAGIC) :]
    if check != _sum(body) or len(records) % SEALED_BYTES:
        raise WireError("the courier file is damaged or cut short", hint="export it again")
    return [records[i : i + SEALED_BYTES] for i in range(0, len(records), SEALED_BYTES)]


def _sum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=SUM_BYTES).digest()


def add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare ``outbox export``."""
    parser = commands.add_parser("export", help="write what is due into a file, to carry by hand")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--all", action="store_true", help="what is not due yet, too")
    parser.add_argument("--remove", action="store_true", help="forget what was written")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    add_config_option(parser)
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Write the file; records leave the outbox after it is safe, and only if asked for."""
    data: Path = args.data or data_folder()
    if not data.is_dir():
        raise UsageError(f"{data}: no such folder", hint="--data names the folder of the outbox")
    with open_outbox(data) as store:
        now_s = time.time()
        waiting = store.waiting()
        records = [r for r in waiting if args.all or r.due_s <= now_s]
        random.SystemRandom().shuffle(records)
        replace(args.out, pack([r.payload for r in records]), mode=0o600)
        if args.remove:
            store.remove(*(r.record_id for r in records))
    kept = "removed here" if args.remove else "still waiting here"
    print(f"{args.out}: {len(records)} records, {kept}; {len(waiting) - len(records)} not due yet")
    print("Whoever opens it knows that they come from one device.")
    return 0


def read(path: Path) -> list[bytes]:
    """The sealed records of a file; raises UsageError, WireError."""
    try:
        return unpack(path.read_bytes())
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except WireError as e:
        raise WireError(f"{path}: {e.message}", hint=e.hint) from e
