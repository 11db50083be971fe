package common

import (
	"slices"
)

// Changes say how a configuration differs from the one in use. They have names
// and no values.
type Changes struct {
	Now         []string // what takes effect at once, such as "token.2026-11 added"
	NeedRestart []string // keys that take effect when the service starts
}

// Changes returns what is different in the other configuration.
func (c *Config) Changes(other *Config) Changes {
	now := changedNames("accounts", c.Accounts, other.Accounts)
	if (c.Accounts == nil) != (other.Accounts == nil) {
		now = append(now, "accounts changed")
	}
	now = append(now, changedNames("token", secrets(c.Token), secrets(other.Token))...)
	now = append(now, c.Token.changedLimits(other.Token)...)
	for key, differs := range map[string]bool{
		"maxTokenCost":          c.MaxTokenCost != other.MaxTokenCost,
		"logLevel":              c.LogLevel != other.LogLevel,
		"maxInFlight":           c.MaxInFlight != other.MaxInFlight,
		"maxInFlightPerAccount": c.MaxInFlightPerAccount != other.MaxInFlightPerAccount,
		"users":                 c.Users != other.Users,
		"trustedProxies":        !slices.Equal(c.TrustedProxies, other.TrustedProxies),
	} {
		if differs {
			now = append(now, key+" changed")
		}
	}
	slices.Sort(now)
	return Changes{Now: now, NeedRestart: c.NeedRestart(other)}
}

func secrets(keys Keys) map[string]Secret {
	byName := map[string]Secret{}
	for _, k := range keys {
		byName[k.Name] = k.Secret
	}
	return byName
}

// changedNames returns what became of the names of an object.
func changedNames[V comparable](object string, old, current map[string]V) []string {
	var changed []string
	for name, value := range current {
		switch before, had := old[name]; {
		case !had:
			changed = append(changed, object+"."+name+" added")
		case before != value:
			changed = append(changed, object+"."+name+" changed")
		}
	}
	for name := range old {
		if _, has := current[name]; !has {
			changed = append(changed, object+"."+name+" removed")
		}
	}
	return changed
}
