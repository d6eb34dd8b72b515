"""What we remember of one Beteiligte between runs, beyond the base: the case file a sync opens.

Filled by the store in one read, handed to :mod:`statemachine.plan`, and written back by the store when a sync
ends. Values only; moments are Unix seconds of our own clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from statemachine.model import Base, Kind, Side


class ConflictKind(StrEnum):
    EDIT_EDIT = "edit_edit"
    EDIT_DELETE = "edit_delete"
    SIDE_EMPTIED = "side_emptied"
    BETNR_CHANGED = "betnr_changed"


class Keep(StrEnum):
    """Whose state an operator (or the policy) keeps."""

    ESPOCRM = "espocrm"
    ADVOWARE = "advoware"
    BOTH = "both"


class Outcome(StrEnum):
    """What became of a write. A journalled write without one is an unknown outcome as well (§8)."""

    DONE = "done"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Variant(StrEnum):
    """Why an entry was written; the label of ``entry_writes_total``."""

    VAR1 = "var1"
    VAR2 = "var2"
    VAR3 = "var3"
    VAR4 = "var4"
    VAR5 = "var5"
    VAR6 = "var6"
    MARKER = "marker"
    TYPE = "type"
    FLAG = "flag"
    RESTORE = "restore"
    STATUS = "status"
    WISH = "wish"


@dataclass(frozen=True, slots=True)
class SeenPart:
    """One independently saved part of a side: ``emails``, ``phones``, ``rest`` (betnr, a user's request) of EspoCRM,
    ``rows`` of Advoware. ``since``: when the first look of the unbroken series that showed this was answered."""

    name: str
    fingerprint: str
    since: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a side showed at the last look (§1). ``stamp`` and ``version``: EspoCRM's modifiedAt and versionNumber.
    ``server_time``: the answer's Date, so that a look too close to the stamp can be repeated."""

    parts: tuple[SeenPart, ...]
    at: float
    stamp: str = ""
    version: int | None = None
    server_time: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A link that one look showed without its entry on ``side``; gone only when a later look agrees (§9)."""

    link_key: str
    side: Side
    since: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A row or an item as it was or should be: the ``before`` and ``after`` of a write."""

    value: str
    bemerkung: str = ""
    online: bool | None = None
    komm_kz: int = 0
    type: str | None = None
    primary: bool | None = None
    opt_out: bool | None = None
    invalid: bool | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One journalled change of one entry. ``call``: the request it travelled in (one PUT may change many items).
    ``settled``: the base has been advanced past it. ``gives``: side and canonical value that the entry was given, for
    the loop breaker. ``id`` 0 while it is not stored yet."""

    id: int
    call: str
    at: float
    side: Side
    operation: str
    variant: Variant
    kind: Kind
    link_key: str | None
    advoware_id: int | None
    before: Shown | None
    after: Shown | None
    outcome: Outcome | None = None
    settled: bool = False
    gives: str = ""

    @property
    def may_have_come(self) -> bool:
        """It was sent, and not refused: it had its effect, or may have had it."""
        return self.outcome not in (Outcome.NOT_SENT, Outcome.REFUSED)


@dataclass(frozen=True, slots=True)
class Conflict:
    """An entry (or a whole side, or the pair) that waits for a human. Values as people see them; ``id`` 0 while it
    is not stored yet. Another value on either side makes it another conflict."""

    id: int
    kind: ConflictKind
    link_key: str | None
    base: str | None
    espocrm: str | None
    advoware: str | None
    since: float = 0.0
    emptied: Side | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for a conflict; it carries the values it was made for. ``by``: operator or policy."""

    conflict: Conflict
    keep: Keep
    by: str
    at: float = 0.0


class Hold(StrEnum):
    """Where a counted deletion stands: counted while pending or carried, waiting while held."""

    PENDING = "pending"
    HELD = "held"
    CARRIED = "carried"
    APPROVED = "approved"
    REJECTED = "rejected"
    #: rejected while edits were held too (a restored EspoCRM, §7): an edit is set back as well
    REVERTED = "reverted"


REJECTED = frozenset({Hold.REJECTED, Hold.REVERTED})


@dataclass(frozen=True, slots=True)
class Vanished:
    """A link whose entry vanished from ``side`` (or changed there, while the fuse is blown for edits too), as the
    fuse counts it: identified by link and base value."""

    link_key: str
    side: Side
    base_value: str
    hold: Hold = Hold.PENDING
    since: float = 0.0


class Fuse(StrEnum):
    INTACT = "intact"
    DELETIONS = "deletions"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Parked:
    """An entry that is not written until a human changes something: ``reason`` is not_taken, quarantined,
    array_refused … ``subject``: which value on which side; ``value``: the canonical value that was wanted."""

    subject: str
    reason: str
    value: str
    since: float


@dataclass(frozen=True, slots=True)
class Unsyncable:
    """A value that the other side would refuse (§3). ``side``: where it lives. ``value`` as that side spells it."""

    side: Side
    kind: Kind
    value: str
    reason: str
    advoware_id: int | None = None
    link_key: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing a human should see in EspoCRM; one Task per ``cause``, closed when it is no longer wanted (§11)."""

    cause: str
    topic: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A change that an operator asked for (undo): planned like a human edit on ``side``. ``value`` None: empty it.
    ``link_key`` None: a new entry. ``type``, ``opt_out``, ``invalid``: what the value had in EspoCRM."""

    id: int
    side: Side
    kind: Kind
    link_key: str | None
    value: str | None
    type: str | None = None
    komm_kz: int = 0
    bemerkung: str = ""
    expected: str | None = None
    opt_out: bool = False
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What we learnt of Advoware's unknown lengths (§6), shared by all; 0: unknown.
    ``bemerkung_whole``: the longest bemerkung that once came back whole."""

    bemerkung: int = 0
    bemerkung_whole: int = 0
    tlf: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """Everything remembered of one Beteiligte. ``writes``: the unsettled ones and the recent ones (the longest of
    stale_form, late_effect and loop windows), oldest first. ``previous``: the base of the old pair while a
    ``betnr_changed`` is open or was just decided."""

    base: Base = field(default_factory=Base)
    seen_espocrm: Seen | None = None
    seen_advoware: Seen | None = None
    pending: tuple[Pending, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    decisions: tuple[Decision, ...] = ()
    writes: tuple[Write, ...] = ()
    vanished: tuple[Vanished, ...] = ()
    fuse: tuple[tuple[Side, Fuse], ...] = ()
    parked: tuple[Parked, ...] = ()
    unsyncable: tuple[Unsyncable, ...] = ()
    wishes: tuple[Wish, ...] = ()
    limits: Limits = field(default_factory=Limits)
    previous: Base | None = None
    visible_status: str | None = None

    def fuse_of(self, side: Side) -> Fuse:
        return dict(self.fuse).get(side, Fuse.INTACT)
