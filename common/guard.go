package common

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// IsLoopback tells whether only this machine can reach an address.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// GuardLocal returns a handler for what only people and programs on this
// machine should use. Any web page could ask their browser to send requests to
// it. So it refuses requests from other pages, and requests whose Host is
// another name than one of this machine: the owner of that name could point it
// here. The hosts are further names by which it may be called.
func GuardLocal(next http.Handler, hosts ...string) http.Handler {
	next = GuardPages(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostName(r.Host)
		if !isLoopbackHost(host) && !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(hostName(h), host) }) {
			http.Error(w, fmt.Sprintf("This answers requests to localhost and loopback addresses, not to %.100q. With -local and -local-aws, -allow-hosts adds names.", host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// GuardPages returns a handler that refuses requests from other web pages, and
// lets every Host pass.
func GuardPages(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isCrossSite(r) || crossOrigin.Check(r) != nil {
			http.Error(w, "This answers no requests that another web page sends.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostName returns a host without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// isCrossSite tells whether a page of another site sends the request. A link in
// such a page may lead here, because the page cannot read what the link shows.
// https://www.w3.org/TR/fetch-metadata/
func isCrossSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" &&
		(r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document")
}
