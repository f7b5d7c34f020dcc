package trace

import (
	"fmt"
	"strings"
	"time"
)

// Follow traces a message. It believes its own session, then one host after the
// other for as long as each is known to be inside the receiving organisation and
// the next field was written by the host that this one names. The first peer that
// is outside is the border. Below a known relay belief goes on, attested.
//
// Without a session the topmost field is taken for the receiving provider's own,
// and the border is found from the provider's edge. Where the way in can't be
// told from what a sender may have written, there is no border: the wrong one
// would accuse a bystander.
//
// A session that was proven afterwards, by a seal, is believed like one of the
// moment, but of the copy that it brought alone. A seal that proves nothing leaves
// no border: somebody has had his hands on the message.
func Follow(m *Message, o Options) Chain {
	if why, ok := disproved(m, o); ok {
		return unproven(m, why)
	}
	return follow(m, o)
}

// disproved returns why a session that was proven afterwards must not be believed
// of this copy of the message, as a sign, or false.
func disproved(m *Message, o Options) (Sign, bool) {
	s := m.Session
	switch {
	case s == nil:
		return Sign{}, false
	case s.Disproved != "":
		return Sign{0, SignBadSeal, "the seal is " + s.Disproved}, true
	case s.Later == 0:
		return Sign{}, false
	}
	// Somebody may have sent the message once more, seal and all: then the fields on
	// top, ours, name a stranger who is not the session's client.
	again := *m
	again.Session = nil
	c := follow(&again, o)
	source := c.Source()
	if source == nil || c.Border.Hop >= s.Later || source.IP == s.Client.Addr().Unmap().WithZone("") {
		return Sign{}, false
	}
	return Sign{c.Border.Hop, SignResent, fmt.Sprintf("came in again from %s after %s had brought it: the seal is replayed, or that is a mail server of ours to name in trace.networks",
		source.IP, s.Client.Addr())}, true
}

// unproven reads a message that nothing can be believed of: whoever made up a
// seal made up the fields beside it.
func unproven(m *Message, why Sign) Chain {
	w := walk{providers: providers, line: readings.Get().(*reading)}
	defer readings.Put(w.line)
	bare := *m
	bare.Session = nil
	w.read(&bare)
	if len(w.Hops) > 0 {
		w.Hops[0].Reason = why.Text
	}
	w.distrust()
	w.marks()
	w.Signs = append(w.Signs, why)
	return w.Chain
}

func follow(m *Message, o Options) Chain {
	w := walk{options: o, providers: providers, line: readings.Get().(*reading)}
	defer readings.Put(w.line)
	for _, r := range o.Relays {
		w.providers = append(w.providers[:len(w.providers):len(w.providers)],
			provider{name: r.Name, family: []string{r.Pattern}, sends: []string{r.Pattern}, noted: r.Noted})
	}
	w.read(m)
	if len(w.Hops) > 0 {
		w.down()
	}
	w.originFields()
	w.distrust()
	w.marks()
	return w.Chain
}

// walk is a chain on its way through the trust rules.
type walk struct {
	Chain
	options    Options
	providers  []provider
	session    bool
	line       *reading
	statements []statement
	clients    []clientField
	notes      []note    // one for each hop
	believed   int       // hops up to here, exclusive, are graded
	relay      *provider // the last relay that was recognised
	later      int       // fields of our own servers, above the session's, still to come
}

// read fills the hops and collects the fields that testify about them.
func (w *walk) read(m *Message) {
	header := string(m.Header)
	// Hops are large, so room is made once; one is the session's or the first field's.
	w.Hops, w.Signs = make([]Hop, 0, 1+strings.Count(header, "\nReceived:")), []Sign{}
	w.Border.Hop, w.Origin.Hop = -1, -1
	if m.Session != nil {
		w.session, w.later = true, m.Session.Later
		w.add(sessionHop(m.Session), note{statesNames: true})
	}
	for {
		f, rest, ok := nextField(header)
		if !ok {
			break
		}
		header = rest
		if f.named("Received") {
			w.received(m.Session, w.line.read(f.value), w.line.note())
			continue
		}
		w.testify(f)
	}
}

// received adds a hop. The session's own line, which some servers have written
// already when a filter sees the message, is merged into hop 0. What stands above
// it is our own way to the mailbox, and no hop of the sender's.
func (w *walk) received(s *Session, h *Hop, n note) {
	above := w.later > 0
	if above {
		w.later--
	}
	switch {
	case s != nil && len(w.Hops) == 1 && w.Hops[0].Raw == "" && isSession(s, h):
		merge(&w.Hops[0], h)
	case !above:
		w.add(h, n)
	}
}

func (w *walk) add(h *Hop, n note) {
	w.Hops = append(w.Hops, *h)
	w.notes = append(w.notes, n)
}

func sessionHop(s *Session) *Hop {
	h := &Hop{
		IP: s.Client.Addr().Unmap().WithZone(""), Port: s.Client.Port(),
		RDNS: s.PTR, RDNSVerified: s.PTRVerified && s.PTR != "", HELO: s.HELO, By: s.Host,
		TLSVersion: s.TLSVersion, TLSCipher: s.TLSCipher,
		Auth: s.AuthType != "" || s.AuthUser != "", AuthUser: s.AuthUser,
		ID: s.QueueID, Date: s.Time, Kind: KindSMTP, With: "SMTP",
	}
	if s.ESMTP || h.Auth || h.TLSVersion != "" { // RFC 3848
		h.With = "ESMTP"
	}
	if h.TLSVersion != "" {
		h.With += "S"
	}
	if h.Auth {
		h.With += "A"
		h.Kind = KindSubmission
	}
	return h
}

