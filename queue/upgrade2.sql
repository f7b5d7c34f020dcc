-- From the schema of 00001_queue.sql to the second one. The rows themselves are
-- brought over by upgrade.go in the same transaction.

-- coding is '' for octets as they are, or 'zstd'. Mail 0 stands for all that was
-- removed: its reports remain.
ALTER TABLE mail ADD COLUMN coding TEXT NOT NULL DEFAULT '';
INSERT INTO mail (id, hash, header, body) VALUES (0, x'', x'', x'');
CREATE INDEX reports_received ON reports (received, id) WHERE due IS NULL;
CREATE INDEX reports_kept ON reports (received, id) WHERE due IS NULL AND mail_id <> 0;

-- Whole answers of the contact package as JSON, one row for all complaints that
-- it decided.
CREATE TABLE answers (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	hash   BLOB NOT NULL UNIQUE, -- SHA-256
	stored INTEGER NOT NULL,
	answer BLOB NOT NULL,
	coding TEXT NOT NULL
);
CREATE INDEX answers_stored ON answers (stored, id);

ALTER TABLE complaints ADD COLUMN answer_id INTEGER REFERENCES answers (id); -- NULL for none
ALTER TABLE complaints ADD COLUMN asn INTEGER NOT NULL DEFAULT 0;       -- 0 when not known
ALTER TABLE complaints ADD COLUMN letter TEXT NOT NULL DEFAULT '';      -- a person's text; empty for the usual one
ALTER TABLE complaints ADD COLUMN withdraws INTEGER NOT NULL DEFAULT 0; -- the complaint that this message takes back
ALTER TABLE complaints ADD COLUMN domain TEXT NOT NULL DEFAULT '';      -- that the party is looked up by; empty for the source
-- What reports of one mailing find the complaint by that they join; NULL while it takes
-- none, see join.go.
ALTER TABLE complaints ADD COLUMN gathers INTEGER;
ALTER TABLE complaints ADD COLUMN sketch BLOB NOT NULL DEFAULT x'';
CREATE INDEX complaints_gathers ON complaints (gathers, id) WHERE gathers IS NOT NULL;
CREATE INDEX complaints_ready ON complaints (ready_at) WHERE ready_at <> 0;
CREATE INDEX complaints_created ON complaints (created, id);
CREATE INDEX complaints_updated ON complaints (updated, id);
CREATE INDEX complaints_state_updated ON complaints (state, updated, id);
CREATE INDEX complaints_source ON complaints (source, id);
CREATE INDEX complaints_answer ON complaints (answer_id);

-- Why the parties were named, as JSON; it names domains and no mailboxes.
ALTER TABLE incidents ADD COLUMN proof TEXT NOT NULL DEFAULT '';

-- What complaints are found by, see term.go.
CREATE TABLE terms (
	term         INTEGER NOT NULL, -- first 8 octets of a SHA-256
	complaint_id INTEGER NOT NULL,
	PRIMARY KEY (term, complaint_id)
) WITHOUT ROWID;

-- The trail is a chain of hashes, see trail.go. A reason that was erased has left
-- its digest.
ALTER TABLE events ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE events ADD COLUMN erased BLOB;
ALTER TABLE events ADD COLUMN hash BLOB NOT NULL DEFAULT x'';

-- Both ends of the trail: the last event that was purged and the newest.
CREATE TABLE trail (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	base_id   INTEGER NOT NULL,
	base_hash BLOB NOT NULL,
	head_id   INTEGER NOT NULL,
	head_hash BLOB NOT NULL
);
INSERT INTO trail VALUES (1, 0, x'', 0, x'');

-- Counts that outlive what they count, see tally.go. day is days since 1970; the
-- complaints in each state now are day 0.
CREATE TABLE tallies (
	day  INTEGER NOT NULL,
	what TEXT NOT NULL,
	name TEXT NOT NULL,
	n    INTEGER NOT NULL,
	PRIMARY KEY (day, what, name)
) WITHOUT ROWID;

-- Addresses that get no complaint; expires is 0 for never.
CREATE TABLE suppressions (
	address TEXT PRIMARY KEY,
	since   INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	actor   TEXT NOT NULL,
	reason  TEXT NOT NULL
);

-- When each registry's server may be asked next, see turn.go.
CREATE TABLE turns (
	server  TEXT PRIMARY KEY,
	free_at INTEGER NOT NULL,
	paused  INTEGER NOT NULL,
	day     INTEGER NOT NULL,
	asked   INTEGER NOT NULL
);
