"""A cohort that is not trusted: its records leave the map, and come back if it is trusted again.

Nothing is deleted. The records stay, marked; the map is made again where they were; and the log
of reviews has a line that says who decided it, and why.
"""

from collections.abc import Callable

from scanner.core.reviewing.reviewlog import Rollback, encode_body
from scanner.errors import UsageError
from scanner.hub import mapping
from scanner.hub.review import checked_name
from scanner.hub.stores.protocol import CohortState, Store

NO_PLACE = ("", 0)  # a cohort is at no camera


def set_state(
    store: Store,
    cohort: str,
    state: CohortState,
    *,
    name: Callable[[str, int], str],
    reviewer: str,
    reason: str,
    clock: Callable[[], float],
) -> list[mapping.Delta]:
    """Hold a cohort, roll it back or trust it again; returns what changed on the map.

    ``name`` makes a camera's id, ``clock`` gives seconds since 1970. Records that come later are
    treated alike. State, log and map change together or not at all. Raises UsageError if nobody
    decides or nothing would change, StoreError.
    """
    who = checked_name(reviewer)

    def change() -> list[int]:
        if store.cohort_states().get(cohort, "trusted") == state:
            raise UsageError(f"{cohort} is {state} already")
        store.set_cohort_state(cohort, state)
        store.add_action(
            at_s=int(clock()),
            reviewer=who,
            verb="rollback",
            camera_id="",
            anchor=NO_PLACE,
            lat_deg=0.0,
            lon_deg=0.0,
            body=encode_body(Rollback(cohort, state, reason)),
        )
        return store.reports_of_cohort(cohort)

    return mapping.fuse_again(store, name, change)
