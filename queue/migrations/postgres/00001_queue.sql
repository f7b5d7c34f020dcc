-- Times are microseconds since 1970 in UTC; 0 means never. Only due and
-- lookup_at are NULL for never, so that their indexes hold waiting work alone.
-- Text that came from mail is valid UTF-8 without NUL; what must be exact is
-- binary. JSON columns are opaque to SQL.

-- +goose Up
CREATE TABLE mail (
	id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	hash   BYTEA NOT NULL UNIQUE, -- SHA-256, see mailHash
	header BYTEA NOT NULL,
	body   BYTEA NOT NULL
);

-- Ids are never given twice, even when the newest rows are purged: events
-- outlive what they speak of.
CREATE TABLE reports (
	id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	received  BIGINT NOT NULL,
	cause     TEXT NOT NULL,
	reporter  TEXT NOT NULL,
	reason    TEXT NOT NULL,
	mail_from BYTEA NOT NULL,
	session   TEXT, -- JSON; NULL for a saved file
	header_cut BOOLEAN NOT NULL, -- true when fields were left out at the end
	body_size BIGINT NOT NULL,
	mail_id   BIGINT NOT NULL REFERENCES mail (id),
	attempts  BIGINT NOT NULL DEFAULT 0,
	due       BIGINT, -- claimable from then on: 0 fresh, end of the lease, or time of the retry; NULL when done
	lease     TEXT     -- token of the claim
);
CREATE INDEX reports_due ON reports (due, id) WHERE due IS NOT NULL;
CREATE INDEX reports_mail ON reports (mail_id);

CREATE TABLE recipients (
	report_id BIGINT NOT NULL REFERENCES reports (id),
	position  BIGINT NOT NULL,
	address   BYTEA NOT NULL,
	PRIMARY KEY (report_id, position)
);

CREATE TABLE complaints (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	state      TEXT NOT NULL,
	created    BIGINT NOT NULL,
	updated    BIGINT NOT NULL,
	addressees TEXT NOT NULL, -- JSON list
	contact    TEXT NOT NULL, -- JSON; empty when none was stored
	source     BYTEA NOT NULL, -- 16-byte key of the address
	network    TEXT NOT NULL,
	party      TEXT NOT NULL,
	format     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	hold       TEXT NOT NULL,
	message_id TEXT NOT NULL UNIQUE,
	sender     TEXT NOT NULL, -- JSON; empty object before approval
	ready_at   BIGINT NOT NULL,
	taken      TEXT NOT NULL, -- JSON list of the addressees that have it
	attempts   BIGINT NOT NULL DEFAULT 0,
	due        BIGINT, -- ready, deferred, sending: claimable from then on
	lookup_at  BIGINT, -- held without contact: to be looked up from then on
	lease      TEXT
);
CREATE INDEX complaints_state ON complaints (state, id);
CREATE INDEX complaints_due ON complaints (due, id) WHERE due IS NOT NULL;
CREATE INDEX complaints_lookup ON complaints (lookup_at, id) WHERE lookup_at IS NOT NULL;

CREATE TABLE incidents (
	complaint_id BIGINT NOT NULL REFERENCES complaints (id),
	position     BIGINT NOT NULL,
	report_id    BIGINT NOT NULL REFERENCES reports (id),
	chain        TEXT NOT NULL, -- JSON
	PRIMARY KEY (complaint_id, position)
);
CREATE INDEX incidents_report ON incidents (report_id);

-- No foreign keys: the trail stays when its subjects are purged.
CREATE TABLE events (
	id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	time         BIGINT NOT NULL,
	complaint_id BIGINT, -- NULL when about a report only
	report_id    BIGINT,
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
	base    BYTEA NOT NULL,
	bits    BIGINT NOT NULL,
	first   BYTEA NOT NULL,
	last    BYTEA NOT NULL,
	expires BIGINT NOT NULL,
	answer  BYTEA NOT NULL,
	PRIMARY KEY (base, bits, first, last)
);
CREATE INDEX contacts_expires ON contacts (expires);
