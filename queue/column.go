package queue

import (
	"database/sql"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"spamreport-milter/trace"
)

// How values stand in columns. Both directions are kept together here.

// micros is a time as microseconds since 1970; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// flag is a truth in an integer column: SQLite has no others.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text makes what came from mail fit for a text column: PostgreSQL takes
// neither NUL nor anything that is not UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// addrKey orders all addresses: 16 bytes, IPv4 mapped into IPv6 (RFC 4291
// §2.5.5.2), so that the families never mix.
func addrKey(a netip.Addr) []byte {
	k := a.As16()
	return k[:]
}

func fromAddrKey(k []byte) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(k)
	return a.Unmap(), ok
}

// encode returns v as JSON. Bytes that are not UTF-8 become U+FFFD: sessions and
// chains are for reading, the exact octets are in the message.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// encodeChain drops dates that JSON can't hold (RFC 3339 ends at year 9999 and
// at zones of 24 hours). A forged one must not keep the report from being filed.
func encodeChain(c trace.Chain) (string, error) {
	hops := make([]trace.Hop, len(c.Hops))
	copy(hops, c.Hops)
	for i := range hops {
		if _, err := hops[i].Date.MarshalJSON(); err != nil {
			hops[i].Date = time.Time{}
		}
	}
	c.Hops = hops
	return encode(c)
}

// moment is a time in a column that is NULL for never.
func moment(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: micros(t), Valid: !t.IsZero()}
}
