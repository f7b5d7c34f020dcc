package main

// settings is the shape of the configuration file. The tags are the reference:
// `config show` and docs/config.md are made from them, so a key without its
// meaning does not build its documentation test.
type settings struct {
	StateDir string `toml:"state_dir" means:"directory of the queue" absent:"$STATE_DIRECTORY, else $XDG_STATE_HOME/spamreport-milter, else ~/.local/state/spamreport-milter"`
	LogLevel string `toml:"log_level" means:"least level that is logged to standard error: debug, info, warn or error"`

	Queue    queueSettings    `toml:"queue" means:"where reports and complaints are kept, and how long"`
	Milter   milterSettings   `toml:"milter" means:"the MTA's side"`
	Trace    traceSettings    `toml:"trace" means:"what is ours, and whom we believe"`
	DNS      dnsSettings      `toml:"dns" means:"who answers questions about names"`
	Contact  contactSettings  `toml:"contact" means:"where contacts are asked for"`
	Reporter reporterSettings `toml:"reporter" means:"who complains, and through which relay"`
}

type queueSettings struct {
	Database       string `toml:"database" means:"PostgreSQL database that several hosts share, postgres://USER@HOST/NAME?sslmode=verify-full; the password is best in a file that PGPASSFILE names" absent:"the file queue.db in state_dir"`
	KeepMail       int    `toml:"keep_mail" unit:"days" means:"reported mail and its recipients; 0 for ever, here and below. What nobody has decided about stays in any case"`
	KeepAnswers    int    `toml:"keep_answers" unit:"days" means:"answers of registries"`
	KeepComplaints int    `toml:"keep_complaints" unit:"days" means:"complaints, reports and chains"`
	KeepEvents     int    `toml:"keep_events" unit:"days" means:"the audit trail"`
}

type milterSettings struct {
	Listen      []string        `toml:"listen" means:"where the MTA connects: inet:HOST:PORT, inet6:HOST:PORT, either as inet+tls or inet6+tls, unix:PATH, or systemd:NAME for sockets of a .socket unit"`
	SocketMode  string          `toml:"socket_mode" means:"mode of a unix socket, in octal"`
	SocketUser  string          `toml:"socket_user" means:"who owns a unix socket" absent:"the user that the daemon runs as"`
	SocketGroup string          `toml:"socket_group" means:"group of a unix socket, which the MTA's user is in" absent:"the group that the daemon runs as"`
	TLSCert     string          `toml:"tls_cert" means:"PEM file with the certificate for inet+tls" absent:"no TLS"`
	TLSKey      string          `toml:"tls_key" means:"PEM file with its key" absent:"no TLS"`
	BodyLimit   int64           `toml:"body_limit" unit:"bytes" means:"how much of a reported message's body is kept; the rest is cut and the complaint says so"`
	MaxSessions int             `toml:"max_sessions" means:"connections of the MTA at once; above it mail passes unexamined"`
	Memory      int64           `toml:"memory" unit:"bytes" means:"what all sessions together keep in memory of messages; above it bodies go to files, and then mail passes unexamined"`
	SpoolDir    string          `toml:"spool_dir" means:"directory for these files" absent:"the system's for temporary files"`
	Seal        bool            `toml:"seal" means:"write into mail from outside, under a key, who brought it, so that a user's report proves it"`
	SealKeys    string          `toml:"seal_keys" means:"file with the keys of the seal, which several hosts can share" absent:"seal.keys in the state directory"`
	SealRotate  int             `toml:"seal_rotate" unit:"days" means:"age at which a key of the seal is replaced; 0 leaves that to you"`
	Reports     reportsSettings `toml:"reports" means:"users' reports: addresses to which they forward spam as an attachment"`
	Tag         []tagSettings   `toml:"tag" means:"tag rules: which header fields of the filter before us say spam" absent:"those of SpamAssassin, amavis and rspamd, shown here"`
}

type reportsSettings struct {
	Addresses []string `toml:"addresses" means:"addresses that take reports, which the MTA must know; empty for none"`
	Networks  []string `toml:"networks" means:"clients that may report without having logged in: webmail, sieve scripts, feedback loops"`
	PerHour   int      `toml:"per_hour" means:"messages that one user may report in an hour"`
	MaxSize   int64    `toml:"max_size" unit:"bytes" means:"largest message taken there"`
	Deliver   bool     `toml:"deliver" means:"have the MTA deliver the message to the address as well"`
	Confirm   bool     `toml:"confirm" means:"thank users for their reports by a letter, at most once an hour each"`
}

type tagSettings struct {
	Field string  `toml:"field" means:"name of the header field"`
	Value string  `toml:"value,omitempty" means:"the word that the field begins with, in any case"`
	Level int     `toml:"level,omitzero" unit:"marks" means:"the least length of a bar like *****"`
	Score float64 `toml:"score,omitzero" means:"the least score; of value, level and score one is given"`
}

type traceSettings struct {
	Networks []string        `toml:"networks" means:"our own networks, of servers and users: never complained about"`
	Hosts    []string        `toml:"hosts" means:"names of our own mail servers, whose Received fields are believed; a leading dot takes a whole domain, so name none with users' machines in it"`
	Relay    []relaySettings `toml:"relay" means:"further providers whose Received fields are believed"`
}

type relaySettings struct {
	Name    string `toml:"name" means:"for people"`
	Pattern string `toml:"pattern" means:"verified host name of the relay; a leading dot takes a whole domain"`
	Noted   string `toml:"noted" means:"when it was looked at and where that is known from"`
}

type dnsSettings struct {
	Servers []string `toml:"servers" means:"DNS servers that are asked, ADDRESS or ADDRESS:PORT" absent:"those of /etc/resolv.conf"`
}

