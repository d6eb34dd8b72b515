"""What EspoCRM says of itself, learnt at start and again now and then, and the rules that follow from it.

Run as a loop by :mod:`daemon.app`; nobody is synced while nothing is known yet, so an EspoCRM that is down at start is
no error. When the rules have become others than those everybody was synced by, everybody is looked at again
(states, *change_seen*).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import structlog

from daemon.ports import Espocrm, EspocrmFacts
from daemon.rulebook import rules_for
from daemon.settings import Settings
from statemachine.errors import SideDown
from statemachine.model import Side
from statemachine.rules import Rules

#: An admin may change fields and limits at any time; what is refused meanwhile is isolated anyway.
REFRESH_SECONDS = 3600.0
RULES_NOTE = "rules"

log = structlog.get_logger(__name__)


class Book(Protocol):
    """What is asked of the store."""

    async def get_note(self, name: str) -> str | None: ...
    async def set_note(self, name: str, value: str | None) -> None: ...
    async def ask_all(self, reason: str) -> None: ...


class Facts:
    """``known``: the facts as last learnt."""

    def __init__(self, settings: Settings, espocrm: Espocrm, book: Book) -> None:
        self.known: EspocrmFacts | None = None
        self._settings = settings
        self._espocrm = espocrm
        self._book = book
        self._rules: Rules | None = None
        self._is_untold = False

    async def is_open(self) -> bool:
        """Whether anybody can be synced."""
        return self._rules is not None

    def rules(self) -> Rules:
        """As they are now. Raises SideDown while nothing is known."""
        if self._rules is None:
            raise SideDown("nothing is known of EspoCRM yet", side=Side.ESPOCRM)
        return self._rules

    async def refresh(self) -> None:
        """Raises what the port raises."""
        facts = await self._espocrm.facts()
        rules = rules_for(self._settings, facts)
        if rules != self._rules or self._is_untold:
            await self._begin(rules)
        self.known = facts

    async def _begin(self, rules: Rules) -> None:
        """Everybody is due before the new rules are remembered: whatever breaks off in between repeats it."""
        mark = hashlib.sha256(_spelt(rules).encode()).hexdigest()[:16]
        before = await self._book.get_note(RULES_NOTE)
        self._rules, self._is_untold = rules, True  # whoever is synced from now on must be by these
        if before not in (None, mark):
            log.info("rules_changed", consequence="everybody is looked at again")
            await self._book.ask_all("rules_changed")
        await self._book.set_note(RULES_NOTE, mark)
        self._is_untold = False


def _spelt(rules: Rules) -> str:
    """The same text in every process: sets have no order of their own."""
    values = {name: getattr(rules, name) for name in rules.__slots__}
    return repr(
        [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in values.items()]
    )
