package common

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Config is what the service is told at start. The README describes each key.
type Config struct {
	ListenAddress string
	Account       Account
	Token         Keys              // the pre-shared keys, in the clear; a token of any of them is good
	MaxTokenCost  int               // the highest bcrypt cost of a token that is looked at
	LogLevel      string            // one of logrus's levels
	Org           string            // the org whose repositories these are
	Accounts      map[string]string // alias to account id; nil: any account may be named

	RequestTimeout        time.Duration // of a request from its header on, all its AWS calls together
	ShutdownDelay         time.Duration // from not being ready any more to accepting no connection
	MaxInFlight           int           // requests being answered at once
	MaxInFlightPerAccount int           // of these for any one account

	PprofAddress   string         // of the profiler, on loopback; empty: there is none
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	TLSCertificate string         // file, PEM; with TLSKey, or both empty for plain HTTP
	TLSKey         string         // file, PEM
}

// Account is the service's own identity, and how it enters other accounts.
type Account struct {
	Region     string
	AKID       string // with Secret, or both empty for the SDK's default chain
	Secret     Secret
	ExternalID string
	Role       string // name of the role to assume in each account
	Endpoint   string // replaces the address of STS, ECR and IAM alike; empty: AWS's own
}

// LoadConfig reads the configuration from env, the value of API_CONFIG (JSON,
// or JSON in base64), or where that is empty from the file. The error names
// every key that is missing or wrong, and no value of a secret.
func LoadConfig(file, env string) (*Config, error) {
	if env != "" {
		return parseEnv(env)
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration (see -config, or set API_CONFIG): %w", err)
	}
	return named(file)(ParseConfig(document))
}

func parseEnv(env string) (*Config, error) {
	document := []byte(strings.TrimSpace(env))
	if !strings.HasPrefix(string(document), "{") {
		decoded, err := base64.StdEncoding.DecodeString(string(document))
		if err != nil {
			return nil, fmt.Errorf("API_CONFIG is neither a JSON object nor one in base64")
		}
		document = decoded
	}
	return named("API_CONFIG")(ParseConfig(document))
}

// named says of an error where the configuration came from.
func named(source string) func(*Config, error) (*Config, error) {
	return func(c *Config, err error) (*Config, error) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		return c, nil
	}
}

// Defaults returns a configuration of nothing but what holds for absent keys.
func Defaults() *Config {
	return &Config{
		ListenAddress:         ":8080",
		LogLevel:              "info",
		MaxTokenCost:          12,
		RequestTimeout:        25 * time.Second,
		MaxInFlight:           512,
		MaxInFlightPerAccount: 128,
	}
}

// ParseConfig reads a configuration from its JSON and checks it. The error
// names every bad key.
func ParseConfig(document []byte) (*Config, error) {
	c := Defaults()
	bad, err := c.decode(document)
	if err != nil {
		return nil, err
	}
	bad = append(bad, c.check(bad)...)
	if len(bad) > 0 {
		return nil, bad
	}
	return c, nil
}

// A badKey is a key of the configuration and what is wrong with it.
type badKey struct{ key, reason string }

// badKeys is an error that names each of them.
type badKeys []badKey

func (b badKeys) Error() string {
	lines := make([]string, len(b))
	for i, bad := range b {
		lines[i] = bad.key + " " + bad.reason
	}
	return "bad configuration: " + strings.Join(lines, "; ")
}

func (b badKeys) has(key string) bool {
	return slices.ContainsFunc(b, func(bad badKey) bool { return bad.key == key })
}

func (c *Config) decode(document []byte) (badKeys, error) {
	var account json.RawMessage
	bad, err := decodeObject("", document, map[string]any{
		"listenAddress":         &c.ListenAddress,
		"account":               &account,
		"token":                 &c.Token,
		"maxTokenCost":          &c.MaxTokenCost,
		"logLevel":              &c.LogLevel,
		"org":                   &c.Org,
		"accounts":              &c.Accounts,
		"requestTimeout":        (*duration)(&c.RequestTimeout),
		"shutdownDelay":         (*duration)(&c.ShutdownDelay),
		"maxInFlight":           &c.MaxInFlight,
		"maxInFlightPerAccount": &c.MaxInFlightPerAccount,
		"pprofAddress":          &c.PprofAddress,
		"trustedProxies":        &c.TrustedProxies,
		"tlsCertificate":        &c.TLSCertificate,
		"tlsKey":                &c.TLSKey,
	})
	if err != nil || account == nil {
		return bad, err
	}
	inner, err := decodeObject("account.", account, map[string]any{
		"region":     &c.Account.Region,
		"akid":       &c.Account.AKID,
		"secret":     (*string)(&c.Account.Secret),
		"externalId": &c.Account.ExternalID,
		"role":       &c.Account.Role,
		"endpoint":   &c.Account.Endpoint,
	})
	if err != nil {
		inner = badKeys{{"account", "must be an object"}}
	}
	return append(bad, inner...), nil
}

// decodeObject decodes a JSON object key by key, so that every bad key can be
// named and not only the first. The values of target are pointers. The error is
// that the document is no JSON object.
func decodeObject(prefix string, document []byte, target map[string]any) (badKeys, error) {
	if err := json.Unmarshal(document, &map[string]json.RawMessage{}); err != nil || string(bytes.TrimSpace(document)) == "null" {
		return nil, fmt.Errorf("not a JSON object%s", position(err))
	}
	var bad badKeys
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(document)) // of what is known to be an object
	d.Token()
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("not a JSON object%s", position(err))
		}
		key := name.(string)
		field, known := target[key]
		switch {
		case !known:
			bad = append(bad, badKey{prefix + key, "is not a known key"})
		case seen[key]:
			bad = append(bad, badKey{prefix + key, "is given twice"})
		case json.Unmarshal(value, field) != nil:
			bad = append(bad, badKey{prefix + key, "must be " + kindOf(field)})
		}
		seen[key] = true
	}
	slices.SortFunc(bad, func(a, b badKey) int { return strings.Compare(a.key, b.key) })
	return bad, nil
}

// position says where in a document the syntax is broken. It does not quote the
// document, which holds secrets.
func position(err error) string {
	if syntax, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf(" (broken at byte %d)", syntax.Offset)
	}
	return ""
}

func kindOf(field any) string {
	switch field.(type) {
	case *map[string]string:
		return "an object of strings"
	case *Keys:
		return "a string, or an object of strings with different names"
	case *int:
		return "a whole number"
	case *duration:
		return `a duration such as "25s"`
	case *[]netip.Prefix:
		return `an array of networks such as "10.0.0.0/8"`
	default:
		return "a string"
	}
}

// duration is a time.Duration that is written like "1m30s".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// NeedRestart returns the keys in which another configuration differs that take
// effect only at a start.
func (c *Config) NeedRestart(other *Config) []string {
	var keys []string
	for key, differs := range map[string]bool{
		"listenAddress":  c.ListenAddress != other.ListenAddress,
		"account":        c.Account != other.Account,
		"org":            c.Org != other.Org,
		"requestTimeout": c.RequestTimeout != other.RequestTimeout,
		"shutdownDelay":  c.ShutdownDelay != other.ShutdownDelay,
		"pprofAddress":   c.PprofAddress != other.PprofAddress,
		"tlsCertificate": c.TLSCertificate != other.TLSCertificate,
		"tlsKey":         c.TLSKey != other.TLSKey,
	} {
		if differs {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
