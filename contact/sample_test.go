package contact

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a recorded answer with what a careful person makes of it.
type sample struct {
	source  string
	ID      string          `json:"id"`
	Query   string          `json:"query"`
	Kind    string          `json:"kind"`
	Expect  []string        `json:"expect_abuse"`
	MustNot []string        `json:"must_not"`
	Outcome Outcome         `json:"expect_outcome"`
	AlsoOK  []string        `json:"also_ok"`
	RDAP    json.RawMessage `json:"rdap"`
	Text    string          `json:"text"`
}

// raw is the answer as it came.
func (s *sample) raw() []byte {
	if s.source == "whois" {
		return []byte(s.Text)
	}
	return s.RDAP
}

// samples returns the recorded answers of every source.
func samples(t testing.TB) []sample {
	t.Helper()
	var all []sample
	for _, source := range []string{"rdap", "whois"} {
		text, err := os.ReadFile("testdata/" + source + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var list []sample
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			s.source = source
			all = append(all, s)
		}
	}
	return all
}

// answered is evidence of one whole answer of RDAP.
func answered(t testing.TB, raw []byte) []Evidence {
	t.Helper()
	return recorded(t, "rdap", raw)
}

func recorded(t testing.TB, source string, raw []byte) []Evidence {
	t.Helper()
	ev, err := Recorded(source, "", raw, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return []Evidence{ev}
}

func TestSamples(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.source+"/"+s.ID, func(t *testing.T) {
			addr, _ := netip.ParseAddr(s.Query) // the zero Addr for what is not about an address
			got := DecideRecorded(addr, "", recorded(t, s.source, s.raw())[0])
			if len(s.Expect) == 0 && len(got.Contacts) > 0 {
				t.Errorf("took %v, want none", got.Contacts)
			}
			if len(s.Expect) > 0 && (len(got.Contacts) == 0 || got.Contacts[0].Address != s.Expect[0]) {
				t.Errorf("took %v, want %s first", got.Contacts, s.Expect[0])
			}
			for _, c := range got.Contacts {
				if slices.ContainsFunc(s.MustNot, func(a string) bool { return strings.EqualFold(a, c.Address) }) {
					t.Errorf("took %s, which must never be", c.Address)
				}
			}
			if s.Outcome != "" && got.Outcome != s.Outcome {
				t.Errorf("outcome %q, want %q: %s", got.Outcome, s.Outcome, got.Reason)
			}
			if (s.Kind == "ip network" || s.source == "whois") && got.Outcome != Referral && !got.Network.Contains(addr) {
				t.Errorf("network %s does not contain %s", got.Network, addr)
			}
		})
	}
}

// TestDecideReplays proves that stored evidence gives the same answer again,
// octet for octet, and that verdicts in it are not believed.
func TestDecideReplays(t *testing.T) {
	for _, s := range samples(t) {
		addr, _ := netip.ParseAddr(s.Query)
		first := Decide(addr, recorded(t, s.source, s.raw()))
		stored, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var again Answer
		if err := json.Unmarshal(stored, &again); err != nil {
			t.Fatal(err)
		}
		for i := range again.Evidence {
			again.Evidence[i].Candidates = []Candidate{{Address: "forged@isp.test", Taken: true}}
		}
		replayed, err := json.Marshal(Decide(again.Addr, again.Evidence))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(stored), string(replayed)); d != "" {
			t.Errorf("%s: replayed differently:\n%s", s.ID, d)
		}
	}
}
