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
	minCost = 4  // the lowest that bcrypt has
	maxCost = 16 // takes about four seconds
	maxOrg  = 64
	maxRole = 512 // characters, with the path

	minRequestTimeout = time.Second
	maxRequestTimeout = 29 * time.Second // less than drainTime in common/server
	maxShutdownDelay  = 5 * time.Minute
)

var (
	alias  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	region = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	// The rules of IAM and STS for a RoleName, here with an optional path, and
	// for an ExternalId.
	roleName   = regexp.MustCompile(`^([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
	// ECR allows "letters, numbers, spaces, and + - = . _ : / @". Here the
	// letters are ASCII, because a session policy may not accept others.
	tagValue = regexp.MustCompile(`^[A-Za-z0-9+=._:/@-]([A-Za-z0-9 +=._:/@-]*[A-Za-z0-9+=._:/@-])?$`)
)

func isAccountID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// checker collects the bad keys of a configuration.
type checker struct {
	undecoded  badKeys  // keys that could not be decoded, which are not checked again
	operations []string // that a key may be limited to
	bad        badKeys
}

// require adds the key and the reason unless ok.
func (c *checker) require(key string, ok bool, reason string) {
	parent, _, _ := strings.Cut(key, ".")
	if !ok && !c.undecoded.has(key) && !c.undecoded.has(parent) {
		c.bad = append(c.bad, badKey{key: key, reason: reason})
	}
}

// requireBoth adds the first of two keys if only one of them has a value.
func (c *checker) requireBoth(key, otherKey, value, otherValue string) {
	if !c.undecoded.has(otherKey) {
		c.require(key, (value == "") == (otherValue == ""), "goes with "+otherKey+": give both or neither")
	}
}

// check returns what is wrong with a decoded configuration, without the keys
// that could not be decoded.
func (c *Config) check(undecoded badKeys, operations []string) badKeys {
	check := &checker{undecoded: undecoded, operations: operations}
	_, _, err := net.SplitHostPort(c.ListenAddress)
	check.require("listenAddress", err == nil, `must be like ":8080" or "127.0.0.1:8080"`)
	check.require("pprofAddress", c.PprofAddress == "" || IsLoopback(c.PprofAddress), `must be on loopback, like "127.0.0.1:6060"`)
	c.Account.check(check)
	c.checkToken(check)
	check.requireBoth("tlsCertificate", "tlsKey", c.TLSCertificate, c.TLSKey)
	_, err = logrus.ParseLevel(c.LogLevel)
	check.require("logLevel", err == nil, "must be one of panic, fatal, error, warn, info, debug, trace")
	check.require("org", c.Org != "", "is missing")
	check.require("org", len(c.Org) <= maxOrg, fmt.Sprintf("is over %d characters", maxOrg))
	check.require("org", c.Org == "" || tagValue.MatchString(c.Org) && !strings.HasPrefix(c.Org, "aws:"),
		"cannot be the value of a tag (letters, digits, inner spaces and + - = . _ : / @)")
	c.checkAccounts(check)
	c.checkUsers(check)
	c.checkLimits(check)
	return check.bad
}

func (a *Account) check(check *checker) {
	check.require("account.region", a.Region != "", "is missing")
	check.require("account.region", a.Region == "" || region.MatchString(a.Region), `must be like "us-east-1"`)
	check.require("account.role", a.Role != "", "is missing")
	check.require("account.role", a.Role == "" || len(a.Role) <= maxRole && roleName.MatchString(a.Role), "is not a role name (letters, digits and + = , . @ _ - /)")
	check.require("account.externalId", a.ExternalID == "" || isExternalID(a.ExternalID),
		"is not an external id (2 to 1224 letters, digits and + = , . @ : / _ -)")
	check.requireBoth("account.akid", "account.secret", a.AKID, string(a.Secret))
	check.require("account.endpoint", a.Endpoint == "" || isHTTP(a.Endpoint),
		`must be like "http://127.0.0.1:4566", without a path, a query or a user`)
}

func (c *Config) checkAccounts(check *checker) {
	for _, name := range slices.Sorted(maps.Keys(c.Accounts)) {
		id, key := c.Accounts[name], "accounts."+name
		check.require(key, alias.MatchString(name), "is not an alias (1 to 64 letters, digits and . _ -)")
		check.require(key, isAccountID(id), "must be twelve digits")
		check.require(key, !isAccountID(name) || name == id, "is an account id, and cannot be the alias of another account")
	}
}

func (c *Config) checkLimits(check *checker) {
	check.require("requestTimeout", c.RequestTimeout >= minRequestTimeout && c.RequestTimeout <= maxRequestTimeout,
		fmt.Sprintf("must be %v to %v", minRequestTimeout, maxRequestTimeout))
	check.require("shutdownDelay", c.ShutdownDelay >= 0 && c.ShutdownDelay <= maxShutdownDelay,
		fmt.Sprintf("must be 0s to %v", maxShutdownDelay))
	check.require("maxInFlight", c.MaxInFlight > 0, "must be at least 1")
	check.require("maxInFlightPerAccount", c.MaxInFlightPerAccount > 0, "must be at least 1")
	check.require("maxConnections", c.MaxConnections >= 0, "must be at least 1, or 0 for as many as the process's files allow")
}

func isExternalID(s string) bool {
	return len(s) >= 2 && len(s) <= 1224 && externalID.MatchString(s)
}

// isHTTP tells whether an address is a scheme and a host, and nothing else.
func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

// AccountID returns the twelve digits of an account. Its name is these digits
// or an alias. It returns false if the configuration has no such account.
func (c *Config) AccountID(name string) (string, bool) {
	if c.Accounts == nil {
		return name, isAccountID(name)
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
