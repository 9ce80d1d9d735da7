"""``scanner hub cohorts list|hold|rollback|trust``: which groups' reports count."""

import argparse
import os
import time
from pathlib import Path
from typing import Final, TypeAlias, get_args

from scanner.cli.hub_review import REVIEWER, reviewer_of
from scanner.cli.hub_store import database, default_data, existing
from scanner.cli.text import table
from scanner.errors import UsageError
from scanner.hub import cohort_care, cohorts, naming
from scanner.hub.stores import database_file
from scanner.hub.stores.protocol import CohortState

Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no other name for it
STATES: Final[dict[str, tuple[CohortState, str]]] = {
    "hold": ("held", "leave a cohort's reports out while somebody looks into it"),
    "rollback": ("rolled back", "take a cohort's reports out for good, past and future ones"),
    "trust": ("trusted", "let a cohort's reports count again"),
}


def add_states(actions: Actions) -> None:
    """Declare ``hold``, ``rollback`` and ``trust``."""
    for verb, (state, text) in STATES.items():
        command = actions.add_parser(verb, help=text)
        command.add_argument("cohort", help="its name")
        command.add_argument("--reason", default="", help="for the log")
        command.add_argument(
            "--reviewer",
            metavar="NAME",
            default=os.environ.get(REVIEWER, ""),
            help=f"who decides, for the log; default: ${REVIEWER}",
        )
        add_places(command)
        command.set_defaults(run=_set, state=state)


def add_places(command: argparse.ArgumentParser) -> None:
    """``--data`` and ``--db``."""
    command.add_argument("--data", type=Path, default=default_data(), metavar="DIR")
    command.add_argument("--db", metavar="URL", help="as of `hub serve`")


def add_land(command: argparse.ArgumentParser) -> None:
    """``--land``, for what takes records in."""
    command.add_argument(
        "--land",
        type=Path,
        metavar="FILE",
        help="GeoJSON of streets (lines) and water (polygons): what is far off is put aside",
    )


def listing(args: argparse.Namespace) -> int:
    """Cohorts and months with the tokens signed, and whether their reports count."""
    path = database_file(database(args))
    states: dict[str, CohortState] = {}
    if path is None or path.exists():
        with existing(args) as store:
            states = store.cohort_states()
    months = [
        [i.cohort, i.month, str(cohorts.issued(args.data, i.cohort, i.month))]
        for i in cohorts.issuers(args.data)
    ]
    named = {row[0] for row in months}
    months += [[cohort, "-", "-"] for cohort in sorted(states) if cohort not in named]
    rows = [[*row, states.get(row[0], get_args(CohortState)[0])] for row in months]
    titles = ["cohort", "month", "signed", "reports"]
    print(table(rows, titles) if rows else "There are no cohorts.")
    return 0


def _set(args: argparse.Namespace) -> int:
    reviewer = reviewer_of(args)
    with existing(args) as store:
        name = naming.name_of(store, args.data)
        known = {i.cohort for i in cohorts.issuers(args.data)} | set(store.cohort_states())
        if args.cohort not in known and not store.reports_of_cohort(args.cohort):
            raise UsageError(f"there is no cohort {args.cohort}", hint="`scanner hub cohorts list`")
        deltas = cohort_care.set_state(
            store,
            args.cohort,
            args.state,
            name=name,
            reviewer=reviewer,
            reason=args.reason,
            clock=time.time,
        )
        count = len(store.reports_of_cohort(args.cohort))
    print(f"{args.cohort} is {args.state}: {count} records, {len(deltas)} cameras changed")
    return 0
