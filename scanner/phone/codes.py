"""Who may see the page: a code shown where it was started, sessions, and patience with guesses.

A code has 10 of 31 characters, 49 bits; at most one guess in three seconds is looked at, whoever
makes it. It is good as long as the process lives. Only digests are kept and compared.
"""

import hashlib
import hmac
import secrets
import threading
from typing import Final

LETTERS: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # none that look alike
CODE_LETTERS: Final = 10
GUESS_EVERY_S: Final = 3.0
GUESSES_AT_ONCE: Final = 5
MOST_SESSIONS: Final = 3
IDLE_S: Final = 30 * 60.0
CONFIRM_S: Final = 10.0


def new_code() -> str:
    """A code to be shown, in two groups."""
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS))
    return f"{code[:5]}-{code[5:]}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _bare(code: str) -> str:
    return "".join(c for c in code.lower() if c not in "- \t")[:64]


class Door:
    """Lets in who knows the code. Times are seconds of one clock; threads may share it."""

    def __init__(self, code: str) -> None:
        self._code = _digest(_bare(code))
        self._lock = threading.Lock()
        self._guesses = float(GUESSES_AT_ONCE)
        self._guessed_s: float | None = None
        self._sessions: dict[bytes, float] = {}  # last use
        self._asked: tuple[bytes, bytes, float] | None = None  # session, answer, when

    def knock(self, code: str, at_s: float) -> str | None:
        """A new session's secret for the right code; None for a wrong one.

        Raises TimeoutError when there were too many guesses: this one was not looked at.
        """
        with self._lock:
            waited_s = at_s - self._guessed_s if self._guessed_s is not None else 0.0
            self._guessed_s = at_s
            self._guesses = min(GUESSES_AT_ONCE, self._guesses + waited_s / GUESS_EVERY_S)
            if self._guesses < 1:
                raise TimeoutError("too many guesses")
            self._guesses -= 1
            if not hmac.compare_digest(_digest(_bare(code)), self._code):
                return None
            self._guesses += 1  # whoever knows it does not guess
            secret = secrets.token_urlsafe(24)
            self._sessions[_digest(secret)] = at_s
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.pop(min(self._sessions, key=lambda s: self._sessions[s]))
            return secret

    def knows(self, secret: str, at_s: float) -> bool:
        """Whether this is the secret of a session in use; notes the use."""
        with self._lock:
            self._sessions = {s: t for s, t in self._sessions.items() if at_s - t < IDLE_S}
            name = _digest(secret)
            if name not in self._sessions:
                return False
            self._sessions[name] = at_s
            return True

    def leave(self, secret: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(secret), None)

    def ask(self, secret: str, at_s: float) -> str:
        """A question about wiping: the answer that is yes, good for ``CONFIRM_S``."""
        with self._lock:
            answer = secrets.token_urlsafe(12)
            self._asked = (_digest(secret), _digest(answer), at_s)
            return answer

    def confirmed(self, secret: str, answer: str, at_s: float) -> bool:
        """Whether that answer came from the same session in time; it counts once."""
        with self._lock:
            asked, self._asked = self._asked, None
            if asked is None or at_s - asked[2] >= CONFIRM_S:
                return False
            same = hmac.compare_digest(_digest(answer), asked[1])
            return same and hmac.compare_digest(_digest(secret), asked[0])
