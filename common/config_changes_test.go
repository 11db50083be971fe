package common

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	noon := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		change func(*Config)
		want   Changes
	}{
		"none": {func(*Config) {}, Changes{}},
		"keys": {func(c *Config) { c.Token = Keys{{Name: "b", Secret: "2, changed"}, {Name: "c", Secret: "3"}} },
			Changes{Now: []string{"token.a removed", "token.b changed", "token.c added"}}},
		"limits": {func(c *Config) {
			c.Token[1].Limits = &Limits{Accounts: []string{"one"}, Groups: []string{"g"}, Access: "read", Actions: []string{"A"}, NotAfter: noon}
		},
			Changes{Now: []string{"token.b.access changed", "token.b.accounts changed", "token.b.actions changed", "token.b.groups changed", "token.b.notAfter changed"}}},
		"object without limits": {func(c *Config) { c.Token[1].Limits = &Limits{} }, Changes{}},
		"limits of a new key": {func(c *Config) { c.Token = append(c.Token, Key{"c", "3", &Limits{Access: "read"}}) },
			Changes{Now: []string{"token.c added"}}},
		"order of keys": {func(c *Config) { c.Token = Keys{{Name: "b", Secret: "2"}, {Name: "a", Secret: "1"}} }, Changes{}},
		"accounts": {func(c *Config) { c.Accounts = map[string]string{"two": "111111111111", "three": "210987654321"} },
			Changes{Now: []string{"accounts.one removed", "accounts.three added", "accounts.two changed"}}},
		"any account": {func(c *Config) { c.Accounts = nil },
			Changes{Now: []string{"accounts changed", "accounts.one removed", "accounts.two removed"}}},
		"both kinds": {func(c *Config) { c.Org, c.Account.Secret, c.LogLevel = "another", "another", "error" },
			Changes{Now: []string{"logLevel changed"}, NeedRestart: []string{"account", "org"}}},
	} {
		old := changesConfig()
		other := changesConfig()
		test.change(other)
		if diff := cmp.Diff(test.want, old.Changes(other)); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", name, diff)
		}
	}
}

func changesConfig() *Config {
	c := minimalConfig()
	c.Token = Keys{{Name: "a", Secret: "1"}, {Name: "b", Secret: "2"}}
	c.Accounts = map[string]string{"one": "012345678901", "two": "210987654321"}
	return c
}

// A key that neither list names could change without a word.
func TestChangesKnowEveryKey(t *testing.T) {
	t.Parallel()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		other := changesConfig()
		value := reflect.ValueOf(other).Elem().FieldByIndex(field.Index)
		switch v := value.Addr().Interface().(type) {
		case *Account:
			v.Role = "another"
		case *Users:
			v.Boundary = "another"
		case *Keys:
			(*v)[0].Secret = "another"
		case *map[string]string:
			*v = nil
		case *[]netip.Prefix:
			*v = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		case *string:
			*v += "x"
		default:
			value.SetInt(value.Int() + 1)
		}
		changes := changesConfig().Changes(other)
		named := slices.ContainsFunc(append(changes.Now, changes.NeedRestart...), func(name string) bool {
			key, _, _ := strings.Cut(name, " ")
			key, _, _ = strings.Cut(key, ".")
			return strings.EqualFold(key, field.Name)
		})
		if !named {
			t.Errorf("a change of %s is in neither list: %v", field.Name, changes)
		}
	}
}
