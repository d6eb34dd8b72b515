"""What EspoCRM means by a status (facts/espocrm.md §8). Handed to :mod:`daemon.transport` by the app.

EspoCRM says why in ``X-Status-Reason``; where that header is missing, it was not EspoCRM that answered, or it did not
get far. It must not know records.
"""

from __future__ import annotations

import re

from daemon.answers import Reply, answered, verdict
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    KommsyncError,
    Modified,
    RecordMissing,
    Refused,
    UnexpectedAnswer,
)
from statemachine.model import Side

#: Letters only: these words are shown, and nothing that a person typed may be among them.
_VALIDATION = re.compile(r"field: ([A-Za-z]{1,40}), type: ([A-Za-z]{1,40})\b")
_MAX_SIZE = re.compile(r"Max size should not exceed (\d{1,6})\b")
_HINT = "check the key in [espocrm], then `kommsync check`"

#: ``Refused.field`` of a page that is larger than this server allows; ``rule`` is the largest size.
MAX_SIZE = "maxSize"


def judge(reply: Reply) -> KommsyncError | None:
    """The error that an answer stands for, None for 2xx."""
    reason = reply.headers.get("x-status-reason", "")
    match reply.status:
        case 400:
            return _refused(reason)
        case 401:
            return CredentialsRefused(f"answered 401; {_HINT}", side=Side.ESPOCRM)
        case 403:
            return _forbidden(reason)
        case 404:
            return _missing(reason)
        case 409:
            return _conflict(reply, reason)
        case _:
            return verdict(reply, Side.ESPOCRM)


def _refused(reason: str) -> KommsyncError:
    found = _VALIDATION.search(reason)
    if found is None:
        return Refused(answered(400, reason), side=Side.ESPOCRM, rule="400")
    field, rule = found.groups()
    return Refused(f"refuses {field} ({rule})", side=Side.ESPOCRM, field=field, rule=rule)


def _forbidden(reason: str) -> KommsyncError:
    """Every refusal of a right says which; only the lock-out after wrong logins is silent, and it locks out
    the right key behind the same address as well (§8.3)."""
    if not reason:
        detail = f"answered 403 without a reason: locked out after wrong logins from this address; {_HINT}"
        return CredentialsRefused(detail, side=Side.ESPOCRM)
    if found := _MAX_SIZE.search(reason):
        return Refused("allows only smaller pages", side=Side.ESPOCRM, field=MAX_SIZE, rule=found[1])
    return AccessDenied(answered(403, reason), side=Side.ESPOCRM)


def _missing(reason: str) -> KommsyncError:
    """Only EspoCRM itself may say that a record is gone. A proxy's 404, or an unknown entity, must not: a
    confirmed 404 ends the tracking (§9)."""
    if reason.startswith("Record "):
        return RecordMissing(answered(404), side=Side.ESPOCRM)
    detail = "answered 404, not for the record; check espocrm.url and espocrm.entity, then `kommsync check`"
    return UnexpectedAnswer(detail, side=Side.ESPOCRM)


def _conflict(reply: Reply, reason: str) -> KommsyncError:
    if reason == "duplicate" or reply.body.lstrip().startswith(b"["):
        return Refused("answered 409: duplicate", side=Side.ESPOCRM, rule="duplicate")
    return Modified("somebody saved since our read", side=Side.ESPOCRM)
