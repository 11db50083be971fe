package api

import (
	"fmt"
	"math"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/prometheus/client_golang/prometheus"
)

// The limits of a key, as the configuration, the log and the metrics name them.
const (
	limitAccounts = "accounts"
	limitGroups   = "groups"
	limitAccess   = "access"
	limitActions  = "actions"
	limitNotAfter = "notAfter"
)

// maxToldNames is how many names a caller is told of the limits of its key.
const maxToldNames = 5

// Operations returns the names of the operations that a key may be limited to.
func Operations() []string {
	var names []string
	for _, rt := range routes {
		if !rt.Public {
			names = append(names, rt.Name)
		}
	}
	return names
}

// reads tells whether a key that only reads may call the row. Somebody who gets
// access can do more than read.
func (rt route) reads() bool { return rt.Method == http.MethodGet && rt.Access == nil }

// checkTime refuses a key that has expired. A request that begins before that
// goes on to its end.
func (s *Service) checkTime(rec *record) error {
	l := rec.limits
	if l == nil || !l.Expired(rec.start) {
		return nil
	}
	return s.outside(rec, limitNotAfter, "Your key was good until %s. Ask whoever runs the service for another.", l.NotAfter.UTC().Format(time.RFC3339))
}

// checkAccount refuses the accounts that the key is not good for. It comes
// before every other check of the path. Otherwise the answers would tell which
// accounts and aliases there are: the path of an unknown account has no id yet.
func (s *Service) checkAccount(rec *record) error {
	l, c := rec.limits, rec.settings.config
	if l == nil || l.Accounts == nil {
		return nil
	}
	for _, name := range l.Accounts {
		if id, ok := c.AccountID(name); ok && id == rec.path.Account {
			return nil
		}
	}
	return s.outside(rec, limitAccounts, "Your key is good for these accounts only: %s.", someOf(l.Accounts))
}

// checkRow refuses the groups and operations that the key is not good for.
func (s *Service) checkRow(rt route, rec *record) error {
	l, group := rec.limits, rec.path.Group
	switch {
	case l == nil:
	case l.Access == common.ReadOnly && !rt.reads():
		return s.outside(rec, limitAccess, "Your key only reads: it is good for GET and HEAD.")
	case l.Actions != nil && !slices.Contains(l.Actions, rt.Name):
		return s.outside(rec, limitActions, "Your key is good for these operations only: %s. This is %s.", someOf(l.Actions), rt.Name)
	case l.Groups != nil && group == "":
		return s.outside(rec, limitGroups, "Your key is good for these groups only: %s. A list of the whole account needs a key without such a limit.", someOf(l.Groups))
	case l.Groups != nil && !slices.ContainsFunc(l.Groups, func(pattern string) bool { return matchesGroup(pattern, group) }):
		return s.outside(rec, limitGroups, "Your key is good for these groups only: %s.", someOf(l.Groups))
	}
	return nil
}

// matchesGroup tells whether the whole name of a group matches, letter by
// letter.
func matchesGroup(pattern, group string) bool {
	matches, err := path.Match(pattern, group) // a group has no slash
	return err == nil && matches
}

// outside notes for the log and the metrics which limit it is, and returns the
// answer. The caller may know the limits of its own key.
func (s *Service) outside(rec *record, limit, sentence string, told ...any) error {
	rec.limit = limit
	rec.settings.refusals[rec.key][limit].Inc()
	return common.Errorf(common.KeyLimited, sentence, told...)
}

// someOf returns the first of the names.
func someOf(names []string) string {
	if more := len(names) - maxToldNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxToldNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// keyLimits are the limits of a key.
var keyLimits = []string{limitAccounts, limitGroups, limitAccess, limitActions, limitNotAfter}

// refusals count the requests outside the limits of keys, by key and limit. A
// request that began before a reload counts with those of its settings. So it
// brings back no series of a key that is gone.
type refusals map[string]map[string]prometheus.Counter

// countKeys makes the series of all keys, and removes those of keys that are
// gone.
func (m *measures) countKeys(old, keys common.Keys) refusals {
	for _, k := range old {
		if !slices.ContainsFunc(keys, func(other common.Key) bool { return other.Name == k.Name }) {
			m.keyRefusals.DeletePartialMatch(map[string]string{"key": k.Name})
			m.keyNotAfter.DeleteLabelValues(k.Name)
		}
	}
	counted := refusals{}
	for _, k := range keys {
		counted[k.Name] = map[string]prometheus.Counter{}
		for _, limit := range keyLimits {
			counted[k.Name][limit] = m.keyRefusals.WithLabelValues(k.Name, limit)
		}
		m.keyNotAfter.WithLabelValues(k.Name).Set(endOf(k))
	}
	return counted
}

// endOf returns when a key ends, in seconds of Unix time. One without an end never
// does.
func endOf(k common.Key) float64 {
	if k.Limits == nil || k.Limits.NotAfter.IsZero() {
		return math.Inf(1)
	}
	return float64(k.Limits.NotAfter.UnixMilli()) / 1000
}
