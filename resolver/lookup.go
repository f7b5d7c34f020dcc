package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// The functions here have the shape of net.Resolver's, for the libraries that
// take one. Where there is nothing they return a *net.DNSError with IsNotFound.

// LookupTXT returns the text of each TXT record, its strings joined.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.find(ctx, name, dns.TypeTXT)
	return a.TXT(), err
}

// LookupMX returns the MX records by preference. A null MX (RFC 7505) is there
// as the host ".". Records that name no host are left out and reported as an
// error beside the others.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := r.find(ctx, name, dns.TypeMX)
	hosts := a.MX()
	if err == nil && len(hosts) < len(a.Records) {
		err = invalidNames(a)
	}
	return hosts, err
}

// LookupAddr returns the names that the reverse zone gives an address; they say
// nothing before LookupNetIP confirms them. Records that name no host are left
// out and reported as an error beside the others.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	reverse, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, permanent(question{name: addr}, "", fmt.Errorf("not an IP address: %w", err))
	}
	a, err := r.find(ctx, reverse, dns.TypePTR)
	names := a.PTR()
	if err == nil && len(names) < len(a.Records) {
		err = invalidNames(a)
	}
	return names, err
}

// LookupNetIP returns the addresses of a host; network is "ip", "ip4" or "ip6".
// Where "ip" gets an answer for one family only, it returns both what it knows
// and the error: to find an address missing proves nothing then.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	switch network {
	case "ip4":
		a, err := r.find(ctx, host, dns.TypeA)
		return a.Addrs(), err
	case "ip6":
		a, err := r.find(ctx, host, dns.TypeAAAA)
		return a.Addrs(), err
	case "ip":
		return r.lookupBoth(ctx, host)
	}
	return nil, permanent(question{name: host}, "", fmt.Errorf("network %q is none of ip, ip4, ip6", network))
}

func (r *Resolver) lookupBoth(ctx context.Context, host string) ([]netip.Addr, error) {
	var v6 Answer
	var err6 error
	done := make(chan struct{})
	go func() {
		defer close(done)
		v6, err6 = r.find(ctx, host, dns.TypeAAAA)
	}()
	v4, err4 := r.find(ctx, host, dns.TypeA)
	<-done
	addrs := append(v4.Addrs(), v6.Addrs()...)
	for _, err := range []error{err4, err6} {
		if err != nil && !isNotFound(err) {
			return addrs, err
		}
	}
	if len(addrs) == 0 {
		return nil, err4
	}
	return addrs, nil
}

// LookupIPAddr is LookupNetIP for both families in net's older types, which SPF
// libraries ask for.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	var ips []net.IPAddr
	for _, a := range addrs {
		ips = append(ips, net.IPAddr{IP: a.AsSlice()})
	}
	return ips, err
}

// find is Query with an error for an answer without records.
func (r *Resolver) find(ctx context.Context, name string, qtype uint16) (Answer, error) {
	a, err := r.Query(ctx, name, qtype)
	if err == nil && len(a.Records) == 0 {
		return a, notFound(a)
	}
	return a, err
}

func isNotFound(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.IsNotFound
}

func invalidNames(a Answer) *net.DNSError {
	return permanent(question{name: a.Name}, a.Server, errors.New("records that name no host were left out"))
}
