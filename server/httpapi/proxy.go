package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are networks in which reverse proxies of the site stand: they alone are
// believed for whom they ask.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks. One that holds all addresses is
// refused: then anybody could say anything.
func ParseProxies(list []string) (p Proxies, err error) {
	for _, s := range list {
		net, err := netip.ParsePrefix(s)
		if a, other := netip.ParseAddr(s); other == nil {
			net, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil || strings.Contains(s, "%") || net.Addr().Is4In6():
			return nil, fmt.Errorf("%q is no address and no network of the form 10.0.0.0/24", s)
		case net.Bits() == 0:
			return nil, fmt.Errorf("%s is everybody: name the proxies alone", s)
		}
		p = append(p, net.Masked())
	}
	return p, nil
}

// Has reports whether a proxy has an address.
func (p Proxies) Has(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, net := range p {
		if net.Contains(a) {
			return true
		}
	}
	return false
}

// forwardedFor is what proxies write from whom a request came into, each behind
// what it found there. RFC 7239 has a header of its own for it, which is not read:
// a proxy that knows one of the two lets the other pass as a stranger wrote it.
const forwardedFor = "X-Forwarded-For"

// client is from whom a request comes: the peer, or if that is a proxy, whoever
// the last proxy in the chain has seen. What stands before that, anybody may have
// written.
func (p Proxies) client(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := ap.Addr()
	if !p.Has(from) {
		return from
	}
	list := strings.Join(r.Header.Values(forwardedFor), ",")
	for more := true; more; {
		said := list
		i := strings.LastIndexByte(list, ',')
		if more = i >= 0; more {
			list, said = list[:i], list[i+1:]
		}
		next, ok := parseForwarded(strings.TrimSpace(said))
		if !ok {
			return from // a proxy that does not say: it counts itself
		}
		if from = next; !p.Has(from) {
			return from
		}
	}
	return from
}

// parseForwarded reads an address, which some proxies give with a port.
func parseForwarded(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
