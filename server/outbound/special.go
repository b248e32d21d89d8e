package outbound

import "net/netip"

// public6 is what may be called of IPv6; of it and of IPv4 the specials are taken away.
// They are those of the registries of special-purpose addresses, RFC 6890 and its updates.
var public6 = netip.MustParsePrefix("2000::/3") // the one block of global unicast there is

var specials = []struct {
	block netip.Prefix
	why   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "for protocols"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relays"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"}, // broadcast too

	{netip.MustParsePrefix("2001::/23"), "for protocols"}, // Teredo, ORCHID, benchmarks
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4, which may lead to any IPv4 address"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
}

// special says what is special about an address, nothing if it is an ordinary
// public one. An address that holds an IPv4 address in some way other than the
// mapped one, which is unmapped before, is never ordinary.
func special(a netip.Addr) string {
	if a.Is6() && !public6.Contains(a) {
		return "no global unicast address"
	}
	for _, s := range specials {
		if s.block.Contains(a) {
			return s.why
		}
	}
	if !a.IsValid() {
		return "no address"
	}
	return ""
}
