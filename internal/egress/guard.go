package egress

import "net/netip"

// class says whether an address may be connected to.
type class uint8

const (
	public  class = iota
	private       // only where the operator allows private addresses
	never         // nothing that we talk to lives there
)

// special lists the ranges that are not public, most specific first within a
// class (IANA special-purpose address registries; RFC 6890 and its updates).
var special = []struct {
	prefix netip.Prefix
	class  class
	name   string
}{
	// Metadata services of clouds give out credentials of the machine. Some
	// live in ranges that are otherwise private.
	{netip.MustParsePrefix("169.254.0.0/16"), never, "link-local"}, // 169.254.169.254
	{netip.MustParsePrefix("100.100.100.200/32"), never, "metadata"},
	{netip.MustParsePrefix("fd00:ec2::/32"), never, "metadata"},
	{netip.MustParsePrefix("fd20:ce::254/128"), never, "metadata"},

	{netip.MustParsePrefix("127.0.0.0/8"), private, "loopback"},
	{netip.MustParsePrefix("10.0.0.0/8"), private, "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), private, "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), private, "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), private, "shared (CGNAT)"},
	{netip.MustParsePrefix("::1/128"), private, "loopback"},
	{netip.MustParsePrefix("fc00::/7"), private, "unique local"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), private, "local translation (NAT64)"},

	{netip.MustParsePrefix("0.0.0.0/8"), never, "unspecified"},
	{netip.MustParsePrefix("192.0.0.0/24"), never, "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), never, "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), never, "reserved"},
	{netip.MustParsePrefix("198.18.0.0/15"), never, "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), never, "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), never, "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), never, "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), never, "reserved"},
	{netip.MustParsePrefix("::/128"), never, "unspecified"},
	{netip.MustParsePrefix("fe80::/10"), never, "link-local"},
	{netip.MustParsePrefix("fec0::/10"), never, "site-local"},
	{netip.MustParsePrefix("ff00::/8"), never, "multicast"},
	{netip.MustParsePrefix("100::/64"), never, "discard"},
	{netip.MustParsePrefix("2001::/23"), never, "reserved"}, // Teredo and other protocols
	{netip.MustParsePrefix("2001:db8::/32"), never, "documentation"},
	{netip.MustParsePrefix("3fff::/20"), never, "documentation"},
	{netip.MustParsePrefix("5f00::/16"), never, "reserved"},
}

// classify returns the class of an address and what kind of address it is.
func classify(addr netip.Addr) (class, string) {
	addr = addr.Unmap().WithZone("")
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.class, s.name
		}
	}
	if inner, ok := embedded(addr); ok {
		return classify(inner)
	}
	if !addr.IsValid() {
		return never, "unknown"
	}
	return public, "public"
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	compatible = netip.MustParsePrefix("::/96")        // RFC 4291 2.5.5.1
)

// embedded returns the IPv4 address that an IPv6 address stands for: a gateway
// would deliver to it.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return addr, false
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr), compatible.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214 6.1
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return addr, false
}
