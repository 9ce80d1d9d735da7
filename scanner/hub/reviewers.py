"""Who may review: names with hashed passphrases in a file, sessions in memory.

A name is what the log shows for good; it need not be anybody's real one. A reviewer without a
passphrase comes in only through a proxy that has checked who it is (OpenID Connect, say) and names
the person in a header. That header is believed from this machine alone: the proxy must run here,
and must take the header out of what comes from outside.
"""

import hashlib
import ipaddress
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from nacl import exceptions, pwhash

from scanner.disk import make_folder, replace
from scanner.errors import UNREADABLE, StoreError, UsageError

FILE: Final = "reviewers.json"
NAME: Final = r"[a-z0-9][a-z0-9._@+-]{0,63}"
LONGEST_NAME: Final = 64
SHORTEST: Final = 12  # characters of a passphrase
LONGEST: Final = 1024
SESSION_S: Final = 12 * 3600.0  # after that a reviewer logs in again
IDLE_S: Final = 2 * 3600.0
SESSIONS_MAX: Final = 1_000
TOKEN_BYTES: Final = 32
FREE_TRIES: Final = 5  # wrong passphrases before one has to wait
LONGEST_WAIT_S: Final = 900.0
TRIES_MAX: Final = 10_000  # remembered at once


class Reviewers:
    """The file of names. Read afresh at every question: who is taken off it is out at once.

    argon2id (RFC 9106) with 64 MiB and two rounds: a hub has little memory to spare, so one
    passphrase is checked at a time. Raises StoreError if the file cannot be read or written.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / FILE
        self._checking = threading.Lock()
        self._decoy = ""

    def names(self) -> dict[str, bool]:
        """All reviewers, and whether each has a passphrase."""
        return {name: bool(hashed) for name, hashed in sorted(self._read().items())}

    def marks(self) -> dict[str, bytes | None]:
        """All reviewers, and what tells one's passphrase, as it was set, from any other."""
        known = self._read()
        return {name: _digest(hashed) if hashed else None for name, hashed in known.items()}

    def add(self, name: str, passphrase: str | None) -> bool:
        """Add a reviewer, or give one a new passphrase; None: comes in through the proxy only.

        Returns whether the name is new. Raises UsageError for a name or a passphrase that will not
        do.
        """
        if not re.fullmatch(NAME, name):
            raise UsageError(f"{name!r}: not a reviewer's name", hint="as in ana, ana@example.org")
        if passphrase is not None and not SHORTEST <= len(passphrase) <= LONGEST:
            raise UsageError(f"a passphrase of {SHORTEST} characters or more is wanted")
        known = self._read()
        self._write(known | {name: "" if passphrase is None else self._hash(passphrase)})
        return name not in known

    def remove(self, name: str) -> None:
        """Take a reviewer off; what was decided stays. Raises UsageError if there is none."""
        known = self._read()
        if name not in known:
            raise UsageError(f"there is no reviewer {name}")
        del known[name]
        self._write(known)

    def check(self, name: str, passphrase: str) -> bytes | None:
        """The mark of that reviewer's passphrase if it is that, else None.

        Takes as long for a name that is not there.
        """
        hashed = self._read().get(name, "")
        with self._checking:
            self._decoy = self._decoy or self._hash(secrets.token_hex())
            try:
                right = pwhash.verify((hashed or self._decoy).encode(), _bytes(passphrase))
            except exceptions.InvalidkeyError:
                return None
        return _digest(hashed) if right and hashed else None

    @staticmethod
    def _hash(passphrase: str) -> str:
        return pwhash.argon2id.str(
            _bytes(passphrase), pwhash.argon2id.OPSLIMIT_INTERACTIVE,
            pwhash.argon2id.MEMLIMIT_INTERACTIVE,
        ).decode()  # fmt: skip

    def _read(self) -> dict[str, str]:
        try:
            if self._path.stat().st_mode & 0o077:
                raise StoreError(f"{self._path} can be read by others", hint="chmod 600")
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, *UNREADABLE) as e:
            raise StoreError(f"{self._path}: cannot be read: {e}") from e

    def _write(self, known: dict[str, str]) -> None:
        make_folder(self._path.parent, mode=0o700)
        text = msgspec.json.format(msgspec.json.encode(known)) + b"\n"
        replace(self._path, text, mode=0o600)


def _bytes(passphrase: str) -> bytes:
    return passphrase.encode("utf-8", "surrogatepass")[: 4 * LONGEST]


# --- sessions -----------------------------------------------------------------------------------


class _Session(msgspec.Struct):
    name: str
    mark: bytes  # of the passphrase that it was opened with
    began_s: float
    used_s: float


class Door:
    """Lets reviewers in; everything is forgotten when the hub stops.

    ``clock`` is any that rises, in seconds. ``proxy_header`` names the header of a proxy that
    logs people in; empty: there is none.
    """

    def __init__(
        self, reviewers: Reviewers, clock: Callable[[], float], *, proxy_header: str = ""
    ) -> None:
        self._reviewers = reviewers
        self._clock = clock
        self.proxy_header = proxy_header
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self._tries: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, name: str, address: str) -> float:
        """How long this name has to wait from this address before it may try again."""
        with self._lock:
            return max(0.0, self._tries.get(_who(name, address), (0, 0.0))[1] - self._clock())

    def enter(self, name: str, passphrase: str, address: str) -> str | None:
        """A session's token, None if the two do not fit or the name has to wait.

        Each wrong passphrase after the first few doubles the time to wait.
        """
        if self.wait_s(name, address) > 0:
            return None
        mark = self._reviewers.check(name, passphrase)
        if mark is None:
            self._failed(name, address)
            return None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        with self._lock:
            self._tries.pop(_who(name, address), None)
            self._sessions[_digest(token)] = _Session(name, mark, now, now)
            while len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        return token

    def leave(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(token), None)

    def who(self, token: str, claimed: str, peer: str | None) -> str | None:
        """The reviewer behind a request, by the session's token or by what the proxy says.

        ``claimed`` is the proxy's header; ``peer`` the address at the other end of the line, None
        for a socket of this machine.
        """
        known = self._reviewers.marks()
        if self.proxy_header and claimed in known and _is_here(peer):
            return claimed
        now = self._clock()
        with self._lock:
            session = self._sessions.get(_digest(token)) if token else None
            if not session:
                return None
            over = now - session.began_s > SESSION_S or now - session.used_s > IDLE_S
            # Who sets another passphrase may do so because somebody else has the old one.
            if over or known.get(session.name) != session.mark:
                del self._sessions[_digest(token)]
                return None
            session.used_s = now
            return session.name

    def _failed(self, name: str, address: str) -> None:
        with self._lock:
            who = _who(name, address)
            count = self._tries.get(who, (0, 0.0))[0] + 1
            wait_s = 2.0 ** min(count - FREE_TRIES, 20) if count >= FREE_TRIES else 0.0
            until = self._clock() + min(wait_s, LONGEST_WAIT_S)
            self._tries[who] = count, until
            self._tries.move_to_end(who)
            while len(self._tries) > TRIES_MAX:
                self._tries.popitem(last=False)


def _who(name: str, address: str) -> tuple[str, str]:
    """Under what tries are remembered: names that are none may be long, and are many."""
    return name[:LONGEST_NAME], address


def _digest(token: str) -> bytes:
    """What is kept of a secret: a copy of the memory gives none away."""
    return hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=32).digest()


def _is_here(peer: str | None) -> bool:
    if not peer:
        return True
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
