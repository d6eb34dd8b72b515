-- Conflicts that are no longer open: whoever still has the old id in hand is told the new one.
CREATE TABLE closed_conflicts (
    id         INTEGER PRIMARY KEY,
    espocrm_id TEXT NOT NULL,
    link_key   TEXT,
    closed_at  REAL NOT NULL
) STRICT;
CREATE INDEX closed_conflicts_old ON closed_conflicts (closed_at);
