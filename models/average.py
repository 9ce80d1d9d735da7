"""Mean of the weights of several runs: `python -m models.average RUN RUN ... --out RUN`.

Runs that go on from each other lie in one basin, and their mean is often better than each of them
(M. Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor


def mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of weights of the same names and shapes; counters are the first one's."""
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(first.dtype)
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the mean as a checkpoint to export or to start from."""
    parser = argparse.ArgumentParser(prog="python -m models.average", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    files = [run / "checkpoint.pt" for run in args.runs]
    for file in files:
        if not file.exists():
            raise SystemExit(f"{file}: no such checkpoint")
    states = [torch.load(f, map_location="cpu", weights_only=True)["average"] for f in files]
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"average": mean(states)}, args.out / "checkpoint.pt")


if __name__ == "__main__":
    main()
