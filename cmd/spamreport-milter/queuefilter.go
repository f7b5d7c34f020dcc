package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// complaintFilter chooses complaints, the same way in every command that takes more
// than one.
type complaintFilter struct {
	State    []string `short:"s" placeholder:"STATE" help:"In one of these states: ${states}. May be repeated, or joined by commas."`
	Contact  string   `placeholder:"MAILBOX" help:"Addressed to this mailbox, or to any of a domain: @net.example."`
	Network  string   `placeholder:"NETWORK" help:"About a source in this network, such as 192.0.2.0/24, or about one address."`
	ASN      string   `name:"asn" placeholder:"AS" help:"About a source in this autonomous system, such as AS64500."`
	Reporter string   `placeholder:"WHO" help:"Of which this person, or this field of a filter, has reported a message."`
	Since    string   `placeholder:"WHEN" help:"Filed then or later: 36h, 7d or 2w ago, 2026-11-20, or 2026-11-20T08:00."`
	Until    string   `placeholder:"WHEN" help:"Filed before then."`
	Text     string   `placeholder:"WORDS" help:"With all of these words in subject, addresses, names of hosts and reporters."`
}

// states in the order in which a complaint goes through them.
var states = []queue.State{
	queue.Held, queue.Form, queue.Ready, queue.Sending, queue.Deferred, queue.Sent, queue.Bounced, queue.Answered,
	queue.Resolved, queue.Failed, queue.Dropped, queue.Retracted,
}

func listed[T ~string](names []T) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return strings.Join(all, ", ")
}

// ordering is the order of what is chosen, and how many of it are taken.
type ordering struct {
	Sort    string `default:"created" enum:"created,updated,source" placeholder:"KEY" help:"By created or updated, newest first, or by source, lowest first."`
	Reverse bool   `help:"The other way round."`
	Limit   *int   `short:"n" placeholder:"N" help:"At most this many: ${limit} of a list, all of a decision, if not given."`
}

// order turns the wish into the queue's terms: there the greatest is first.
func (o *ordering) order() queue.Sort {
	return queue.Sort{By: o.Sort, Forward: (o.Sort == queue.SortSource) != o.Reverse}
}

// limit is how many are wanted; otherwise where nothing was said.
func (o *ordering) limit(otherwise int) (int, error) {
	if o.Limit == nil {
		return otherwise, nil
	}
	if *o.Limit < 1 {
		return 0, usage("--limit %d takes nothing: give at least 1", *o.Limit)
	}
	return *o.Limit, nil
}

// set reports whether the filter chooses at all.
func (f *complaintFilter) set() bool {
	return len(f.State) > 0 || f.Contact+f.Network+f.ASN+f.Reporter+f.Since+f.Until+f.Text != ""
}

// filter reads the wishes. Times are meant where the person is.
func (f *complaintFilter) filter(now time.Time) (q queue.Filter, err error) {
	q.Contact, q.Reporter, q.Text = f.Contact, f.Reporter, f.Text
	if q.States, err = parseStates(f.State); err != nil {
		return q, err
	}
	if f.Contact != "" && (!strings.Contains(f.Contact, "@") || strings.HasSuffix(f.Contact, "@")) {
		return q, usage("--contact %q is neither a mailbox nor @ and a domain", f.Contact)
	}
	if q.Network, err = parseNetwork(f.Network); err != nil {
		return q, err
	}
	if q.ASN, err = parseASN(f.ASN); err != nil {
		return q, err
	}
	if q.Since, err = parseWhen("--since", f.Since, now); err != nil {
		return q, err
	}
	if q.Until, err = parseWhen("--until", f.Until, now); err != nil {
		return q, err
	}
	if !q.Until.IsZero() && !q.Until.After(q.Since) {
		return q, usage("--until %s is not after --since %s: nothing is between them", f.Until, f.Since)
	}
	if f.Text != "" && len(queue.Words(f.Text)) == 0 {
		return q, usage("--text %q has no word to look for", f.Text)
	}
	return q, nil
}

func parseStates(names []string) ([]queue.State, error) {
	var wanted []queue.State
	for _, n := range names {
		s := queue.State(strings.ToLower(strings.TrimSpace(n)))
		if !slices.Contains(states, s) {
			return nil, usage("no state is called %q: there are %v", n, states)
		}
		if !slices.Contains(wanted, s) {
			wanted = append(wanted, s)
		}
	}
	return wanted, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, usage("--network %q is neither a network like 192.0.2.0/24 nor an address", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func parseASN(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	digits := text
	if len(text) > 2 && strings.EqualFold(text[:2], "AS") {
		digits = text[2:]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 {
		return 0, usage("--asn %q is no number of an autonomous system, such as AS64500", text)
	}
	return uint32(n), nil
}

// calendar are the ways to write a moment that durations do not say.
var calendar = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04", time.RFC3339}

// parseWhen reads a moment: as long before now, or by the calendar. Nothing is the
// zero time.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, ok := parseAge(text); ok {
		return now.Add(-d), nil
	}
	for _, layout := range calendar {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%s %q is neither a time ago, such as 36h, 7d or 2w, nor a date, such as 2026-11-20", flag, text)
}

var days = regexp.MustCompile(`^([0-9]{1,4})(d|w)$`)

// maxAge keeps sums of times from running over; nothing here is older.
const maxAge = 100 * 366 * 24 * time.Hour

// parseAge reads a duration that is more than nothing; d is days and w weeks.
func parseAge(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // matched
		d, err = time.Duration(n)*24*time.Hour, nil
		if m[2] == "w" {
			d *= 7
		}
	}
	return d, err == nil && d > 0 && d <= maxAge
}

// usage is a fault of the command line.
func usage(format string, args ...any) error {
	return &exitError{exUsage, fmt.Errorf(format, args...)}
}
