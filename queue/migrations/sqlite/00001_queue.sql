-- Times are microseconds since 1970 in UTC; 0 means never. Only due and
-- lookup_at are NULL for never, so that their indexes hold waiting work alone.
-- Text that came from mail is valid UTF-8 without NUL; what must be exact is
-- binary. JSON columns are opaque to SQL.

-- +goose Up
CREATE TABLE mail (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	hash   BLOB NOT NULL UNIQUE, -- SHA-256, see mailHash
	header BLOB NOT NULL,
	body   BLOB NOT NULL
);

-- Ids are never given twice, even when the newest rows are purged: events
-- outlive what they speak of.
CREATE TABLE reports (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	received  INTEGER NOT NULL,
	cause     TEXT NOT NULL,
	reporter  TEXT NOT NULL,
	reason    TEXT NOT NULL,
	mail_from BLOB NOT NULL,
	session   TEXT, -- JSON; NULL for a saved file
	header_cut INTEGER NOT NULL, -- 1 when fields were left out at the end
	body_size INTEGER NOT NULL,
	mail_id   INTEGER NOT NULL REFERENCES mail (id),
	attempts  INTEGER NOT NULL DEFAULT 0,
	due       INTEGER, -- claimable from then on: 0 fresh, end of the lease, or time of the retry; NULL when done
	lease     TEXT     -- token of the claim
);
CREATE INDEX reports_due ON reports (due, id) WHERE due IS NOT NULL;
CREATE INDEX reports_mail ON reports (mail_id);

CREATE TABLE recipients (
	report_id INTEGER NOT NULL REFERENCES reports (id),
	position  INTEGER NOT NULL,
	address   BLOB NOT NULL,
	PRIMARY KEY (report_id, position)
);

CREATE TABLE complaints (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	state      TEXT NOT NULL,
	created    INTEGER NOT NULL,
	updated    INTEGER NOT NULL,
	addressees TEXT NOT NULL, -- JSON list
	contact    TEXT NOT NULL, -- JSON; empty when none was stored
	source     BLOB NOT NULL, -- 16-byte key of the address
	network    TEXT NOT NULL,
	party      TEXT NOT NULL,
	format     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	hold       TEXT NOT NULL,
	message_id TEXT NOT NULL UNIQUE,
	sender     TEXT NOT NULL, -- JSON; empty object before approval
	ready_at   INTEGER NOT NULL,
	taken      TEXT NOT NULL, -- JSON list of the addressees that have it
	attempts   INTEGER NOT NULL DEFAULT 0,
	due        INTEGER, -- ready, deferred, sending: claimable from then on
	lookup_at  INTEGER, -- held without contact: to be looked up from then on
	lease      TEXT
);
CREATE INDEX complaints_state ON complaints (state, id);
CREATE INDEX complaints_due ON complaints (due, id) WHERE due IS NOT NULL;
CREATE INDEX complaints_lookup ON complaints (lookup_at, id) WHERE lookup_at IS NOT NULL;

CREATE TABLE incidents (
	complaint_id INTEGER NOT NULL REFERENCES complaints (id),
	position     INTEGER NOT NULL,
	report_id    INTEGER NOT NULL REFERENCES reports (id),
	chain        TEXT NOT NULL, -- JSON
	PRIMARY KEY (complaint_id, position)
);
CREATE INDEX incidents_report ON incidents (report_id);

-- No foreign keys: the trail stays when its subjects are purged.
CREATE TABLE events (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	time         INTEGER NOT NULL,
	complaint_id INTEGER, -- NULL when about a report only
	report_id    INTEGER,
	actor        TEXT NOT NULL CHECK (actor <> ''),
	action       TEXT NOT NULL,
	from_state   TEXT NOT NULL,
	to_state     TEXT NOT NULL,
	reason       TEXT NOT NULL
);
CREATE INDEX events_complaint ON events (complaint_id, id) WHERE complaint_id IS NOT NULL;
CREATE INDEX events_report ON events (report_id, id) WHERE report_id IS NOT NULL;
CREATE INDEX events_action ON events (action, id);

-- Answers about networks. Addresses are 16-byte keys, IPv4 mapped into IPv6;
-- base and bits are the smallest prefix that covers first to last.
CREATE TABLE contacts (
	base    BLOB NOT NULL,
	bits    INTEGER NOT NULL,
	first   BLOB NOT NULL,
	last    BLOB NOT NULL,
	expires INTEGER NOT NULL,
	answer  BLOB NOT NULL,
	PRIMARY KEY (base, bits, first, last)
);
CREATE INDEX contacts_expires ON contacts (expires);
