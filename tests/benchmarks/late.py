"""``python -m tests.benchmarks.late``: a late subscriber to a region of 20,000 cameras."""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from scanner.hub import broker as brokers
from tests.helpers.late import listen, make_city, publish_city

BAR_S = 10.0


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=20_000)
    args = parser.parse_args()
    good = True
    for kind in ("mosquitto", "iotcore"):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            own = brokers.start(Path(folder), kind=kind)  # type: ignore[arg-type]
            stack.callback(own.stop)
            access = own.access("hub")
            city = make_city(Path(folder) / "city.sqlite3", args.cameras)
            cells = publish_city(access.settings, access.password, city)
            for qos in (0, 1):
                anyone = access.settings
                late = listen(anyone, cells, args.cameras, qos=qos, patience_s=2 * BAR_S)
                print(f"{kind:10} QoS {qos}: {late}", flush=True)
                if qos == 0 or kind == "mosquitto":
                    good = good and late.cameras == args.cameras and late.seconds <= BAR_S
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
