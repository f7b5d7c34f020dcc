package testnet

import (
	"encoding/json"
	"net/netip"

	"go4.org/netipx"
)

type object map[string]any

// RIPE builds an answer in the shape of rdap.db.ripe.net: the abuse role at
// resource level, its mailbox marked by type, a maintainer below it.
func RIPE(p netip.Prefix, name, abuse string) Network {
	role := entity("AR1-RIPE", "Abuse role", []string{"abuse"},
		email(object{"type": "email"}, "noc@people.test"), email(object{"type": "abuse"}, abuse))
	role["entities"] = []object{entity("TEST-MNT", "TEST-MNT", []string{"registrant"}, email(object{}, "mnt@people.test"))}
	return network(p, name, "whois.ripe.net", "ASSIGNED PA", role,
		entity("ORG-T1-RIPE", "Test holder", []string{"registrant"}, email(object{"type": "email"}, "office@people.test")))
}

// ARIN builds an answer in the shape of rdap.arin.net: the abuse contact nested
// in the registrant, among others.
func ARIN(p netip.Prefix, name, abuse string) Network {
	holder := entity("TEST-1", "Test holder", []string{"registrant"})
	holder["entities"] = []object{
		entity("TECH1-ARIN", "Tech", []string{"technical"}, email(object{}, "tech@people.test")),
		entity("ABUSE1-ARIN", "Abuse", []string{"abuse"}, email(object{}, abuse)),
	}
	return network(p, name, "whois.arin.net", "DIRECT ALLOCATION", holder)
}

// APNIC builds an answer in the shape of rdap.apnic.net: an incident response
// team whose mailbox is marked by pref, after an address that is not.
func APNIC(p netip.Prefix, name, abuse string) Network {
	return network(p, name, "whois.apnic.net", "ALLOCATED PORTABLE", irt("IRT-TEST-AP", abuse),
		entity("TT1-AP", "Test team", []string{"technical", "administrative"}, email(object{}, "tech@people.test")))
}

// LACNIC builds an answer in the shape of rdap.lacnic.net: one person in
// several roles at resource level.
func LACNIC(p netip.Prefix, name, abuse string) Network {
	return network(p, name, "whois.lacnic.net", "allocated",
		entity("TST1", "Test person", []string{"administrative", "technical", "abuse"}, email(object{}, abuse)),
		entity("MX-TEST-LACNIC", name, []string{"registrant"}))
}

// AFRINIC builds an answer in the shape of rdap.afrinic.net with an incident
// response team; without an abuse address, one without any abuse role.
func AFRINIC(p netip.Prefix, name, abuse string) Network {
	tech := entity("TT1-AFRINIC", "Test team", []string{"technical"}, email(object{"type": "work"}, "tech@people.test"))
	if abuse == "" {
		return network(p, name, "whois.afrinic.net", "ASSIGNED PI", tech)
	}
	return network(p, name, "whois.afrinic.net", "ASSIGNED PI", tech, irt("IRT-TEST-AFRINIC", abuse))
}

func irt(handle, abuse string) object {
	return entity(handle, handle, []string{"abuse"},
		email(object{}, "hostmaster@people.test"), email(object{"pref": "1"}, abuse))
}

func network(p netip.Prefix, name, port43, kind string, entities ...object) Network {
	p = p.Masked()
	r := netipx.RangeOfPrefix(p)
	version := "v4"
	if p.Addr().Is6() {
		version = "v6"
	}
	body, err := json.MarshalIndent(object{
		"rdapConformance": []string{"rdap_level_0"},
		"objectClassName": "ip network", "ipVersion": version,
		"handle": p.String(), "name": name, "type": kind, "country": "ZZ",
		"startAddress": r.From(), "endAddress": r.To(),
		"entities": entities, "port43": port43,
	}, "", " ")
	if err != nil {
		panic(err) // strings, maps and slices always encode
	}
	return Network{Prefix: p, Body: body}
}

// entity builds a contact with a jCard (RFC 7095).
func entity(handle, name string, roles []string, emails ...[]any) object {
	card := [][]any{
		{"version", object{}, "text", "4.0"},
		{"fn", object{}, "text", name},
	}
	return object{
		"objectClassName": "entity", "handle": handle, "roles": roles,
		"vcardArray": []any{"vcard", append(card, emails...)},
	}
}

func email(params object, address string) []any { return []any{"email", params, "text", address} }
