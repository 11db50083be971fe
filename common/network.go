package common

import "net/netip"

// NetworkOf returns what counts as one client: an IPv4 address, or the /64 of
// an IPv6 address, because a single host can use all addresses of its /64.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}
