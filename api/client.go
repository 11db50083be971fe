package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

// unknownClient stands in the log for an address that cannot be read.
const unknownClient = "unknown"

// clientAddress returns the address that sent the request, as the log has it.
// It never holds a text that the caller wrote.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	client := clientOf(r, trusted)
	if !client.IsValid() {
		return unknownClient
	}
	return client.String()
}

// clientNetwork returns what counts as one client where clients share something.
func clientNetwork(r *http.Request, trusted []netip.Prefix) string {
	return common.NetworkOf(clientAddress(r, trusted))
}

// clientOf returns the address that sent the request. It trusts only the part
// of X-Forwarded-For that trusted proxies have written. From the end of that
// header, the first address that is not a trusted proxy is the client. If an
// entry is no address, the proxy that wrote it is the last that is known.
func clientOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client, ok := readAddress(r.RemoteAddr)
	if !ok || !isTrusted(client, trusted) {
		return client
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(forwarded) {
		address, ok := readAddress(strings.TrimSpace(hop))
		if !ok {
			break
		}
		client = address
		if !isTrusted(client, trusted) {
			break
		}
	}
	return client
}

// readAddress reads an address with or without a port. Some proxies write the
// port. It drops the zone, which can be any text, and which networks of the
// configuration do not have.
func readAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		var both netip.AddrPort
		both, err = netip.ParseAddrPort(text)
		address = both.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) })
}
