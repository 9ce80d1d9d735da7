"""What of a walk is reported: sites -> records, sealed, on the card."""

import math
from collections.abc import Callable, Iterable, Sequence

from scanner.core import privacy
from scanner.core.walked import Walked
from scanner.core.wire import Record
from scanner.errors import StoreError
from scanner.ports import RecordStore
from scanner.records import Sighting, Withheld
from scanner.storage.known import KEPT, Known


class Sealer:
    """Sites -> sealed records in the outbox.

    When the card takes no more, records wait in memory and are tried again with each new one: a
    full disk that is cleared in time loses nothing. ``seal`` may write to the card, too (a token
    is spent, a copy kept); when it raises StoreError it is called again with the same record, and
    with no other before that.

    Under a policy with quiet minutes sites wait here, in memory only, until their finder has walked
    on for so long; ``end`` drops the others. What is taken after ``end`` belongs to another walk.
    """

    def __init__(
        self,
        store: RecordStore,
        seal: Callable[[Record], bytes],
        policy: privacy.Policy,
        *,
        model: str,
        uniform: Callable[[], float],
        known: Known | None = None,
    ) -> None:
        self._store = store
        self._seal = seal
        self._policy = policy
        self._model = model
        self._uniform = uniform
        self._known = known or Known(None, policy, uniform=uniform)
        self._unkept: list[tuple[Record | bytes, int]] = []  # sealed or not yet; due time
        self._walked = Walked()
        self._held: list[tuple[Sequence[Sighting], float | None]] = []

    def take(
        self,
        sites: Iterable[Sequence[Sighting]],
        utc_s: float | None,
        now_ns: int,
        *,
        moving: bool = True,
    ) -> list[Withheld]:
        """Let the sites go that may leave, now that the boot clock says ``now_ns``.

        Returns why others do not. ``utc_s`` is GNSS time at ``now_ns``; ``moving`` whether the
        scanner is located and moves.
        """
        self._walked.step(now_ns, moving=moving)
        ripe: list[tuple[Sequence[Sighting], float | None]] = []
        held: list[tuple[Sequence[Sighting], float | None]] = []
        new = [(site, utc_s and utc_s - (now_ns - _last_ns(site)) / 1e9) for site in sites]
        for site, seen_s in [*self._held, *new]:
            walked_on_s = self._walked.between_s(_last_ns(site), now_ns)
            (held if walked_on_s < self._policy.quiet_s else ripe).append((site, seen_s))
        self._held = held
        return [w for site, seen_s in ripe if (w := self.let_go(site, seen_s))]

    def parts(self, now_ns: int) -> bool:
        """Whether the walk has ended where for so long nobody moved, or nothing was looked at.

        It matters only to quiet minutes: where one stays, they are wanted before and after.
        """
        unseen_s, still_s = self._walked.unseen_s(now_ns), self._walked.still_s(now_ns)
        stays = unseen_s >= privacy.STAY_S or still_s >= privacy.STILL_S
        return self._policy.quiet_s > 0 and stays

    def end(self) -> list[Withheld]:
        """The walk is over: what is still held belongs to its last minutes."""
        dropped, self._held = self._held, []
        self._walked = Walked()
        self._known.walk_over()
        withheld = Withheld(reason=privacy.LAST_MINUTES)
        for _, utc_s in dropped:
            self._known.count(withheld.reason, utc_s or 0.0)
        return [withheld] * len(dropped)

    def let_go(self, site: Sequence[Sighting], utc_s: float | None) -> Withheld | None:
        """Make the record of one site, for ``keep``; says why if it must not leave.

        ``utc_s`` is GNSS time of its last view.
        """
        first_ns, start_ns = min(s.at_ns for s in site), self._walked.start_ns
        since_start_s = math.inf
        if start_ns is not None:
            since_start_s = self._walked.between_s(start_ns, first_ns)
        due_s = privacy.due_s(self._policy, utc_s, self._uniform) if utc_s else 0
        outcome = privacy.decide(
            site,
            self._policy,
            utc_s=utc_s,
            model=self._model,
            due_s=due_s,
            seen=self._known.at(utc_s) if utc_s else None,
            home=self._known.home,
            since_start_s=since_start_s,
            chance=self._uniform(),
        )
        if privacy.settles(outcome):
            self._known.remember(site)
        if isinstance(outcome, Withheld):
            self._known.count(outcome.reason, utc_s or 0.0)
            return outcome
        self._known.count(KEPT, utc_s or 0.0)
        self._unkept.append((outcome, due_s))
        return None

    def keep(self) -> int:
        """Seal the records, put them on the card and return how many that were.

        Raises StoreError if the card takes no more; the rest waits for the next call.
        """
        kept, trouble = 0, self._seal_all()
        while self._unkept and isinstance(payload := self._unkept[0][0], bytes):
            self._store.add(payload, due_s=self._unkept[0][1])
            self._unkept.pop(0)
            kept += 1
        if trouble:
            raise trouble
        # After the records: a power cut in between repeats a camera and loses none.
        self._known.save()
        return kept

    def _seal_all(self) -> StoreError | None:
        """Seal what is not sealed yet; what stood in the way, if not all of it is."""
        for n, (waiting, due_s) in enumerate(self._unkept):
            if isinstance(waiting, bytes):
                continue
            try:
                self._unkept[n] = self._seal(waiting), due_s
            except StoreError as e:
                return e
        return None

    @property
    def unkept(self) -> int:
        """Records that are in memory only."""
        return len(self._unkept)


def _last_ns(site: Sequence[Sighting]) -> int:
    """The last view of a site, on the boot clock."""
    return max(s.at_ns for s in site)
