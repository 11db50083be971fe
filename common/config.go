package common

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Config is the configuration of the service.
type Config struct {
	ListenAddress string
	Account       Account
	Token         Keys              // pre-shared keys in plain text; a token of any key is valid
	MaxTokenCost  int               // tokens with a higher bcrypt cost are refused
	LogLevel      string            // one of logrus's levels
	Org           string            // the org that owns the repositories
	Accounts      map[string]string // account ids by alias; nil allows any account
	Users         Users             // IAM users for machines outside AWS

	RequestTimeout        time.Duration // of a whole request, from the end of its header
	ShutdownDelay         time.Duration // how long connections are still accepted after SIGTERM
	MaxInFlight           int           // how many requests may be under way
	MaxInFlightPerAccount int           // how many of these may be for the same account
	MaxConnections        int           // how many connections callers may have; 0 chooses by the process's file limit

	PprofAddress   string         // where the profiler listens, on loopback; may be empty
	TrustedProxies []netip.Prefix // networks of proxies whose X-Forwarded-For is trusted
	TLSCertificate string         // name of a PEM file; needs TLSKey; both are empty for plain HTTP
	TLSKey         string         // name of a PEM file
}

// Account has the identity with which the service calls AWS, and the role that
// it assumes in each account.
type Account struct {
	Region     string
	AKID       string // needs Secret; if both are empty, the SDK looks for credentials
	Secret     Secret
	ExternalID string
	Role       string // name of the role to assume in each account
	Endpoint   string // URL of STS, ECR and IAM; empty for AWS's own
}

// LoadConfig reads the configuration from env, the value of API_CONFIG, which
// is JSON or JSON in base64. If env is empty, it reads the file. The operations
// are those that a key may be limited to. The error names every key that is
// missing or wrong. It contains no secret.
func LoadConfig(file, env string, operations []string) (*Config, error) {
	if env != "" {
		return parseEnv(env, operations)
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration (see -config, or set API_CONFIG): %w", err)
	}
	return parseFrom(file, document, operations)
}

func parseEnv(env string, operations []string) (*Config, error) {
	document := []byte(strings.TrimSpace(env))
	if !strings.HasPrefix(string(document), "{") {
		decoded, err := base64.StdEncoding.DecodeString(string(document))
		if err != nil {
			return nil, fmt.Errorf("API_CONFIG is neither a JSON object nor one in base64")
		}
		document = decoded
	}
	return parseFrom("API_CONFIG", document, operations)
}

// parseFrom is ParseConfig with an error that begins with the source of the
// document.
func parseFrom(source string, document []byte, operations []string) (*Config, error) {
	c, err := ParseConfig(document, operations)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return c, nil
}

// Defaults returns a configuration with the values of absent keys.
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

// ParseConfig reads a configuration from JSON and checks it. The operations are
// those that a key may be limited to. The error names every bad key.
func ParseConfig(document []byte, operations []string) (*Config, error) {
	c := Defaults()
	bad, err := c.decode(document)
	if err != nil {
		return nil, err
	}
	bad = append(bad, c.check(bad, operations)...)
	if len(bad) > 0 {
		return nil, bad.in(document)
	}
	return c, nil
}

// badKey is a key of the configuration, what is wrong with it, and where it is
// in the document, if it is there.
type badKey struct{ key, reason, position string }

const givenTwice = "is given twice"

// badKeys is an error that names every bad key.
type badKeys []badKey

func (b badKeys) Error() string {
	reasons := make([]string, len(b))
	for i, bad := range b {
		reasons[i] = bad.key + " " + bad.reason
		if bad.position != "" {
			reasons[i] = bad.key + " (" + bad.position + ") " + bad.reason
		}
	}
	return "bad configuration: " + strings.Join(reasons, "; ")
}

func (b badKeys) has(key string) bool {
	return slices.ContainsFunc(b, func(bad badKey) bool { return bad.key == key })
}

// in returns the bad keys with their positions in the document.
func (b badKeys) in(document []byte) badKeys {
	offsets := keyOffsets(document)
	placed := slices.Clone(b)
	for i, bad := range placed {
		at := offsets[bad.key]
		switch {
		case len(at) == 0:
		case bad.reason == givenTwice:
			placed[i].position = position(document, at[1])
		default:
			placed[i].position = position(document, at[0])
		}
	}
	return placed
}

