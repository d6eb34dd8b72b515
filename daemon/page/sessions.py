"""Who is visiting: one cookie per browser, a token against forged posts, logins that end, and how often one may try.

Used by :mod:`daemon.page.door`. Everything lives in memory: a restart logs everybody out. It knows no HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable

#: A login ends after so long, used or not: an office day.
SESSION_SECONDS = 10 * 3600.0
_MOST_SESSIONS = 1000
#: So many wrong logins within the window, of one address and of all together; then nobody is even listened to.
_WINDOW_SECONDS = 60.0
_MOST_OF_ONE, _MOST_OF_ALL = 5, 30


class Sessions:
    """``clock``: seconds that never jump. A visit id is 256 bits of chance and says nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._until: dict[str, float] = {}

    def new_visit(self) -> str:
        return secrets.token_urlsafe(32)

    def form_token(self, visit: str) -> str:
        """What a form of this browser must bring along."""
        return hmac.new(self._key, visit.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, visit: str, token: str) -> bool:
        return hmac.compare_digest(self.form_token(visit).encode(), token.encode())

    def log_in(self) -> str:
        """A new visit that is logged in; the one before the login must not be used any further."""
        now = self._clock()
        self._until = {one: until for one, until in self._until.items() if until > now}
        while len(self._until) >= _MOST_SESSIONS:
            self._until.pop(next(iter(self._until)))
        visit = self.new_visit()
        self._until[visit] = now + SESSION_SECONDS
        return visit

    def is_logged_in(self, visit: str) -> bool:
        return self._until.get(visit, 0.0) > self._clock()

    def log_out(self, visit: str) -> None:
        self._until.pop(visit, None)


class Attempts:
    """Wrong logins of the last minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: deque[tuple[float, str]] = deque()

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0: now."""
        self._forget()
        of_one = [at for at, one in self._wrong if one == address]
        if len(of_one) >= _MOST_OF_ONE:
            return of_one[-_MOST_OF_ONE] + _WINDOW_SECONDS - self._clock()
        if len(self._wrong) >= _MOST_OF_ALL:
            return self._wrong[-_MOST_OF_ALL][0] + _WINDOW_SECONDS - self._clock()
        return 0.0

    def count(self, address: str) -> None:
        """Counted before it is judged, so that many at once do not slip through."""
        self._wrong.append((self._clock(), address))

    def forgive(self, address: str) -> None:
        """The last one was right after all."""
        for attempt in reversed(self._wrong):
            if attempt[1] == address:
                self._wrong.remove(attempt)
                return

    def _forget(self) -> None:
        since = self._clock() - _WINDOW_SECONDS
        while self._wrong and self._wrong[0][0] <= since:
            self._wrong.popleft()
