-- A queue as the first schema's program left it: written by that program over its
-- public functions, and dumped.
BEGIN TRANSACTION;
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
INSERT INTO "complaints" VALUES(1,'sent',1777863727000000,1777863740000000,'["abuse@example.net"]','{"reason":"the registry says so"}',X'00000000000000000000FFFFC0000207','192.0.2.0/24','source network','arf','offer 0','','<0@mx.isp.test>','{"from":"abuse@isp.test","host":"mx.isp.test"}',1777863736000000,'["abuse@example.net"]',1,NULL,NULL,NULL);
INSERT INTO "complaints" VALUES(2,'held',1777863730000000,1777863730000000,'["abuse@example.net"]','{"reason":"the registry says so"}',X'00000000000000000000FFFFC0000207','192.0.2.0/24','source network','arf','offer 1','','<1@mx.isp.test>','{}',0,'[]',0,NULL,NULL,NULL);
CREATE TABLE contacts (
	base    BLOB NOT NULL,
	bits    INTEGER NOT NULL,
	first   BLOB NOT NULL,
	last    BLOB NOT NULL,
	expires INTEGER NOT NULL,
	answer  BLOB NOT NULL,
	PRIMARY KEY (base, bits, first, last)
);
INSERT INTO "contacts" VALUES(X'00000000000000000000FFFFC0000200',120,X'00000000000000000000FFFFC0000200',X'00000000000000000000FFFFC00002FF',4931463741000000,X'78');
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
INSERT INTO "events" VALUES(1,1777863728000000,1,1,'system:mx.isp.test','filed','','held','');
INSERT INTO "events" VALUES(2,1777863731000000,2,2,'system:mx.isp.test','filed','','held','');
INSERT INTO "events" VALUES(3,1777863733000000,NULL,3,'system:mx.isp.test','closed','','','own network');
INSERT INTO "events" VALUES(4,1777863735000000,1,NULL,'user:anna','approved','held','ready','looks right');
INSERT INTO "events" VALUES(5,1777863739000000,1,NULL,'system:mx.isp.test','sending','ready','sending','');
INSERT INTO "events" VALUES(6,1777863741000000,1,NULL,'system:mx.isp.test','sent','sending','sent','relay took it');
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "goose_db_version" VALUES(1,0,1,'2026-11-27 00:03:07');
INSERT INTO "goose_db_version" VALUES(2,1,1,'2026-11-27 00:03:07');
CREATE TABLE incidents (
	complaint_id INTEGER NOT NULL REFERENCES complaints (id),
	position     INTEGER NOT NULL,
	report_id    INTEGER NOT NULL REFERENCES reports (id),
	chain        TEXT NOT NULL, -- JSON
	PRIMARY KEY (complaint_id, position)
);
INSERT INTO "incidents" VALUES(1,0,1,'{"hops":[],"border":{"hop":0},"origin":{"hop":0},"signs":null}');
INSERT INTO "incidents" VALUES(2,0,2,'{"hops":[],"border":{"hop":0},"origin":{"hop":0},"signs":null}');
CREATE TABLE mail (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	hash   BLOB NOT NULL UNIQUE, -- SHA-256, see mailHash
	header BLOB NOT NULL,
	body   BLOB NOT NULL
);
INSERT INTO "mail" VALUES(1,X'2484C9DEB73516AD19F44D4E2276D4F437B0A70F106B27B1405679FA77F2D379',X'5375626A6563743A206F6666657220300D0A',X'427579210D0A');
INSERT INTO "mail" VALUES(3,X'10B5E8B878EE2E5FDC99B16691802A8AF6FFE114BB8DE10E1E20177F57948868',X'5375626A6563743A206F6666657220310D0A',X'427579210D0A');
CREATE TABLE recipients (
	report_id INTEGER NOT NULL REFERENCES reports (id),
	position  INTEGER NOT NULL,
	address   BLOB NOT NULL,
	PRIMARY KEY (report_id, position)
);
INSERT INTO "recipients" VALUES(1,0,X'616E6E61406578616D706C652E6F7267');
INSERT INTO "recipients" VALUES(2,0,X'616E6E61406578616D706C652E6F7267');
INSERT INTO "recipients" VALUES(3,0,X'616E6E61406578616D706C652E6F7267');
INSERT INTO "recipients" VALUES(4,0,X'616E6E61406578616D706C652E6F7267');
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
INSERT INTO "reports" VALUES(1,1777863722000000,'filter','X-Spam-Flag','X-Spam-Flag: YES',X'784073656E6465722E6578616D706C65','{"client":"192.0.2.7:4711","time":"2026-05-04T03:02:01Z"}',0,6,1,1,NULL,NULL);
INSERT INTO "reports" VALUES(2,1777863723000000,'filter','X-Spam-Flag','X-Spam-Flag: YES',X'784073656E6465722E6578616D706C65','{"client":"192.0.2.7:4711","time":"2026-05-04T03:02:02Z"}',0,6,1,1,NULL,NULL);
INSERT INTO "reports" VALUES(3,1777863724000000,'filter','X-Spam-Flag','X-Spam-Flag: YES',X'784073656E6465722E6578616D706C65','{"client":"192.0.2.7:4711","time":"2026-05-04T03:02:03Z"}',0,6,3,1,NULL,NULL);
INSERT INTO "reports" VALUES(4,1777863725000000,'filter','X-Spam-Flag','X-Spam-Flag: YES',X'784073656E6465722E6578616D706C65','{"client":"192.0.2.7:4711","time":"2026-05-04T03:02:04Z"}',0,6,3,0,0,NULL);
CREATE INDEX reports_due ON reports (due, id) WHERE due IS NOT NULL;
CREATE INDEX reports_mail ON reports (mail_id);
CREATE INDEX complaints_state ON complaints (state, id);
CREATE INDEX complaints_due ON complaints (due, id) WHERE due IS NOT NULL;
CREATE INDEX complaints_lookup ON complaints (lookup_at, id) WHERE lookup_at IS NOT NULL;
CREATE INDEX incidents_report ON incidents (report_id);
CREATE INDEX events_complaint ON events (complaint_id, id) WHERE complaint_id IS NOT NULL;
CREATE INDEX events_report ON events (report_id, id) WHERE report_id IS NOT NULL;
CREATE INDEX events_action ON events (action, id);
CREATE INDEX contacts_expires ON contacts (expires);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('goose_db_version',2);
INSERT INTO "sqlite_sequence" VALUES('mail',4);
INSERT INTO "sqlite_sequence" VALUES('reports',4);
INSERT INTO "sqlite_sequence" VALUES('complaints',2);
INSERT INTO "sqlite_sequence" VALUES('events',6);
COMMIT;
