package reporter

import (
	"net/netip"

	"spamreport-milter/trace"
)

// Party is somebody answerable for a message.
type Party struct {
	Name string     // what he is to the message: "source network"
	Addr netip.Addr // the address he answers for
	Hop  int        // where that address stands in the chain
}

// sourceNetwork is the network that handed the message to the last host we
// can vouch for.
const sourceNetwork = "source network"

// Parties lists who is answerable for a chain. Only the source network is
// addressed: it is the one party that a believed hop names.
func Parties(c *trace.Chain) []Party {
	source := c.Source()
	if source == nil || !source.IP.IsValid() {
		return nil
	}
	return []Party{{Name: sourceNetwork, Addr: source.IP.Unmap(), Hop: c.Border.Hop}}
}
