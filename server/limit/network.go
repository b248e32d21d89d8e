package limit

import "net/netip"

// Network is what counts as one stranger: a machine in IPv4, and in IPv6 a whole
// /64, because one person has that many addresses.
func Network(a netip.Addr) netip.Prefix { return Networks(a)[0].Prefix }

// Around is a network, or one of those that it lies in: who has one address often
// has those beside it too.
type Around struct {
	netip.Prefix
	Times int // how many times as much as one network those in it may do together
}

// Networks returns the network of an address and those around it, from the
// narrowest to the widest: the machine and its /24 in IPv4; the /64, /56 and /48
// in IPv6, which are what providers give to one customer. Of no address it is one
// network, that of whoever has none.
func Networks(a netip.Addr) []Around {
	a = a.Unmap().WithZone("")
	around := func(bits, times int) Around {
		p, _ := a.Prefix(bits)
		return Around{p, times}
	}
	switch {
	case !a.IsValid():
		return []Around{{Times: 1}}
	case a.Is4():
		return []Around{around(32, 1), around(24, 4)}
	}
	return []Around{around(64, 1), around(56, 2), around(48, 4)}
}
