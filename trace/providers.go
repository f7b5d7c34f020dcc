package trace

// unseen marks the rows that follow the provider's public host names only.
const unseen = "2026-11-23: host names as published; no sample at hand"

// providers is the table of known providers. To add one add a row, and a message
// that it received or relayed to testdata.
var providers = []provider{
	{
		name:   "Microsoft",
		family: []string{".outlook.com", ".office365.com", ".exchangelabs.com", ".office365.us", ".partner.outlook.cn", ".hotmail.com"},
		edge: []string{"*.mail.protection.outlook.com", "*.mail.protection.office365.us", "*.mail.protection.partner.outlook.cn",
			"*.mail.eo.outlook.com", "*.hotmail.com"},
		sends: []string{"*.outbound.protection.outlook.com", "*.outbound.protection.office365.us", "*.outbound.protection.partner.outlook.cn"},
		networks: prefixes(`40.92.0.0/15 40.107.0.0/16 52.100.0.0/14 104.47.0.0/17 25.0.0.0/8
			2a01:111:e400::/48 2a01:111:f400::/48 2a01:111:f403::/48
			2603:1006::/32 2603:1016::/32 2603:1026::/32 2603:1036::/32 2603:1046::/32 2603:1056::/32 2603:1096::/32
			2603:10a6::/32 2603:10b6::/32 2603:10c6::/32 2603:10d6::/32 2603:10e6::/32`),
		fields: []string{"X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp", "X-Originating-IP"},
		noted:  "2026-11-23: samples 2023-25; ranges as in copies of the SPF record of spf.protection.outlook.com; inside ranges as seen",
	},
	{
		name:   "Google",
		family: []string{".google.com", ".gmail.com", ".googlemail.com"},
		edge: []string{"mx.google.com", "gmr-mx.google.com", "aspmx.l.google.com", "smtp.gmail.com", "smtp.googlemail.com",
			"smtp-relay.gmail.com", "gmailapi.google.com"},
		sends: []string{"mail-*.google.com"},
		// 2002:a05::/32 and its like are 10.0.0.0/8 in the form of 6to4 (RFC 3056):
		// Google's own processes sign with it.
		networks: prefixes(`2002:a00::/24 209.85.128.0/17 64.233.160.0/19 66.102.0.0/20 66.249.80.0/20 72.14.192.0/18
			74.125.0.0/16 108.177.8.0/21 108.177.96.0/19 173.194.0.0/16 216.58.192.0/19 216.239.32.0/19
			172.217.0.0/19 172.217.32.0/20 172.217.128.0/19 172.217.160.0/20 172.217.192.0/19 172.253.56.0/21 172.253.112.0/20
			2001:4860:4000::/36 2404:6800:4000::/36 2607:f8b0:4000::/36 2800:3f0:4000::/36 2a00:1450:4000::/36 2c0f:fb50:4000::/36`),
		noted: "2026-11-23: samples 2023-25; ranges as in copies of the SPF records of _spf.google.com, older ones too",
	},
	{
		name:   "Yahoo",
		family: []string{".yahoo.com", ".yahoodns.net", ".yahoo.co.jp", ".aol.com"},
		edge:   []string{"mta*.mail.*.yahoo.com", "mta*.yahoo.com"},
		sends:  []string{"*.mail.*.yahoo.com", "*.bullet.mail.yahoo.com", "*.mx.aol.com"},
		noted:  "2026-11-23: samples 2024-25",
	},
	{
		name: "1&1 (GMX, WEB.DE, IONOS)",
		family: []string{".gmx.net", ".gmx.com", ".gmx.de", ".web.de", ".kundenserver.de", ".server.lan", ".mail.com",
			".perfora.net", ".ionos.com"},
		edge:  []string{"mx*.gmx.net", "mx*.web.de", "mx*.mail.com", "mx*.kundenserver.de", "mx*.perfora.net"},
		sends: []string{"mout*.gmx.net", "mout*.gmx.com", "mout*.web.de", "mout*.kundenserver.de", "mout*.perfora.net", "mout*.mail.com"},
		networks: prefixes(`213.165.64.0/23 212.227.126.128/25 212.227.15.0/24 212.227.17.0/27 82.165.159.0/24 217.72.207.0/27
			217.72.192.64/26 74.208.4.192/26 74.208.5.64/26 74.208.122.0/26`),
		noted: "2026-11-23: samples 2014-26; ranges as in copies of the SPF records of gmx.net and web.de",
	},
	{
		name:   "Apple",
		family: []string{".me.com", ".icloud.com", ".mac.com", ".apple.com"},
		sends:  []string{"*.me.com", "*.icloud.com"},
		noted:  "2026-11-23: samples 2020-24",
	},
	{
		name:   "Fastmail",
		family: []string{".messagingengine.com", ".internal", ".fastmail.com"},
		sends:  []string{"out*.messagingengine.com", "fout*.messagingengine.com", "fhigh*.messagingengine.com", "flow*.messagingengine.com"},
		noted:  unseen,
	},
	{
		name:   "Zoho",
		family: []string{".zoho.com", ".zoho.eu", ".zoho.in", ".zohomail.com", ".zohomail.eu", ".zohomail.in"},
		edge:   []string{"mx*.zohomail.com", "mx*.zoho.com", "mx*.zohomail.eu", "mx*.zoho.eu", "mx*.zoho.in", "mx*.zohomail.in"},
		sends:  []string{"sender*.zoho.com", "sender*.zoho.eu", "sender*.zoho.in", "*.zohomail.com"},
		noted:  "2026-11-23: samples 2024-26",
	},
	{
		name:   "Yandex",
		family: []string{".yandex.net", ".yandex.ru", ".yandex.com"},
		sends:  []string{"forward*.yandex.net"},
		networks: prefixes(`2a02:6b8::/29 5.45.192.0/18 5.255.192.0/18 37.9.64.0/18 37.140.128.0/18 77.88.0.0/18 84.201.128.0/18
			87.250.224.0/19 93.158.128.0/18 95.108.128.0/17 141.8.128.0/18 178.154.128.0/18 213.180.192.0/19`),
		noted: "2026-11-23: samples 2021; ranges from memory, not checked",
	},
	{
		name:   "Mail.ru",
		family: []string{".mail.ru", ".smailru.net"},
		edge:   []string{"mx*.mail.ru", "mx*.i.mail.ru"},
		sends:  []string{"*.i.mail.ru", "*.mail.ru"},
		noted:  unseen,
	},
	{
		name:   "Proton",
		family: []string{".protonmail.ch", ".proton.ch", ".proton.me"},
		edge:   []string{"mailin*.protonmail.ch"},
		sends:  []string{"mail-*.protonmail.ch", "mail-*.proton.ch"},
		noted:  "2026-11-23: sample 2025",
	},
	{
		name:     "SendGrid",
		family:   []string{".sendgrid.net", "filterdrecv-*", "recvd-*", "geopod-ismtpd-*", "ismtpd*", "filter*p*"},
		edge:     []string{"geopod-ismtpd-*", "ismtpd*"},
		sends:    []string{"*.sendgrid.net"},
		anyName:  true,
		networks: prefixes("167.89.0.0/17 149.72.0.0/16 159.183.0.0/16 168.245.0.0/17 198.37.144.0/20 198.21.0.0/21 208.117.48.0/20 50.31.32.0/19 192.254.112.0/20"),
		noted:    "2026-11-23: line forms as seen; ranges as in copies of the SPF record of sendgrid.net",
	},
	{name: "Mailgun", family: []string{".mailgun.net", ".mailgun.org"}, sends: []string{"*.mailgun.net", "*.mailgun.org"}, noted: unseen},
	{name: "MailChannels", family: []string{".mailchannels.net", ".trex.outbound.svc.cluster.local"}, sends: []string{"*.mailchannels.net"}, noted: unseen},
	{name: "ImprovMX", family: []string{".improvmx.com"}, sends: []string{"*.improvmx.com"}, noted: unseen},
	{name: "Forward Email", family: []string{".forwardemail.net"}, sends: []string{"*.forwardemail.net"}, noted: unseen},
	{name: "Cloudflare", family: []string{".email.cloudflare.net", "cloudflare-email.net", ".cloudflare-email.net"}, sends: []string{"*.email.cloudflare.net", "*.cloudflare-email.net"}, noted: unseen},
	{name: "Namecheap", family: []string{".registrar-servers.com"}, sends: []string{"*.registrar-servers.com"}, noted: unseen},
	{name: "Proofpoint", family: []string{".pphosted.com", ".ppops.net", ".ppe-hosted.com"}, sends: []string{"*.pphosted.com", "*.ppe-hosted.com"}, noted: unseen},
	{name: "Mimecast", family: []string{".mimecast.com", ".mimecast.co.za"}, sends: []string{"*.mimecast.com", "*.mimecast.co.za"}, noted: unseen},
	{name: "Barracuda", family: []string{".ess.barracuda.com", ".barracudanetworks.com"}, sends: []string{"*.ess.barracuda.com"}, noted: unseen},
	{name: "Symantec", family: []string{".messagelabs.com"}, sends: []string{"*.messagelabs.com"}, noted: unseen},
	{name: "Cisco", family: []string{".iphmx.com"}, sends: []string{"*.iphmx.com"}, noted: unseen},
	{name: "Deutsche Telekom", family: []string{".t-online.de"}, sends: []string{"mailout*.t-online.de"}, noted: "2026-11-23: sample 2024"},
	{name: "OVH", family: []string{".mail-out.ovh.net", ".mail.ovh.net"}, sends: []string{"*.mail-out.ovh.net"}, noted: unseen},
}

// providerOf returns the provider whose host wrote the hop, or nil.
func providerOf(known []provider, h *Hop) *provider {
	for i := range known {
		if known[i].owns(h) {
			return &known[i]
		}
	}
	return nil
}

// relayOf returns the provider that the hop's peer delivers for, or nil.
func relayOf(known []provider, h *Hop) *provider {
	if !h.IP.IsValid() {
		return nil
	}
	for i := range known {
		if known[i].relays(h) {
			return &known[i]
		}
	}
	return nil
}
