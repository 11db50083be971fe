package common

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Limits are what a key is good for. What is absent limits nothing.
type Limits struct {
	Accounts []string  // ids or aliases
	Groups   []string  // names, or patterns with *
	Access   string    // ReadOnly, or "write" for everything
	Actions  []string  // names of operations
	NotAfter time.Time // from then on the key is refused
}

// ReadOnly is the Access of a key that reads.
const ReadOnly = "read"

// groupPattern has what a group in ECR may have, and *.
var groupPattern = regexp.MustCompile(`^[a-z0-9._*-]{1,256}$`)

// Expired tells whether the key was good only until then.
func (l Limits) Expired(now time.Time) bool {
	return !l.NotAfter.IsZero() && !now.Before(l.NotAfter)
}

// decode returns the keys of the configuration that it cannot decode. The key
// itself is between them.
func (l *Limits) decode(prefix string, document json.RawMessage, key *string) badKeys {
	bad, err := decodeObject(prefix, document, map[string]any{
		"key":      key,
		"accounts": (*someNames)(&l.Accounts),
		"groups":   (*someNames)(&l.Groups),
		"access":   (*accessName)(&l.Access),
		"actions":  (*someNames)(&l.Actions),
		"notAfter": (*moment)(&l.NotAfter),
	})
	if err != nil { // it begins like an object, and its syntax is checked already
		return badKeys{{key: prefix + "key", reason: "is missing"}}
	}
	return bad
}

// changedLimits returns which limits of keys in both differ.
func (k Keys) changedLimits(other Keys) (changed []string) {
	for _, key := range other {
		if before, had := k.named(key.Name); had {
			for _, limit := range before.Limits.changed(key.Limits) {
				changed = append(changed, "token."+key.Name+"."+limit+" changed")
			}
		}
	}
	return changed
}

// changed returns which limits differ, by their names in the configuration.
func (l *Limits) changed(other *Limits) []string {
	if l == nil {
		l = &Limits{}
	}
	if other == nil {
		other = &Limits{}
	}
	var names []string
	for name, differs := range map[string]bool{
		"accounts": !slices.Equal(l.Accounts, other.Accounts),
		"groups":   !slices.Equal(l.Groups, other.Groups),
		"access":   l.Access != other.Access,
		"actions":  !slices.Equal(l.Actions, other.Actions),
		"notAfter": !l.NotAfter.Equal(other.NotAfter),
	} {
		if differs {
			names = append(names, name)
		}
	}
	return names
}

// checkKeyLimits requires that each value means something.
func (c *Config) checkKeyLimits(k Key, check *checker) {
	if k.Limits == nil {
		return
	}
	each := func(list string, values []string, ok func(string) bool, reason string) {
		for i, value := range values {
			key := fmt.Sprintf("token.%s.%s[%d]", k.Name, list, i)
			check.require(key, ok(value), reason)
			check.require(key, !slices.Contains(values[:i], value), "is in the list already")
		}
	}
	if !check.undecoded.has("accounts") {
		each("accounts", k.Limits.Accounts, c.isAccount, c.accountKind())
	}
	each("groups", k.Limits.Groups, groupPattern.MatchString, "is neither a group nor a pattern of groups (lower-case letters, digits and . _ - *)")
	each("actions", k.Limits.Actions, func(name string) bool { return slices.Contains(check.operations, name) },
		"is not the name of an operation that needs a token; docs/configuration.md has them")
}

func (c *Config) isAccount(name string) bool {
	_, ok := c.AccountID(name)
	return ok
}

// accountKind says what is wrong with the name of an account.
func (c *Config) accountKind() string {
	if c.Accounts == nil {
		return "is not an account id (twelve digits); aliases need accounts"
	}
	return "is neither an alias nor an id in accounts"
}

var errWrongKind = errors.New("a value of another kind")

// someNames is a list that is not empty. An empty one, or null, might be meant
// to allow nothing, or everything.
type someNames []string

func (n *someNames) UnmarshalJSON(text []byte) error {
	var names []string
	if err := json.Unmarshal(text, &names); err != nil || len(names) == 0 {
		return errWrongKind
	}
	*n = names
	return nil
}

// accessName is "read" or "write".
type accessName string

func (a *accessName) UnmarshalJSON(text []byte) error {
	var name string
	if err := json.Unmarshal(text, &name); err != nil || name != ReadOnly && name != "write" {
		return errWrongKind
	}
	*a = accessName(name)
	return nil
}

// moment is a time as in RFC 3339.
type moment time.Time

func (m *moment) UnmarshalJSON(text []byte) error {
	t := (*time.Time)(m)
	if err := t.UnmarshalJSON(text); err != nil {
		return err
	}
	if t.IsZero() { // also null
		return errWrongKind
	}
	return nil
}
