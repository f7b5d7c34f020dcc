package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Networks are kept as ranges, which need not be CIDR blocks, under the smallest
// block that covers them. Blocks lie within each other or apart, so that the one
// next below an address either contains it or shows which larger ones can.
const (
	// rows compare as (base, bits): within one base the smaller block is later
	selectBlock = `SELECT base, bits FROM contacts WHERE (base, bits) <= ($1, $2) ORDER BY base DESC, bits DESC LIMIT 1`
	// the inner one of two ranges in a block starts later or ends earlier
	selectContact = `
		SELECT answer FROM contacts
		WHERE base = $1 AND bits = $2 AND first <= $3 AND last >= $3 AND expires > $4
		ORDER BY first DESC, last LIMIT 1`
)

// ContactFor returns the answer stored for the most specific network that
// contains addr and has not expired; nil when there is none.
func (s *Store) ContactFor(ctx context.Context, addr netip.Addr) (answer []byte, err error) {
	if !addr.IsValid() {
		return nil, errors.New("look-up of an invalid address")
	}
	ip, shortest := mapped(addr)
	at := netip.PrefixFrom(ip, ip.BitLen())
	for at.Bits() >= shortest {
		block, err := s.blockBelow(ctx, at)
		if err != nil || !block.IsValid() {
			return nil, s.explain(err)
		}
		if !block.Contains(ip) {
			at = cover(ip, block.Addr())
			continue
		}
		err = s.reader.QueryRowContext(ctx, selectContact, addrKey(block.Addr()), block.Bits(), addrKey(ip), micros(s.now())).Scan(&answer)
		if !errors.Is(err, sql.ErrNoRows) {
			return answer, s.explain(err)
		}
		if block.Bits() == 0 {
			break
		}
		at, _ = ip.Prefix(block.Bits() - 1) // fails for impossible lengths only
	}
	return nil, nil
}

// blockBelow returns the last block that is not after at, or the zero one.
func (s *Store) blockBelow(ctx context.Context, at netip.Prefix) (block netip.Prefix, err error) {
	var base []byte
	var bits int
	err = s.reader.QueryRowContext(ctx, selectBlock, addrKey(at.Addr()), at.Bits()).Scan(&base, &bits)
	if errors.Is(err, sql.ErrNoRows) {
		return block, nil
	}
	if err != nil {
		return block, err
	}
	a, ok := netip.AddrFromSlice(base)
	if !ok {
		return block, fmt.Errorf("address of %d bytes in the contact memory", len(base))
	}
	return netip.PrefixFrom(a, bits), nil
}

// mapped gives all addresses 128 bits, and says how short the prefixes of its
// family can be.
func mapped(addr netip.Addr) (ip netip.Addr, shortest int) {
	ip = netip.AddrFrom16(addr.As16())
	if ip.Is4In6() {
		shortest = 96
	}
	return ip, shortest
}

// PutContact stores the answer for a network, from its first to its last
// address, until expires. Networks may lie within others. What has expired is
// removed on the way.
func (s *Store) PutContact(ctx context.Context, first, last netip.Addr, expires time.Time, answer []byte) error {
	if !first.IsValid() || first.Unmap().BitLen() != last.Unmap().BitLen() || last.Unmap().Less(first.Unmap()) {
		return fmt.Errorf("%s to %s is no network", first, last)
	}
	from, _ := mapped(first)
	to, _ := mapped(last)
	block := cover(from, to)
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if _, err := tx.ExecContext(ctx, `DELETE FROM contacts WHERE expires <= $1`, micros(s.now())); err != nil {
			return none, err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO contacts (base, bits, first, last, expires, answer) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (base, bits, first, last) DO UPDATE SET expires = excluded.expires, answer = excluded.answer`,
			addrKey(block.Addr()), block.Bits(), addrKey(from), addrKey(to), micros(expires), blob(answer))
		return none, err
	})
	return err
}

// cover returns the longest prefix that contains both addresses.
func cover(a, b netip.Addr) netip.Prefix {
	bits := a.BitLen()
	for {
		p, _ := a.Prefix(bits) // length 0 contains all, so bits stays possible
		if p.Contains(b) {
			return p
		}
		bits--
	}
}