// isSession reports whether a field describes the session: the same peer, taken
// by our own host.
func isSession(s *Session, h *Hop) bool {
	return h.IP.IsValid() && h.IP == s.Client.Addr().Unmap().WithZone("") && s.Host != "" && sameHost(h.By, s.Host)
}

// merge completes the session's facts with what only the field says. Its address of
// our host is left alone: the peer may have written the field about itself, and an
// address that equals its own would make it one of our hosts.
func merge(session, h *Hop) {
	session.For, session.EnvFrom, session.Comments, session.Raw = h.For, h.EnvFrom, h.Comments, h.Raw
	session.Ident, session.Via, session.With = h.Ident, h.Via, h.With
	if session.ID == "" {
		session.ID = h.ID
	}
	if session.Port == 0 {
		session.Port = h.Port
	}
	if session.Date.IsZero() {
		session.Date = h.Date
	}
}

// down walks from the top through our own or our provider's hosts to the border,
// and from there through relays.
func (w *walk) down() {
	grade, reason := GradeTrusted, "the topmost field, written where the mail was received"
	if w.session {
		grade, reason = GradeSession, "our own SMTP session"
	}
	i := 0
	for {
		h := &w.Hops[i]
		h.Grade, h.Reason = grade, reason
		w.believed = i + 1
		inside, why := w.inside(i)
		switch inside {
		case stranger:
			w.setBorder(i)
			w.relayed(i)
			return
		case unsure:
			if j := w.stated(i); j >= 0 {
				w.trustTo(j)
				w.setBorder(j)
				w.relayed(j)
				return
			}
			h.Reason += "; " + why
			w.noBorder(i)
			return
		}
		i, grade, reason = i+1, GradeTrusted, why
	}
}

func (w *walk) next(i int) *Hop {
	if i+1 < len(w.Hops) {
		return &w.Hops[i+1]
	}
	return nil
}

func (w *walk) setBorder(i int) {
	h := &w.Hops[i]
	w.Border = Border{IP: h.IP, Hop: i}
	w.Origin = Origin{IP: h.IP, Hop: i, Grade: h.Grade}
	w.confirm(i)
	w.program(i)
}

// program names the program behind the source when the source's own next fields
// say that the mail began there: a web application, a cron job. The host is known
// by its address all the same, and the user is for whoever looks after it.
func (w *walk) program(i int) {
	source := &w.Hops[i]
	for j := i + 1; j < len(w.Hops) && meetsExactly(source, &w.Hops[j]); j++ {
		switch h := &w.Hops[j]; h.Kind {
		case KindLocal:
			w.Origin.Host, w.Origin.Account = h.By, h.Ident
			return
		case KindFilter:
		default:
			return
		}
	}
}

// noBorder is for a way in that can't be told. A program on our own host is an
// origin all the same.
func (w *walk) noBorder(i int) {
	h := &w.Hops[i]
	switch h.Kind {
	case KindLocal:
		w.Origin = Origin{Host: h.By, Account: h.Ident, Hop: i, Grade: h.Grade}
	case KindHTTP:
		w.Origin = Origin{Host: h.By, Account: h.AuthUser, Hop: i, Grade: h.Grade}
	}
}

// trustTo grades the hops up to j as trusted, on the receiver's word.
func (w *walk) trustTo(j int) {
	for ; w.believed <= j; w.believed++ {
		h := &w.Hops[w.believed]
		h.Grade, h.Reason = GradeTrusted, "the receiver states this peer in its own sender check"
	}
}

// relayed goes on below the border for as long as the peer is a known relay and
// the next field was written by that relay.
func (w *walk) relayed(i int) {
	for {
		p := relayOf(w.providers, &w.Hops[i])
		if p != nil {
			w.relay = p
		}
		next := w.next(i)
		if p == nil || next == nil || !timely(&w.Hops[i], next) || !p.owns(next) && !meetsExactly(&w.Hops[i], next) {
			return
		}
		var ok bool
		if i, ok = w.through(p, i+1); !ok {
			return
		}
	}
}

// timely reports whether next can be the step before h on a relay's way, which
// takes a day at most. Below a relay that wrote no field of its own stands what
// its client made up, and that is often a copy of older mail.
func timely(h, next *Hop) bool {
	if h.Date.IsZero() || next.Date.IsZero() {
		return true
	}
	gap := h.Date.Sub(next.Date)
	return gap < maxQueue && gap > -time.Hour
}

// through walks inside relay p from hop i to where its client handed in. It is
// false when the way ends inside.
func (w *walk) through(p *provider, i int) (int, bool) {
	for {
		h := &w.Hops[i]
		h.Grade = GradeAttested
		h.Reason = "written by " + p.name + ", a relay that tells the truth"
		w.believed = i + 1
		w.deepest(i)
		next := w.next(i)
		if next == nil {
			return i, false
		}
		switch {
		case h.IP.IsValid() && !local(h.IP) && !p.hosts(h):
			return i, true
		case h.Kind == KindHTTP || h.Kind == KindLocal: // the mail begins here, with whatever fields its maker liked
			return i, false
		case !p.owns(next) && !meets(h, next) || !timely(h, next):
			return i, false
		}
		i++
	}
}

// deepest makes hop i the origin when it names somebody.
func (w *walk) deepest(i int) {
	h := &w.Hops[i]
	o := Origin{Account: h.AuthUser, Hop: i, Grade: h.Grade}
	switch {
	case w.relay != nil && w.relay.hosts(h) && h.IP.IsValid():
		return
	case h.Kind == KindLocal:
		o.Host = h.By
		if o.Account == "" {
			o.Account = h.Ident
		}
	case h.IP.IsValid() && !local(h.IP):
		o.IP = h.IP
	case h.Kind == KindHTTP && o.Account != "":
	default:
		return
	}
	w.Origin = o
}
