-- The first schema. Values of the core are kept as JSON text ("body"), columns exist only where something is
-- searched, counted or compared. Moments are Unix seconds.

-- One tracked Beteiligte. "owner": the leaseholder while syncing. "previous_bet_nr": the pair whose base counts as
-- the old one until a changed betnr is decided. "forgive": asked for while syncing, so what the run parks is not kept.
CREATE TABLE persons (
    espocrm_id      TEXT PRIMARY KEY,
    bet_nr          INTEGER NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    since           REAL NOT NULL,
    due_at          REAL,
    attempts        INTEGER NOT NULL,
    noted           INTEGER NOT NULL,
    unsynced_since  REAL,
    change_side     TEXT,
    paused_until    REAL,
    owner           TEXT,
    previous_bet_nr INTEGER,
    visible_status  TEXT,
    forgive         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX persons_by_bet_nr ON persons (bet_nr, espocrm_id);
CREATE INDEX persons_by_state ON persons (state, bet_nr, espocrm_id);
CREATE INDEX persons_due ON persons (due_at) WHERE state IN ('dirty', 'failed');
CREATE INDEX persons_reset ON persons (due_at) WHERE state = 'permanently_failed';
CREATE INDEX persons_paused ON persons (paused_until) WHERE paused_until IS NOT NULL;
CREATE INDEX persons_unsynced ON persons (unsynced_since) WHERE unsynced_since IS NOT NULL;

-- When each side was last looked at: narrow, because an unchanged look must not cost a wide random write.
CREATE TABLE looks (
    espocrm_id           TEXT PRIMARY KEY,
    espocrm_at           REAL NOT NULL DEFAULT 0,
    espocrm_server_time  REAL,
    advoware_at          REAL NOT NULL DEFAULT 0,
    advoware_server_time REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX looks_sweep ON looks (advoware_at);

-- What it showed: written only when it changed.
CREATE TABLE seen (
    espocrm_id TEXT NOT NULL,
    side       TEXT NOT NULL,
    parts      TEXT NOT NULL,
    stamp      TEXT NOT NULL,
    version    INTEGER,
    PRIMARY KEY (espocrm_id, side)
) STRICT, WITHOUT ROWID;

-- The base belongs to the pair. "kept_until": it is kept aside, nobody is tracked under it.
CREATE TABLE pairs (
    espocrm_id  TEXT NOT NULL,
    bet_nr      INTEGER NOT NULL,
    body        TEXT NOT NULL,
    links       INTEGER NOT NULL DEFAULT 0,
    empty_slots INTEGER NOT NULL DEFAULT 0,
    kept_until  REAL,
    PRIMARY KEY (espocrm_id, bet_nr)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairs_kept ON pairs (kept_until) WHERE kept_until IS NOT NULL;

CREATE TABLE links (
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    key        TEXT NOT NULL,
    place      INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    canonical  TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (espocrm_id, bet_nr, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_value ON links (kind, canonical);

-- Sums over the pairs that are tracked, kept exact by the transaction that changes them.
CREATE TABLE totals (
    name   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO totals (name, number) VALUES ('links', 0), ('empty_slots', 0);

CREATE TABLE pending (
    espocrm_id TEXT NOT NULL,
    link_key   TEXT NOT NULL,
    side       TEXT NOT NULL,
    since      REAL NOT NULL,
    PRIMARY KEY (espocrm_id, link_key, side)
) STRICT, WITHOUT ROWID;

-- "what": parked or unsyncable.
CREATE TABLE findings (
    espocrm_id TEXT NOT NULL,
    what       TEXT NOT NULL,
    place      INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (espocrm_id, what, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_what ON findings (what);

-- What the fuse counts.
CREATE TABLE vanished (
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    link_key   TEXT NOT NULL,
    side       TEXT NOT NULL,
    base_value TEXT NOT NULL,
    hold       TEXT NOT NULL,
    since      REAL NOT NULL,
    PRIMARY KEY (espocrm_id, bet_nr, link_key, side, base_value)
) STRICT, WITHOUT ROWID;
CREATE INDEX vanished_by_side ON vanished (side, hold, since);

CREATE TABLE fuses (
    side   TEXT PRIMARY KEY,
    fuse   TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Open conflicts. The id is never used again, because people have read it.
CREATE TABLE conflicts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    since      REAL NOT NULL,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX conflicts_by_person ON conflicts (espocrm_id);

-- "outcome": waiting, done, void, replaced. "body": the conflict with the values it was decided for.
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id  TEXT NOT NULL,
    bet_nr      INTEGER NOT NULL,
    conflict_id INTEGER NOT NULL,
    at          REAL NOT NULL,
    keep        TEXT NOT NULL,
    decided_by  TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    closed_at   REAL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_bet_nr ON decisions (bet_nr, at);
CREATE INDEX decisions_waiting ON decisions (espocrm_id) WHERE outcome = 'waiting';
CREATE INDEX decisions_closed ON decisions (closed_at) WHERE closed_at IS NOT NULL;

-- The journal, and the history of what was written.
CREATE TABLE writes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    run        TEXT NOT NULL,
    at         REAL NOT NULL,
    outcome    TEXT,
    settled    INTEGER NOT NULL DEFAULT 0,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX writes_by_pair ON writes (bet_nr, espocrm_id, at);
CREATE INDEX writes_settled ON writes (at) WHERE settled = 1;

CREATE TABLE transitions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    at         REAL NOT NULL,
    source     TEXT,
    trigger    TEXT NOT NULL,
    target     TEXT,
    reason     TEXT NOT NULL,
    side       TEXT,
    run        TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_by_bet_nr ON transitions (bet_nr, at);

CREATE TABLE wishes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    at         REAL NOT NULL,
    wished_by  TEXT NOT NULL,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX wishes_by_person ON wishes (espocrm_id);

-- What people should see in EspoCRM, one Task per cause.
CREATE TABLE notices (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    espocrm_id TEXT NOT NULL,
    bet_nr     INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    topic      TEXT NOT NULL,
    detail     TEXT NOT NULL,
    since      REAL NOT NULL,
    wanted     INTEGER NOT NULL,
    task_id    TEXT,
    UNIQUE (espocrm_id, cause)
) STRICT;
CREATE INDEX notices_to_open ON notices (id) WHERE wanted = 1 AND task_id IS NULL;
CREATE INDEX notices_to_close ON notices (id) WHERE wanted = 0;

CREATE TABLE notes (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
