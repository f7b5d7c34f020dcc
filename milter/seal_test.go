package milter_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/milter"
	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := seal.Rotate(path, 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	k, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// change is one modification of a message, as the milter asked for it.
type change struct {
	code byte
	data string
}

// ending sends the end of a message whose header is done, and returns what the
// milter wants changed and its last word.
func (m *mta) ending(body ...string) (changes []change, code byte, answer string) {
	m.t.Helper()
	for _, chunk := range body {
		m.send('B', []byte(chunk))
		if code, _ := m.receive(); code == 's' {
			break
		}
	}
	m.send('E', nil)
	for {
		code, data := m.receive()
		if !strings.ContainsRune("hm-", rune(code)) {
			return changes, code, string(data)
		}
		changes = append(changes, change{code, strings.TrimSuffix(string(data), "\x00")})
	}
}

// sealFrom takes the seal out of the changes.
func sealFrom(t *testing.T, changes []change) string {
	t.Helper()
	for _, c := range changes {
		if value, ok := strings.CutPrefix(c.data, seal.Field+"\x00"); ok && c.code == 'h' {
			return value
		}
	}
	t.Fatalf("no seal among %q", changes)
	return ""
}

var letter = mail{
	from:   "friend@example.net",
	rcpt:   []string{"user@example.org"},
	header: [][2]string{{"Received", " from a by b; Fri, 20 Nov 2026 11:00:00 +0000"}, {"From", " friend@example.net"}, {"Subject", " lunch"}},
}

// strangerMacros are those of a client that has not logged in.
func strangerMacros(addr string) []string {
	return []string{"i", "QID", "j", "mx.example.org", "{client_addr}", addr, "{client_port}", "4321", "{client_name}", "unknown", "{client_ptr}", "unknown"}
}

func TestSeal(t *testing.T) {
	keys := newKeys(t)
	for name, tt := range map[string]struct {
		offer  uint32
		spaced bool
	}{"with leading space": {offerAll, true}, "without": {0x7f, false}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, milter.Config{Seal: keys})
			m := greet(t, s.addr, tt.offer)
			m.connect("unknown", "192.0.2.1", 4321)
			m.helo("helo.example.net")
			for range 2 {
				m.envelope(letter, strangerMacros("192.0.2.1")...)
				msg := letter
				if !tt.spaced {
					msg.header = nil
					for _, f := range letter.header {
						msg.header = append(msg.header, [2]string{f[0], strings.TrimPrefix(f[1], " ")})
					}
				}
				m.header(msg, "QID")
				m.want('c')
				changes, code, _ := m.ending("at ", "noon?\r\n", "\r\n")
				value := sealFrom(t, changes)
				if code != 'a' || len(changes) != 1 || strings.HasPrefix(value, " ") != tt.spaced {
					t.Fatalf("answered %q after %q", code, changes)
				}
				text := "Received: by mx.example.org\r\nReceived: from a by b; Fri, 20 Nov 2026 11:00:00 +0000\r\nFrom: friend@example.net\r\nSubject: lunch\r\n" +
					seal.Field + ": " + strings.ReplaceAll(strings.TrimPrefix(value, " "), "\n", "\r\n") + "\r\n\r\nat noon?\r\n"
				got, err := trace.Read(strings.NewReader(text), 1000)
				if err != nil {
					t.Fatal(err)
				}
				v := keys.Verify(got, time.Now())
				if v.Result != seal.Valid || v.Session.Client != netip.MustParseAddrPort("192.0.2.1:4321") || v.Session.QueueID != "QID" ||
					v.Session.HELO != "helo.example.net" || v.MailFrom != letter.from || v.Session.Later != 1 {
					t.Errorf("the seal is %s: %+v", v.Text, v.Session)
				}
			}
			if got := s.all(); len(got) != 0 {
				t.Errorf("ham was reported: %+v", got)
			}
			if st := s.Stats(); st.Sealed != 2 || st.Unsealed != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// A copied or made-up seal goes on entry, and nobody but a stranger loses his.
func TestForeignSeals(t *testing.T) {
	s := serve(t, milter.Config{Seal: newKeys(t), Inside: append(milter.Nearby(), netip.MustParsePrefix("198.51.100.0/24"))})
	fake := letter
	fake.header = append([][2]string{{"SPAMREPORT-seal", " v=1; b=made up"}, {"Subject", " x"}}, [2]string{seal.Field, " v=1; b=another"})
	for _, tt := range []struct {
		name, addr string
		macros     []string
		removed    bool
	}{
		{"stranger", "192.0.2.1", strangerMacros("192.0.2.1"), true},
		{"user", "192.0.2.1", append(strangerMacros("192.0.2.1"), "{auth_type}", "PLAIN", "{auth_authen}", "fred"), false},
		{"our network", "198.51.100.7", strangerMacros("198.51.100.7"), false},
		{"loopback", "127.0.0.1", strangerMacros("127.0.0.1"), false},
		{"private", "10.0.0.1", strangerMacros("10.0.0.1"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := greet(t, s.addr, offerAll)
			m.connect("h", tt.addr, 4321)
			m.envelope(fake, tt.macros...)
			m.header(fake, "QID")
			if !tt.removed {
				m.want('a')
				return
			}
			m.want('c')
			changes, code, _ := m.ending("text\r\n")
			sealFrom(t, changes)
			want := []change{{'m', "\x00\x00\x00\x02" + seal.Field + "\x00"}, {'m', "\x00\x00\x00\x01" + seal.Field + "\x00"}}
			if code != 'a' || len(changes) != 3 || changes[0] != want[0] || changes[1] != want[1] {
				t.Errorf("answered %q after %q", code, changes)
			}
		})
	}
	if st := s.Stats(); st.ForeignSeals != 2 || st.Sealed != 1 {
		t.Errorf("stats %+v", st)
	}
}

// What can't be bound is not sealed, and passes; a seal that it has brought goes
// all the same.
func TestUnsealed(t *testing.T) {
	s := serve(t, milter.Config{Seal: newKeys(t), HeaderLimit: 500})
	long := letter
	long.header = append([][2]string{{"X-Long", strings.Repeat("x", 600)}}, letter.header...)
	m := greet(t, s.addr, offerAll)
	m.connect("h", "192.0.2.1", 4321)
	m.envelope(long, strangerMacros("192.0.2.1")...)
	m.header(long, "QID")
	m.want('a')
	long.header = append(long.header, [2]string{seal.Field, " v=1"})
	m.envelope(long, strangerMacros("192.0.2.1")...)
	m.header(long, "QID")
	m.want('c')
	if changes, code, _ := m.ending("text"); code != 'a' || len(changes) != 1 || changes[0].code != 'm' {
		t.Errorf("answered %q after %q", code, changes)
	}
	if st := s.Stats(); st.Unsealed != 2 || st.Sealed != 0 || st.ForeignSeals != 1 {
		t.Errorf("stats %+v", st)
	}
}

// A long body is of no interest beyond what is bound.
func TestSealSkipsLongBody(t *testing.T) {
	s := serve(t, milter.Config{Seal: newKeys(t)})
	m := greet(t, s.addr, offerAll)
	m.connect("h", "192.0.2.1", 4321)
	m.envelope(letter, strangerMacros("192.0.2.1")...)
	m.header(letter, "QID")
	m.want('c')
	chunk := []byte(strings.Repeat("0123456789\r\n", 5000))
	for n := 1; ; n++ {
		m.send('B', chunk)
		if code, _ := m.receive(); code == 's' {
			if n != seal.BodyLimit/len(chunk)+1 {
				t.Errorf("skipped after %d chunks", n)
			}
			break
		}
	}
	changes, _, _ := m.ending()
	sealFrom(t, changes)
}

// With the seal off nothing is asked of the MTA that was not asked before.
func TestNoSealNoPrice(t *testing.T) {
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, offerAll)
	m.connect("h", "192.0.2.1", 4321)
	fake := letter
	fake.header = append(fake.header, [2]string{seal.Field, " v=1"})
	m.envelope(fake, strangerMacros("192.0.2.1")...)
	m.header(fake, "QID")
	m.want('a')
}

// A client on a unix socket has no address: it is no stranger, and its mail is
// recorded like any.
func TestUnixSocketClient(t *testing.T) {
	s := serve(t, milter.Config{Seal: newKeys(t)})
	m := greet(t, s.addr, offerAll)
	m.step('C', append(append(strs("localhost"), 'L', 0, 0), strs("/run/smtp.sock")...), gomilter.OptNoConnReply)
	m.envelope(letter, "i", "QID", "j", "mx.example.org")
	m.header(letter, "QID")
	m.want('a')
	if code, _ := m.deliver(spam, "ID"); code != 'a' {
		t.Errorf("answered %q", code)
	}
	if got := s.only(t).Message.Session; got.Client.IsValid() || got.Host != "" {
		t.Errorf("session %+v", got)
	}
	if st := s.Stats(); st.Sealed != 0 || st.Broken != 0 {
		t.Errorf("stats %+v", st)
	}
}
