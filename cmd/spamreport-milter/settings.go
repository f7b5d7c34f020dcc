package main

// settings is the shape of the configuration file. The tags are the reference:
// `config show` and docs/config.md are made from them, so a key without its
// meaning does not build its documentation test.
type settings struct {
	StateDir string `toml:"state_dir" means:"directory of the queue" absent:"$STATE_DIRECTORY, else $XDG_STATE_HOME/spamreport-milter, else ~/.local/state/spamreport-milter"`
	LogLevel string `toml:"log_level" means:"least level that is logged to standard error: debug, info, warn or error"`

	Milter   milterSettings   `toml:"milter" means:"the MTA's side"`
	Trace    traceSettings    `toml:"trace" means:"what is ours, and whom we believe"`
	Contact  contactSettings  `toml:"contact" means:"where contacts are asked for"`
	Reporter reporterSettings `toml:"reporter" means:"who complains, and through which relay"`
}

type milterSettings struct {
	Listen      []string      `toml:"listen" means:"where the MTA connects: inet:HOST:PORT, inet6:HOST:PORT or unix:PATH"`
	BodyLimit   int64         `toml:"body_limit" unit:"bytes" means:"how much of a tagged message's body is kept; the rest is cut and the complaint says so"`
	MaxSessions int           `toml:"max_sessions" means:"connections of the MTA at once; above it mail passes unexamined"`
	Tag         []tagSettings `toml:"tag" means:"tag rules: which header fields of the filter before us say spam" absent:"those of SpamAssassin, amavis and rspamd, shown here"`
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

type contactSettings struct {
	Bootstrap         string   `toml:"bootstrap" means:"directory with ipv4.json and ipv6.json of RFC 9224" absent:"copies built into the program"`
	CAFile            string   `toml:"ca_file" means:"PEM file of the authorities that registries' certificates are checked against" absent:"the system's"`
	PrivateRegistries []string `toml:"private_registries" means:"ADDRESS:PORT of registry servers on private addresses that may be asked, such as a mirror of your own"`
}

type reporterSettings struct {
	From         string `toml:"from" means:"mailbox that complaints come from and that a person reads" absent:"postmaster@ this host"`
	Host         string `toml:"host" means:"this host's public name, for EHLO and Message-ID" absent:"the system's host name"`
	Smarthost    string `toml:"smarthost" means:"relay that takes complaints, HOST:PORT"`
	SmarthostTLS string `toml:"smarthost_tls" means:"starttls (required, certificate checked) or none" absent:"none for a relay on this machine, else starttls"`
	SmarthostCA  string `toml:"smarthost_ca_file" means:"PEM file of the authority that the relay's certificate is checked against" absent:"the system's"`
}
