package queue

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"

	"go4.org/netipx"
)

const (
	selectNextBase = `SELECT base FROM contacts WHERE base > $1 ORDER BY base LIMIT 1`
	selectRanges   = `SELECT first, last FROM contacts WHERE base = $1 AND bits = $2`
)

// ContactSpan returns a range around addr in which no other stored network begins
// or ends, so that what ContactFor says of addr holds for all of it: what is
// remembered of one look-up may be used for the next without asking.
func (s *Store) ContactSpan(ctx context.Context, addr netip.Addr) (netipx.IPRange, error) {
	ip, shortest := mapped(addr)
	family, _ := ip.Prefix(shortest)
	span := netipx.RangeOfPrefix(family)
	span, err := s.beforeNextBase(ctx, ip, span)
	for at := netip.PrefixFrom(ip, ip.BitLen()); err == nil; {
		var block netip.Prefix
		if block, err = s.blockBelow(ctx, at); err != nil || !block.IsValid() || block.Addr().Less(family.Addr()) {
			break
		}
		if !block.Contains(ip) {
			at = cover(ip, block.Addr())
			half, _ := ip.Prefix(at.Bits() + 1) // what lies in the other half ends before it
			span = within(span, netipx.RangeOfPrefix(half))
			continue
		}
		span, err = s.cutRanges(ctx, block, ip, span)
		at = netip.PrefixFrom(block.Addr(), block.Bits()-1) // the next before it, whether it contains ip or not
	}
	if err != nil {
		return netipx.IPRange{}, s.explain(err)
	}
	return netipx.IPRangeFrom(unmapped(addr, span.From()), unmapped(addr, span.To())), nil
}

// beforeNextBase ends the span before the first block that begins after ip.
func (s *Store) beforeNextBase(ctx context.Context, ip netip.Addr, span netipx.IPRange) (netipx.IPRange, error) {
	var base []byte
	err := s.reader.QueryRowContext(ctx, selectNextBase, addrKey(ip)).Scan(&base)
	if errors.Is(err, sql.ErrNoRows) {
		return span, nil
	}
	next, ok := netip.AddrFromSlice(base)
	if err != nil || !ok || span.To().Less(next) {
		return span, err
	}
	return netipx.IPRangeFrom(span.From(), next.Prev()), nil
}

// cutRanges cuts the span at the ends of the networks of one block.
func (s *Store) cutRanges(ctx context.Context, block netip.Prefix, ip netip.Addr, span netipx.IPRange) (netipx.IPRange, error) {
	rows, err := s.reader.QueryContext(ctx, selectRanges, addrKey(block.Addr()), block.Bits())
	if err != nil {
		return span, err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b []byte
		if err := rows.Scan(&a, &b); err != nil {
			return span, err
		}
		first, _ := netip.AddrFromSlice(a)
		last, _ := netip.AddrFromSlice(b)
		span = cut(span, netipx.IPRangeFrom(first, last), ip)
	}
	return span, rows.Err()
}

// cut narrows the span to what is all inside or all outside of r, as ip is.
func cut(span, r netipx.IPRange, ip netip.Addr) netipx.IPRange {
	switch {
	case r.Contains(ip):
		return within(span, r)
	case r.To().Less(ip):
		return within(span, netipx.IPRangeFrom(r.To().Next(), span.To()))
	}
	return within(span, netipx.IPRangeFrom(span.From(), r.From().Prev()))
}

// within is what both ranges have in common; they do have ip.
func within(a, b netipx.IPRange) netipx.IPRange {
	from, to := a.From(), a.To()
	if from.Less(b.From()) {
		from = b.From()
	}
	if b.To().Less(to) {
		to = b.To()
	}
	return netipx.IPRangeFrom(from, to)
}

// unmapped gives back the family of addr.
func unmapped(addr, a netip.Addr) netip.Addr {
	if addr.Unmap().Is4() {
		return a.Unmap()
	}
	return a
}
