package milter

import (
	"net/netip"
	"strings"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/seal"
)

// sealing is what the seal needs of a message under way: hashes, and how many
// fields of that name the sender has brought.
type sealing struct {
	outside bool
	foreign int
	header  *seal.Header // what was bound; nil where there is nothing to seal
	body    *seal.Body
}

// see counts seals that the sender wrote: copies of ours, or of another host's.
func (g *sealing) see(name string) {
	if g.outside && len(name) == len(seal.Field) && strings.EqualFold(name, seal.Field) {
		g.foreign++
	}
}

// bind hashes the header, which then can go. One that was cut can't be bound: the
// fields that are missing are in the message all the same.
func (g *sealing) bind(m *message) {
	if !g.outside || g.header != nil {
		return
	}
	if m.headerCut || m.starved {
		m.unsealed("its header is out of bounds")
		return
	}
	h, err := seal.BindHeader(m.header)
	if err != nil {
		m.unsealed(err.Error())
		return
	}
	g.header, g.body = &h, seal.NewBody()
}

// open reports whether there is something to do at the end of the message.
func (g *sealing) open() bool { return g.header != nil || g.foreign > 0 }

// write takes a piece of the body and reports whether no more is wanted.
func (g *sealing) write(chunk []byte) bool {
	if g.body == nil {
		return true
	}
	g.body.Write(chunk)
	return g.body.Full()
}

// finish removes what the sender brought under our name and puts our own seal at
// the end of the header. Fields are counted by name from 1; the last goes first,
// so that the others keep their numbers.
func (s *session) finishSeal(mod *gomilter.Modifier) {
	m, g := s.msg, &s.msg.sealing
	if s.actions&gomilter.OptChangeHeader != 0 {
		for i := g.foreign; i > 0; i-- {
			if err := mod.ChangeHeader(i, seal.Field, ""); err != nil {
				return // the connection is gone
			}
			m.srv.stats.foreignSeals.Add(1)
		}
	} else if g.foreign > 0 {
		m.unsealed("the MTA does not let fields be removed")
		return
	}
	if g.header == nil || s.actions&gomilter.OptAddHeader == 0 {
		return
	}
	value, err := m.set.Seal.Seal(seal.Statement{Session: s.client.session(m.macros, m.queueID), MailFrom: m.from}, *g.header, g.body)
	if err != nil {
		m.unsealed(err.Error())
		return
	}
	if !m.spaced {
		value = value[1:] // the MTA puts one there
	}
	if mod.AddHeader(seal.Field, value) == nil {
		m.srv.stats.sealed.Add(1)
	}
}

func (m *message) unsealed(why string) {
	m.srv.stats.unsealed.Add(1)
	m.set.Log.Warn("message from outside gets no seal", "queue_id", m.queueID, "why", why)
}

// outside reports whether the client is a stranger: nobody who has logged in, and
// no host of ours. Mail of our own hosts keeps the seal that it may have.
func (s *session) outside(m macros) bool {
	a := s.client.client(m).Addr()
	return m.get("auth_authen") == "" && m.get("auth_type") == "" && a.IsValid() && !within(s.set.Inside, a)
}

// Nearby are loopback, private and link-local networks, which nobody uses from
// outside (RFC 6890).
func Nearby() []netip.Prefix {
	var all []netip.Prefix
	for _, n := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"} {
		all = append(all, netip.MustParsePrefix(n))
	}
	return all
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
