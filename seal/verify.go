package seal

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"spamreport-milter/trace"
)

// Result says what became of a seal.
type Result string

const (
	None    Result = "none"    // the message has no seal
	Valid   Result = "valid"   // ours, and on the message that it was made for
	Altered Result = "altered" // ours, but header or body have changed since
	Copied  Result = "copied"  // ours, but made for another message
	Forged  Result = "forged"  // not made by us: no key of ours fits
	Expired Result = "expired" // ours, but too old, or dated in the future
	Unknown Result = "unknown" // made with a key that we don't have, or no longer
	Broken  Result = "broken"  // unreadable, or several of them
	Cut     Result = "cut"     // the message was cut, so it can't be checked
)

// MaxAge is how long a seal proves something. What a user hands in later has been
// copied about for reasons that nobody remembers.
const MaxAge = 60 * 24 * time.Hour

// skew is how far the clocks of our own hosts may be apart.
const skew = 10 * time.Minute

// Verdict is the outcome of a check. Statement is there for Valid alone.
type Verdict struct {
	Result Result
	Text   string // why, in words that fit behind "the seal is"
	Statement
}

// Verify checks the seal of a message that came back. Session.Later then tells
// how many Received fields were put on top since. What it returns for any other
// result than Valid tells nothing about the message's sender.
func (k *Keys) Verify(m *trace.Message, now time.Time) Verdict {
	fields := collect(m.Header, func(string) bool { return true })
	seals := fields[strings.ToLower(Field)]
	switch {
	case len(seals) == 0:
		return Verdict{Result: None, Text: "missing"}
	case len(seals) > 1:
		return Verdict{Result: Broken, Text: fmt.Sprintf("there %d times", len(seals))}
	case m.HeaderCut:
		return Verdict{Result: Cut, Text: "on a header that was cut"}
	}
	t, err := parse(seals[0])
	if err != nil {
		return Verdict{Result: Broken, Text: fmt.Sprintf("unreadable: %v", err)}
	}
	key := k.find(t["k"])
	if key == nil {
		return Verdict{Result: Unknown, Text: "made with a key that is not, or no longer, ours"}
	}
	if code, err := base64.StdEncoding.DecodeString(t["b"]); err != nil || !hmac.Equal(code, key.sign(t)) {
		return Verdict{Result: Forged, Text: "forged: it was not made by us, or altered"}
	}
	return check(t, m, fields, now)
}

// check compares a statement that is ours with the message it stands on.
func check(t tags, m *trace.Message, fields map[string][]string, now time.Time) Verdict {
	var s Statement
	said, err := base64.StdEncoding.DecodeString(t["s"])
	if err == nil {
		err = json.Unmarshal(said, &s)
	}
	if err != nil || s.Session == nil {
		return Verdict{Result: Broken, Text: "unreadable under a key of ours"}
	}
	body := NewBody()
	body.Write(m.Body)
	if m.Truncated() && !body.Full() {
		return Verdict{Result: Cut, Text: "on a body that was cut"}
	}
	sum := rebind(t["h"], fields)
	sameHeader, sameBody := encode(sum[:]) == t["hh"], encode(body.sum()) == t["bh"]
	age := now.Sub(s.Session.Time)
	switch {
	case !sameHeader && !sameBody:
		return Verdict{Result: Copied, Text: "copied from another message"}
	case !sameHeader:
		return Verdict{Result: Altered, Text: "on a header that was altered, or copied from another message"}
	case !sameBody:
		return Verdict{Result: Altered, Text: "on a body that was altered"}
	case age > MaxAge:
		return Verdict{Result: Expired, Text: fmt.Sprintf("%d days old: replayed", int(age.Hours()/24))}
	case age < -skew:
		return Verdict{Result: Expired, Text: "dated in the future"}
	}
	s.Session.Later = len(fields["received"]) - strings.Count(":"+t["h"]+":", ":received:")
	return Verdict{Result: Valid, Text: "valid", Statement: s}
}

// Prove takes the session of a message that was handed in from its seal, and says
// in words what the seal was worth; "" for a message without one. A seal that
// somebody has meddled with leaves a session that disproves the message. One that
// can't be checked, for want of the key or of the rest of the message, leaves it
// as if it had none.
func (k *Keys) Prove(m *trace.Message, now time.Time) (text string) {
	v := k.Verify(m, now)
	switch v.Result {
	case None:
		return ""
	case Valid:
		m.Session, m.MailFrom = v.Session, v.MailFrom
	case Unknown, Cut:
	default:
		m.Session = &trace.Session{Disproved: v.Text}
	}
	return "the seal is " + v.Text
}
