package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQueueUsage: a command line that can't be meant is refused with a sentence before
// anything is opened or made.
func TestQueueUsage(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"list --state asleep", `no state is called "asleep": there are [held form ready`},
		{"list --contact net1.test", "neither a mailbox nor @ and a domain"},
		{"list --network 300.1.2.3", `"300.1.2.3" is neither a network`},
		{"list --network fe80::1%eth0", "is neither a network"},
		{"list --asn ASX", "no number of an autonomous system"},
		{"list --asn 0", "no number of an autonomous system"},
		{"list --asn 4294967296", "no number of an autonomous system"},
		{"list --since yesterday", `--since "yesterday" is neither a time ago`},
		{"list --since 1h --until 2h", "nothing is between them"},
		{"list --text !!!", "no word to look for"},
		{"list --sort colour", "must be one of"},
		{"list --limit 0", "at least 1"},
		{"list --columns id,colour", `no column is called "colour": there are id, state`},
		{"list --json --columns id", "leave --columns away"},
		{"list --csv --json", "can't be used together"},
		{"list --closed --state held", "--closed lists reports"},
		{"list --closed --csv", "--closed lists reports"},
		{"approve", "name complaints by number, or by a filter"},
		{"approve --limit 3", "name complaints by number, or by a filter"},
		{"drop 5 --contact @net0.test", "not both"},
		{"drop seventeen", `"seventeen" is neither the number of a complaint nor a range`},
		{"drop 9-5", `"9-5" is neither`},
		{"drop --yes 1-99999999999", "more than 1000000 complaints are named"},
		{"show one", "expected a valid 64 bit int"},
		{"show --json --message 1", "can't be used together"},
		{"edit", "expected \"<id>\""},
		{"stats --since never", `--since "never" is neither`},
		{"stats --top 0", "at least 1"},
		{"export one", "expected a valid 64 bit int"},
		{"verify --noted 3:abc", "no EVENT:HASH"},
		{"copy", "missing flags: --to"},
		{"forget anna", `"anna" is no mail address`},
		{"forget <anna@isp.test>", "is no mail address"},
		{"suppress add nonsense", `"nonsense" is no mailbox`},
		{"suppress add a@net1.test --for ever", `--for "ever" is no time`},
	} {
		var stdout, stderr bytes.Buffer
		state := filepath.Join(t.TempDir(), "state")
		args := append([]string{"--config", config, "--state-dir", state, "queue"}, strings.Fields(c.args)...)
		if code := run(args, strings.NewReader(""), &stdout, &stderr); code != exUsage {
			t.Errorf("queue %s ends with %d", c.args, code)
		}
		if !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
			t.Errorf("queue %s says %q and prints %q, want %q", c.args, stderr.String(), stdout.String(), c.says)
		}
		if _, err := os.Stat(state); err == nil {
			t.Errorf("queue %s has made %s", c.args, state)
		}
	}
}
