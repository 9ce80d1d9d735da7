"""Stands in for ``watch`` where it is killed: its outbox, its wall, records without pictures.

    python -m tests.helpers.feed DATA KEY

Seals records as fast as the card takes them and prints each one's id once it is announced. Imports
are few, as in ``watch``: none may start a thread before the fence.
"""

import base64
import os
import random
import sys
import time
from contextlib import closing
from pathlib import Path

from nacl.public import PublicKey

from scanner import wall
from scanner.storage.outbox import Outbox
from tests.helpers.sealed import sealed


def main() -> None:
    """Until killed."""
    data, key = Path(sys.argv[1]), PublicKey(base64.b64decode(sys.argv[2]))
    with closing(Outbox(data)) as store:
        wall.fence_watch(data, [])
        wall.close_watch(data)
        rng = random.Random()
        while True:
            name = store.add(sealed(rng.randrange(1_000_000), key))
            os.write(1, f"{name}\n".encode())
            time.sleep(0.005)


if __name__ == "__main__":
    main()
