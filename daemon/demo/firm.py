"""An invented law firm behind two real addresses on loopback: both simulators, their people, the way to them.

Opened by :mod:`daemon.demo.show` and by ``kommsync simulators``. It knows nothing of the daemon but its settings.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daemon.simulators import face, people
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_login import Access
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_fields import PERSON
from daemon.simulators.people import Pair
from daemon.simulators.staff import Staff

#: No blank and no special character in anything that is printed for a shell.
_KANZLEI = "Musterkanzlei"


@dataclass(frozen=True, slots=True)
class Firm:
    """Both worlds, who lives in them, and where they answer."""

    espocrm: EspoWorld
    advoware: AdvowareWorld
    pairs: tuple[Pair, ...]
    staff: Staff
    espocrm_url: str
    advoware_url: str

    def name_of(self, bet_nr: int) -> str:
        """Invented, so it may be shown."""
        person = self.advoware.firm.beteiligte.get(bet_nr)
        if person is None:
            return str(bet_nr)
        return f"{person.name}, {person.vorname}" if person.vorname else person.name

    def environment(self) -> dict[str, str]:
        """Variables that point a daemon at this firm."""
        access = self.advoware.access
        return {
            "KOMMSYNC_ESPOCRM__URL": self.espocrm_url,
            "KOMMSYNC_ESPOCRM__API_KEY": str(self.espocrm.api_user.api_key),
            "KOMMSYNC_ADVOWARE__KANZLEI": access.kanzlei,
            "KOMMSYNC_ADVOWARE__DATABASE": access.database,
            "KOMMSYNC_ADVOWARE__USER": access.user,
            "KOMMSYNC_ADVOWARE__PASSWORD": access.password,
            "KOMMSYNC_ADVOWARE__APP_ID": access.app_id,
            "KOMMSYNC_ADVOWARE__API_KEY": access.api_key,
            "KOMMSYNC_ADVOWARE__DISCOVERY_URL": f"{self.advoware_url}/AdvonetConfigurator/api/Url",
        }


@asynccontextmanager
async def open_firm(count: int, seed: int | None) -> AsyncIterator[Firm]:
    """``count`` people move in; the same seed makes the same people. None: other ones every time."""
    chance = random.Random(seed)  # noqa: S311 - invented people
    espocrm = EspoWorld(time.time, chance)
    espocrm.entities[PERSON].versioned = True
    advoware = AdvowareWorld(time.time, chance, access=Access(kanzlei=_KANZLEI))
    pairs = people.settle(espocrm, advoware, chance, count)
    staff = Staff(espocrm, advoware, chance, pairs)
    async with face.serve(espocrm, time.time) as espocrm_url, face.serve(advoware, time.time) as advoware_url:
        yield Firm(espocrm, advoware, tuple(pairs), staff, espocrm_url, advoware_url)
