"""What is older than [history_days] goes, a batch at a time so that nobody waits for it."""

from __future__ import annotations

from daemon.store.turn import Turn

_OLD_TRANSITIONS = (
    # Ids grow with time: the oldest rows are the first ones.
    "DELETE FROM transitions WHERE id IN (SELECT id FROM (SELECT id, at FROM transitions ORDER BY id LIMIT ?2)"
    " WHERE at < ?1)"
)
#: A write that the base has not advanced past stays: after a crash it stands in for a read (§8).
_OLD_WRITES = (
    "DELETE FROM writes WHERE id IN"
    " (SELECT id FROM writes WHERE settled = 1 AND at < ?1 ORDER BY at LIMIT ?2)"
)  # fmt: skip
_OLD_DECISIONS = (
    "DELETE FROM decisions WHERE id IN"
    " (SELECT id FROM decisions WHERE closed_at < ?1 ORDER BY closed_at LIMIT ?2)"
)  # fmt: skip
_OLD_CONFLICTS = (
    "DELETE FROM closed_conflicts WHERE id IN"
    " (SELECT id FROM closed_conflicts WHERE closed_at < ?1 ORDER BY closed_at LIMIT ?2)"
)
#: A base somebody still needs to judge a changed betnr stays.
_OLD_PAIRS = (
    "SELECT espocrm_id, bet_nr FROM pairs k WHERE kept_until < ? AND NOT EXISTS (SELECT 1 FROM persons p"
    " WHERE p.espocrm_id = k.espocrm_id AND p.previous_bet_nr = k.bet_nr) ORDER BY kept_until LIMIT ?"
)
_OLD = (_OLD_TRANSITIONS, _OLD_WRITES, _OLD_DECISIONS, _OLD_CONFLICTS)


def prune(turn: Turn, batch: int) -> int:
    """How many rows went; call again while it is not 0."""
    before = turn.now - turn.rules.history_seconds
    gone = sum(turn.do(statement, before, batch) for statement in _OLD)
    pairs = turn.rows(_OLD_PAIRS, turn.now, batch)
    turn.many("DELETE FROM links WHERE espocrm_id = ? AND bet_nr = ?", pairs)
    turn.many("DELETE FROM vanished WHERE espocrm_id = ? AND bet_nr = ? AND hold <> 'carried'", pairs)
    turn.many("DELETE FROM pairs WHERE espocrm_id = ? AND bet_nr = ?", pairs)
    return gone + len(pairs)