type contactSettings struct {
	Sources           []string           `toml:"sources" means:"who is asked about an address: rdap, whois, abusix, origin (Team Cymru), ptr; each learns the address" absent:"all of them"`
	Bootstrap         string             `toml:"bootstrap" means:"directory with ipv4.json and ipv6.json of RFC 9224, and possibly more" absent:"IANA's files, fetched daily, and copies built into the program"`
	CAFile            string             `toml:"ca_file" means:"PEM file of the authorities that registries' certificates are checked against" absent:"the system's"`
	PrivateRegistries []string           `toml:"private_registries" means:"ADDRESS:PORT of registry servers on private addresses that may be asked, such as a mirror of your own"`
	Freemail          []string           `toml:"freemail" means:"domains where anybody gets a mailbox, besides those that the program knows"`
	Override          []overrideSettings `toml:"override" means:"your own word on whom to write to; the narrowest counts"`
	Form              []formSettings     `toml:"form" means:"desks that take complaints on a page only, besides those that the program knows"`
}

type overrideSettings struct {
	For   string   `toml:"for" means:"an address, a network, AS64500, or a domain with all below it: the one looked up, or that of the mailbox a registry names"`
	Mail  []string `toml:"mail,omitempty" means:"mailboxes to write to, at most three"`
	Form  string   `toml:"form,omitempty" means:"https address of the page where a person complains"`
	Never bool     `toml:"never,omitempty" means:"no complaint at all; of mail, form and never one is given"`
	Note  string   `toml:"note,omitempty" means:"why, and since when; it stands in the reason of every complaint"`
}

type formSettings struct {
	For string `toml:"for" means:"mailbox of the desk, or @domain for all at and below it"`
	URL string `toml:"url" means:"https address of its page"`
}

type reporterSettings struct {
	From          string `toml:"from" means:"mailbox that complaints come from and that a person reads" absent:"postmaster@ this host"`
	Host          string `toml:"host" means:"this host's public name, for EHLO and Message-ID" absent:"the system's host name"`
	Smarthost     string `toml:"smarthost" means:"relay that takes complaints, HOST:PORT"`
	SmarthostTLS  string `toml:"smarthost_tls" means:"starttls (required, certificate checked), tls from the first octet, or none" absent:"none for a relay on this machine, else starttls"`
	SmarthostCA   string `toml:"smarthost_ca_file" means:"PEM file of the authority that the relay's certificate is checked against" absent:"the system's"`
	SmarthostUser string `toml:"smarthost_user" means:"as whom we authenticate to the relay" absent:"not at all"`
	SmarthostPass string `toml:"smarthost_password_file" means:"file with the password for that, in its first line" absent:"none"`
	DKIMKey       string `toml:"dkim_key_file" means:"PEM file of the RSA or Ed25519 key that signs complaints" absent:"the relay signs, or nobody"`
	DKIMSelector  string `toml:"dkim_selector" means:"selector of that key in DNS" absent:"none"`
	DKIMDomain    string `toml:"dkim_domain" means:"domain that signs" absent:"that of from"`
	Answers       string `toml:"answers" means:"address that bounces and answers come back to, with a * where the mark of the complaint goes: abuse+*@isp.example" absent:"the address in from; nothing is learned from them"`
	Format        string `toml:"format" means:"how complaints are written: arf (feedback report), plain (letter with header and message as text) or xarf (JSON)"`
	Language      string `toml:"language" means:"language of the letters: de, en, or one that templates adds"`
	Signature     string `toml:"signature" means:"what stands below every letter" absent:"nothing"`
	Evidence      string `toml:"evidence" means:"how the reported message is shown: redacted (tokens stand for its recipients), or full to the operator of the source's network and redacted to all others"`
	KeyFile       string `toml:"key_file" means:"file with a secret of 32 octets or more, which tokens are made with; hosts that share a queue share it" absent:"key in state_dir, made at the first start"`
	Templates     string `toml:"templates" means:"directory of letters of your own, LANGUAGE/text.tmpl, letter.tmpl, withdrawal.tmpl and subject.tmpl, in place of those built in" absent:"those built in"`

	Parties []string `toml:"parties" means:"who gets a complaint: network (the source's, always), customer (the network behind a known relay), domain (the sender's, where DKIM or SPF proves it), feedback (the mailbox in its signed CFBL-Address field), sites (domains that the message links to); all but the network's wait for a person"`

	Approve         string `toml:"approve" means:"whose word lets complaints out: manual (a person, each time), judged (users' and traps' reports by themselves) or all (filters' verdicts too, which RFC 6650 advises against)"`
	MaxAge          int    `toml:"max_age" unit:"hours" means:"older messages are not complained about; 0 for any age"`
	ContactInterval int    `toml:"contact_interval" unit:"hours" means:"least time between complaints to one desk that go out by themselves"`
	ContactCap      int    `toml:"contact_cap" means:"how many a day go out by themselves to one desk; 0 for any number"`
	NetworkCap      int    `toml:"network_cap" means:"how many a day go out by themselves about one network, a /24 or /48; 0 for any number"`
	HourCap         int    `toml:"hour_cap" means:"how many an hour go out by themselves in all; 0 for any number"`

	Desk []deskSettings `toml:"desk" means:"wishes of single abuse desks; the first that fits counts"`
}

type deskSettings struct {
	For      string `toml:"for" means:"mailbox of the desk, or @domain for all at and below it"`
	Format   string `toml:"format,omitempty" means:"arf, plain or xarf; when absent as the desk asks for, else as usual"`
	Language string `toml:"language,omitempty" means:"when absent as usual"`
}
