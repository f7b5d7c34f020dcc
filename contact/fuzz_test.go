package contact

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// FuzzDecide holds for any answer: every address that is taken stands in the
// answer where the candidate says, passes the filters, and is not a registry's
// unless that registry holds the network; at most three are taken; the answer
// survives JSON and comes out the same again.
func FuzzDecide(f *testing.F) {
	for _, s := range samples(f) {
		addr, _ := netip.ParseAddr(s.Query)
		f.Add(s.source, addr.AsSlice(), s.raw())
	}
	for _, text := range whoisSeeds {
		f.Add("whois", []byte{62, 1, 2, 3}, []byte(text))
		f.Add("whois", []byte{}, []byte(text))
	}
	f.Add("rdap", []byte{62, 1, 2, 3}, []byte(strings.Repeat(`{"entities":[`, 40)))
	f.Add("rdap", []byte{62, 1, 2, 3}, []byte(answerOf("", ent(`"abuse"`, emailProperty("a@isp.test>\r\n"), ""))))
	f.Fuzz(func(t *testing.T, source string, ip, raw []byte) {
		if _, ok := sources[source]; !ok {
			return
		}
		addr, _ := netip.AddrFromSlice(ip)
		a := Decide(addr.Unmap(), recorded(t, source, raw))
		if len(a.Contacts) > maxContacts || (len(a.Contacts) > 0) != (a.Outcome == Found) {
			t.Fatalf("%d contacts, outcome %s", len(a.Contacts), a.Outcome)
		}
		checkTaken(t, &a)
		stored, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again Answer
		if err := json.Unmarshal(stored, &again); err != nil {
			t.Fatal(err)
		}
		if replayed, _ := json.Marshal(Decide(again.Addr, again.Evidence)); string(replayed) != string(stored) {
			t.Fatalf("replayed:\n%s\nstored:\n%s", replayed, stored)
		}
	})
}

func checkTaken(t *testing.T, a *Answer) {
	taken := map[string]bool{}
	for _, ev := range a.Evidence {
		for _, c := range ev.Candidates {
			if stands := resolve(t, ev.Raw, c.Where, c.Address); stands != c.Address {
				t.Fatalf("%q is said to stand at %s, where %q is", c.Address, c.Where, stands)
			}
			if c.Taken {
				if ev.Source == "whois" && !bytes.Contains(ev.Raw, []byte(c.Address)) {
					t.Fatalf("%q does not stand in the octets of the answer", c.Address)
				}
				address, err := Mailbox(c.Address)
				if err != nil {
					t.Fatalf("took %q: %v", c.Address, err)
				}
				taken[address] = true
			}
		}
	}
	for _, c := range a.Contacts {
		domain := c.Address[strings.LastIndexByte(c.Address, '@')+1:]
		r := registryByDomain(domain)
		if !taken[c.Address] || isPlaceholder(c.Address) || strings.ContainsAny(c.Address, "<>\"' \r\n\x00") ||
			r != nil && r.name != a.Network.Registry && a.Network.First.IsValid() {
			t.Fatalf("contact %q must not be: %+v", c.Address, a.Evidence)
		}
	}
}

// resolve follows a JSON pointer (RFC 6901) by means of its own. Of a line it is
// what the candidate says, if that stands in the line.
func resolve(t *testing.T, raw []byte, pointer, address string) any {
	if number, ok := strings.CutPrefix(pointer, "line "); ok {
		n, err := strconv.Atoi(number)
		lines := strings.Split(whoisText(raw), "\n")
		if err != nil || n > len(lines) || !strings.Contains(lines[n-1], address) {
			return nil
		}
		return address
	}
	var v any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(raw), "\ufeff")), &v); err != nil {
		t.Fatalf("an address came out of what is no JSON: %v", err)
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// FuzzMailbox holds for any text: what passes is plain ASCII that SMTP takes
// without quoting, and passes again unchanged.
func FuzzMailbox(f *testing.F) {
	for _, s := range []string{"abuse@isp.test", "mailto:a@b.test", "abuse@bücher.test", "a@b.test>\r\n", `"a b"@c.test`, "a@xn--a.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Mailbox(text)
		if err != nil {
			return
		}
		if again, err := Mailbox(got); err != nil || again != got {
			t.Fatalf("%q gives %q, which gives %q, %v", text, got, again, err)
		}
		if len(got) > maxMailbox || strings.Count(got, "@") != 1 || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"'()[]\,;:|%!`, r) }) {
			t.Fatalf("%q gives %q", text, got)
		}
	})
}
