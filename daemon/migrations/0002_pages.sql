-- What the page for people pages through, in the order in which it shows it: open conflicts by kind, what the fuse holds,
-- one betNr's writes by time, whoever held it. And the decision that waits for a conflict, when hundreds are decided at once.
CREATE INDEX conflicts_by_kind ON conflicts (json_extract(body, '$.kind'), id);
CREATE INDEX vanished_held ON vanished (side, bet_nr, link_key) WHERE hold = 'held';
CREATE INDEX writes_by_bet_nr ON writes (bet_nr, at);
CREATE INDEX decisions_of_conflict ON decisions (conflict_id) WHERE outcome = 'waiting';
