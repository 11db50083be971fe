package common

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	maxTokenBytes = 72 // bcrypt reads no further
	maxKeys       = 8
	minCost       = 4  // bcrypt's own
	maxCost       = 16 // four seconds of a core
	maxOrg        = 64
	maxRole       = 512 // with its path

	minRequestTimeout = time.Second
	maxRequestTimeout = 29 * time.Second // requests under way at the end get 30
	maxShutdownDelay  = 5 * time.Minute
)

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
	alias     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	region    = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	// IAM and STS: RoleName with an optional path, ExternalId.
	roleName   = regexp.MustCompile(`^([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
	// ECR: "letters, numbers, spaces, and + - = . _ : / @". Kept to ASCII, which
	// is all that a session policy can hold for sure.
	tagValue = regexp.MustCompile(`^[A-Za-z0-9+=._:/@-]([A-Za-z0-9 +=._:/@-]*[A-Za-z0-9+=._:/@-])?$`)
)

// IsAccountID tells whether s has the form of an AWS account id.
func IsAccountID(s string) bool { return accountID.MatchString(s) }

// checker gathers what is wrong with a configuration.
type checker struct {
	known badKeys // could not be decoded: nothing more is said of these
	bad   badKeys
}

// require notes the key with the reason unless ok.
func (c *checker) require(key string, ok bool, reason string) {
	parent, _, _ := strings.Cut(key, ".")
	if !ok && !c.known.has(key) && !c.known.has(parent) {
		c.bad = append(c.bad, badKey{key, reason})
	}
}

// requireBoth notes the first of two keys that go together.
func (c *checker) requireBoth(first, second, a, b string) {
	if !c.known.has(second) {
		c.require(first, (a == "") == (b == ""), "goes with "+second+": give both or neither")
	}
}

// check returns what is wrong with a decoded configuration, except for the keys
// that are known to be bad already.
func (c *Config) check(known badKeys) badKeys {
	check := &checker{known: known}
	_, _, err := net.SplitHostPort(c.ListenAddress)
	check.require("listenAddress", err == nil, `must be like ":8080" or "127.0.0.1:8080"`)
	check.require("pprofAddress", c.PprofAddress == "" || isLoopback(c.PprofAddress), `must be on loopback, like "127.0.0.1:6060"`)
	c.Account.check(check)
	c.checkToken(check)
	check.requireBoth("tlsCertificate", "tlsKey", c.TLSCertificate, c.TLSKey)
	_, err = logrus.ParseLevel(c.LogLevel)
	check.require("logLevel", err == nil, "must be one of panic, fatal, error, warn, info, debug, trace")
	check.require("org", c.Org != "", "is missing")
	check.require("org", len(c.Org) <= maxOrg, fmt.Sprintf("is over %d characters", maxOrg))
	check.require("org", c.Org == "" || tagValue.MatchString(c.Org) && !strings.HasPrefix(c.Org, "aws:"),
		"is not fit for a tag (letters, digits, inner spaces and + - = . _ : / @)")
	c.checkAccounts(check)
	c.checkLimits(check)
	return check.bad
}

func (c *Config) checkToken(check *checker) {
	check.require("token", len(c.Token) > 0, "is missing")
	check.require("token", len(c.Token) <= maxKeys, fmt.Sprintf("has more than %d keys, and a wrong token costs a comparison with each", maxKeys))
	for _, k := range c.Token {
		key := "token"
		if k.Name != "default" {
			key += "." + k.Name
		}
		if !alias.MatchString(k.Name) { // not quoted: it might be the key itself
			check.require("token", false, "has a name that is none (1 to 64 letters, digits and . _ -)")
			continue
		}
		check.require(key, k.Secret != "", "is missing")
		check.require(key, len(k.Secret) <= maxTokenBytes, fmt.Sprintf("is over %d bytes, of which bcrypt would ignore the rest", maxTokenBytes))
		check.require(key, !strings.Contains(string(k.Secret), "\x00"), "holds a NUL byte, which bcrypt cannot compare")
	}
	check.require("maxTokenCost", c.MaxTokenCost >= minCost && c.MaxTokenCost <= maxCost, fmt.Sprintf("must be %d to %d", minCost, maxCost))
}

func (a *Account) check(check *checker) {
	check.require("account.region", a.Region != "", "is missing")
	check.require("account.region", a.Region == "" || region.MatchString(a.Region), `must be like "us-east-1"`)
	check.require("account.role", a.Role != "", "is missing")
	check.require("account.role", a.Role == "" || len(a.Role) <= maxRole && roleName.MatchString(a.Role), "is no role name (letters, digits and + = , . @ _ - /)")
	check.require("account.externalId", a.ExternalID == "" || isExternalID(a.ExternalID),
		"is no external id (2 to 1224 letters, digits and + = , . @ : / _ -)")
	check.requireBoth("account.akid", "account.secret", a.AKID, string(a.Secret))
	check.require("account.endpoint", a.Endpoint == "" || isHTTP(a.Endpoint), `must be like "http://127.0.0.1:4566"`)
}

func (c *Config) checkAccounts(check *checker) {
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		id, key := c.Accounts[name], "accounts."+name
		check.require(key, alias.MatchString(name), "is no alias (1 to 64 letters, digits and . _ -)")
		check.require(key, IsAccountID(id), "must be twelve digits")
		check.require(key, !IsAccountID(name) || name == id, "is itself an account id, and another")
	}
}

func (c *Config) checkLimits(check *checker) {
	check.require("requestTimeout", c.RequestTimeout >= minRequestTimeout && c.RequestTimeout <= maxRequestTimeout,
		fmt.Sprintf("must be %v to %v", minRequestTimeout, maxRequestTimeout))
	check.require("shutdownDelay", c.ShutdownDelay >= 0 && c.ShutdownDelay <= maxShutdownDelay,
		fmt.Sprintf("must be 0s to %v", maxShutdownDelay))
	check.require("maxInFlight", c.MaxInFlight > 0, "must be at least 1")
	check.require("maxInFlightPerAccount", c.MaxInFlightPerAccount > 0, "must be at least 1")
}

// isLoopback tells whether an address to listen on is this machine's own alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func isExternalID(s string) bool {
	return len(s) >= 2 && len(s) <= 1224 && externalID.MatchString(s)
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// AccountID returns the twelve digits of the account that a caller named by
// them or by an alias, and false where the configuration knows no such account.
func (c *Config) AccountID(name string) (string, bool) {
	if c.Accounts == nil {
		return name, IsAccountID(name)
	}
	if id, ok := c.Accounts[name]; ok {
		return id, true
	}
	for _, id := range c.Accounts {
		if id == name {
			return id, true
		}
	}
	return "", false
}
