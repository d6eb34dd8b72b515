-- What the page for people pages through, in the order in which it shows it. Open conflicts by kind; one betNr's writes
-- by time, whoever held it.
CREATE INDEX conflicts_by_kind ON conflicts (json_extract(body, '$.kind'), id);
CREATE INDEX writes_by_bet_nr ON writes (bet_nr, at);
CREATE INDEX vanished_held ON vanished (side, bet_nr, link_key) WHERE hold = 'held';