// decode returns the keys that it cannot decode. It returns an error if the
// document is not a JSON object.
func (c *Config) decode(document []byte) (badKeys, error) {
	var account, accounts, token, users json.RawMessage
	bad, err := decodeObject("", document, map[string]any{
		"listenAddress":         &c.ListenAddress,
		"account":               &account,
		"token":                 &token,
		"maxTokenCost":          &c.MaxTokenCost,
		"logLevel":              &c.LogLevel,
		"org":                   &c.Org,
		"accounts":              &accounts,
		"users":                 &users,
		"requestTimeout":        (*duration)(&c.RequestTimeout),
		"shutdownDelay":         (*duration)(&c.ShutdownDelay),
		"maxInFlight":           &c.MaxInFlight,
		"maxInFlightPerAccount": &c.MaxInFlightPerAccount,
		"maxConnections":        &c.MaxConnections,
		"pprofAddress":          &c.PprofAddress,
		"trustedProxies":        &c.TrustedProxies,
		"tlsCertificate":        &c.TLSCertificate,
		"tlsKey":                &c.TLSKey,
	})
	if err != nil {
		return nil, err
	}
	return slices.Concat(bad, c.Account.decode(account), c.Token.decode(token), c.decodeAccounts(accounts), c.Users.decode(users)), nil
}

// decode returns the keys that it cannot decode. The document is nil if it is
// absent.
func (a *Account) decode(document json.RawMessage) badKeys {
	if document == nil {
		return nil
	}
	bad, err := decodeObject("account.", document, map[string]any{
		"region":     &a.Region,
		"akid":       &a.AKID,
		"secret":     (*string)(&a.Secret),
		"externalId": &a.ExternalID,
		"role":       &a.Role,
		"endpoint":   &a.Endpoint,
	})
	if err != nil {
		return badKeys{{key: "account", reason: "must be an object"}}
	}
	return bad
}

// decodeAccounts returns the names that are given twice. The document is nil if
// it is absent.
func (c *Config) decodeAccounts(document json.RawMessage) badKeys {
	if document == nil {
		return nil
	}
	if json.Unmarshal(document, &c.Accounts) != nil {
		return badKeys{{key: "accounts", reason: "must be an object of strings"}}
	}
	var bad badKeys
	offsets := keyOffsets(document)
	for _, name := range slices.Sorted(maps.Keys(offsets)) {
		if len(offsets[name]) > 1 {
			bad = append(bad, badKey{key: "accounts." + name, reason: givenTwice})
		}
	}
	return bad
}

// decodeObject decodes a JSON object key by key, to find every bad key and not
// only the first. The values of target are pointers. It returns an error if the
// document is not a JSON object.
func decodeObject(prefix string, document []byte, target map[string]any) (badKeys, error) {
	if err := json.Unmarshal(document, &map[string]json.RawMessage{}); err != nil || string(bytes.TrimSpace(document)) == "null" {
		return nil, fmt.Errorf("not a JSON object%s", brokenAt(document, err))
	}
	var bad badKeys
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(document))
	d.Token() // the opening brace: the document is an object, as was just checked
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("not a JSON object%s", brokenAt(document, err))
		}
		key := name.(string)
		field, known := target[key]
		switch {
		case !known:
			bad = append(bad, badKey{key: prefix + key, reason: "is not a known key"})
		case seen[key]:
			bad = append(bad, badKey{key: prefix + key, reason: givenTwice})
		case json.Unmarshal(value, field) != nil:
			bad = append(bad, badKey{key: prefix + key, reason: "must be " + kindOf(field)})
		}
		seen[key] = true
	}
	slices.SortFunc(bad, func(a, b badKey) int { return strings.Compare(a.key, b.key) })
	return bad, nil
}

// kindOf says which kind of value a field takes.
func kindOf(field any) string {
	switch field.(type) {
	case *someNames:
		return "a list of names, one at least"
	case *accessName:
		return "read or write"
	case *moment:
		return `a time such as "2027-01-01T00:00:00Z"`
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

// duration is a time.Duration that is written like "1m30s" in the
// configuration.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// NeedRestart returns the keys that differ in the other configuration and take
// effect only when the service starts.
func (c *Config) NeedRestart(other *Config) []string {
	var keys []string
	for key, differs := range map[string]bool{
		"listenAddress":  c.ListenAddress != other.ListenAddress,
		"account":        c.Account != other.Account,
		"org":            c.Org != other.Org,
		"requestTimeout": c.RequestTimeout != other.RequestTimeout,
		"shutdownDelay":  c.ShutdownDelay != other.ShutdownDelay,
		"maxConnections": c.MaxConnections != other.MaxConnections,
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
