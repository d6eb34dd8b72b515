"""The settings of the demo: everything that is waited for in an office is some seconds here, so that it can be watched.

Used by :mod:`daemon.demo.show` only.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from daemon.demo.firm import Firm
from daemon.settings import Advoware, Espocrm, Guard, Settings, Store, Sync, Web

#: Looks at Beteiligte per second that simulators and daemon in one process manage with ease.
_LOOKS_PER_SECOND = 100
_SHORTEST_SWEEP = 2.0
#: Seconds from the begin of an outage to the first probe.
FIRST_PROBE = 2.0


def demo_settings(firm: Firm, directory: Path) -> Settings:
    """For this firm. ``manual``, because a conflict that decides itself cannot be watched."""
    access = firm.advoware.access
    return Settings(
        espocrm=Espocrm(
            url=firm.espocrm_url,
            api_key=SecretStr(str(firm.espocrm.api_user.api_key)),
            poll_interval_seconds=0.5,
            poll_overlap_seconds=2,
            notice_user_id=firm.espocrm.human.id,
            notices="task",
        ),
        advoware=Advoware(
            kanzlei=access.kanzlei,
            database=access.database,
            user=access.user,
            password=SecretStr(access.password),
            app_id=access.app_id,
            api_key=SecretStr(access.api_key),
            discovery_url=f"{firm.advoware_url}/AdvonetConfigurator/api/Url",
            sweep_interval_seconds=max(_SHORTEST_SWEEP, len(firm.pairs) / _LOOKS_PER_SECOND),
            max_requests_per_second=0,
        ),
        sync=Sync(
            conflict_policy="manual",
            deletion_confirm_seconds=1.5,
            settle_seconds=0.5,
            max_read_age_seconds=1,
            retry_schedule_seconds=(1, 2, 4, 8, 16),
            auto_reset_seconds=30,
            # within seconds nobody's form is an old one: who deletes what has just come means it
            stale_form_seconds=0,
            late_effect_seconds=30,
        ),
        guard=Guard(max_deletions=10_000, max_deletion_share=1.0, window_seconds=60),
        store=Store(path=directory / "kommsync.sqlite3"),
        web=Web(port=0),
    )
