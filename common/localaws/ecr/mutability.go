package ecr

import (
	"regexp"
	"slices"
	"strings"
)

// Modes of image tag mutability.
const (
	mutable                = "MUTABLE"
	immutable              = "IMMUTABLE"
	mutableWithExclusion   = "MUTABLE_WITH_EXCLUSION"
	immutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
)

// exclusion is a filter. The mode does not apply to the image tags that match.
type exclusion struct {
	Type   string `json:"filterType"`
	Filter string `json:"filter"`
}

// mutability says which image tags may move to another image.
type mutability struct {
	mode       string
	exclusions []exclusion
}

var exclusionPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

// Limits on exclusions: how many a repository may have, and how many * a filter.
const (
	maxExclusions         = 5
	maxExclusionWildcards = 2
)

func (m mutability) check() error {
	modes := []string{mutable, immutable, immutableWithExclusion, mutableWithExclusion}
	if !slices.Contains(modes, m.mode) {
		return invalidParameter("imageTagMutability", "Member must satisfy enum value set: ["+strings.Join(modes, ", ")+"]")
	}
	const filters = "imageTagMutabilityExclusionFilters"
	withExclusion := m.mode == mutableWithExclusion || m.mode == immutableWithExclusion
	switch {
	case withExclusion && len(m.exclusions) == 0:
		return invalidParameter(filters, "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "+m.mode)
	case !withExclusion && m.exclusions != nil:
		return invalidParameter(filters, "ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set to "+m.mode)
	case len(m.exclusions) > maxExclusions:
		return invalidParameter(filters, "Member must have length less than or equal to 5")
	}
	for _, e := range m.exclusions {
		if fault := e.fault(); fault != "" {
			return invalidParameter(filters, fault)
		}
	}
	return nil
}

// fault says what is wrong with a filter. It is empty if all is well.
func (e exclusion) fault() string {
	switch {
	case e.Type != "WILDCARD":
		return "Member must satisfy enum value set: [WILDCARD]"
	case !exclusionPattern.MatchString(e.Filter):
		return "must satisfy regular expression '" + exclusionPattern.String() + "'"
	case strings.Count(e.Filter, "*") > maxExclusionWildcards:
		return "a filter can have at most 2 wildcards"
	}
	return ""
}

// isFixed reports whether an image tag must stay with its image.
func (m mutability) isFixed(tag string) bool {
	switch m.mode {
	case immutable:
		return true
	case immutableWithExclusion:
		return !m.excludes(tag)
	case mutableWithExclusion:
		return m.excludes(tag)
	}
	return false
}

func (m mutability) excludes(tag string) bool {
	return slices.ContainsFunc(m.exclusions, func(e exclusion) bool {
		return matchWildcard(e.Filter, tag)
	})
}

// matchWildcard reports whether a text fits a filter, in which * stands for any
// characters.
func matchWildcard(filter, text string) bool {
	return wildcard(filter).MatchString(text)
}

// wildcard returns the expression of a filter, in which * stands for any
// characters.
func wildcard(filter string) *regexp.Regexp {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(filter), `\*`, ".*")
	return regexp.MustCompile("^" + pattern + "$")
}
