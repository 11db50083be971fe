package ecr

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Types of the scanning of a registry.
const (
	basicScanning    = "BASIC"
	enhancedScanning = "ENHANCED" // by Inspector
)

// When the images of a repository are scanned.
const (
	scanOnPush     = "SCAN_ON_PUSH"
	scanContinuous = "CONTINUOUS_SCAN"
	scanManual     = "MANUAL"
)

const (
	maxScanRules   = 2
	maxScanFilters = 100 // of a rule
	maxScanNames   = 25  // in one call
)

// registryScanning says how the images of a registry are scanned. The zero value
// is basic scanning without rules.
type registryScanning struct {
	Type  string     `json:"scanType"`
	Rules []scanRule `json:"rules"`
}

// scanRule is for the repositories that one of its filters matches.
type scanRule struct {
	Frequency string       `json:"scanFrequency"`
	Filters   []scanFilter `json:"repositoryFilters"`
}

type scanFilter struct {
	Filter string `json:"filter"`
	Type   string `json:"filterType"`
}

var scanFilterPattern = regexp.MustCompile(`^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$`)

func (c registryScanning) isEnhanced() bool { return c.Type == enhancedScanning }

// output returns the configuration with the values of what is not set.
func (c registryScanning) output() registryScanning {
	out := registryScanning{cmp.Or(c.Type, basicScanning), []scanRule{}} // JSON writes [] and not null
	out.Rules = append(out.Rules, c.Rules...)
	return out
}

func (c registryScanning) check() error {
	frequencies := []string{scanOnPush, scanManual}
	switch c.Type {
	case "", basicScanning:
	case enhancedScanning:
		frequencies = []string{scanOnPush, scanContinuous}
	default:
		return invalidParameter("scanType", "Member must satisfy enum value set: [BASIC, ENHANCED]")
	}
	if len(c.Rules) > maxScanRules {
		return invalidParameter("rules", "Member must have length less than or equal to 2")
	}
	for _, rule := range c.Rules {
		if !slices.Contains(frequencies, rule.Frequency) {
			return invalidParameter("scanFrequency", fmt.Sprintf("must be one of %s with the scanType %s",
				strings.Join(frequencies, ", "), cmp.Or(c.Type, basicScanning)))
		}
		if err := rule.checkFilters(); err != nil {
			return err
		}
	}
	return nil
}

func (r scanRule) checkFilters() error {
	const parameter = "repositoryFilters"
	switch {
	case r.Filters == nil:
		return invalidParameter(parameter, "must not be null")
	case len(r.Filters) > maxScanFilters:
		return invalidParameter(parameter, "Member must have length less than or equal to 100")
	}
	for _, f := range r.Filters {
		if f.Type != "WILDCARD" {
			return invalidParameter("filterType", "Member must satisfy enum value set: [WILDCARD]")
		}
		if len(f.Filter) > 255 || !scanFilterPattern.MatchString(f.Filter) {
			return invalidParameter("filter", "must satisfy regular expression '"+scanFilterPattern.String()+"'")
		}
	}
	return nil
}

// matches reports whether the filter is for a repository. Without a wildcard, it
// is for each name that contains it.
func (f scanFilter) matches(name string) bool {
	if !strings.Contains(f.Filter, "*") {
		return strings.Contains(name, f.Filter)
	}
	return matchWildcard(f.Filter, name)
}

// rule returns the rule for a repository, with the filters that match. A rule
// for continuous scanning comes first. Without one for the repository, its images
// are not scanned by themselves.
func (c registryScanning) rule(name string) scanRule {
	found := scanRule{scanManual, []scanFilter{}}
	for _, rule := range c.Rules {
		applied := slices.DeleteFunc(slices.Clone(rule.Filters), func(f scanFilter) bool { return !f.matches(name) })
		if len(applied) > 0 && found.Frequency != scanContinuous {
			found = scanRule{rule.Frequency, applied}
		}
	}
	return found
}

// scanRule returns the rule for the repository. With basic scanning, the setting
// of the repository counts too.
func (r *repository) scanRule() scanRule {
	rule := r.registry.scanning.rule(r.name)
	if r.scanOnPush && !r.registry.scanning.isEnhanced() {
		rule.Frequency = scanOnPush
	}
	return rule
}

// noRepository is for inputs about a whole registry.
type noRepository struct{}

func (noRepository) repository() string { return "" }

// needsOnAll is for an operation that needs the permission of its own name on
// "*": no policy can limit it to a part of the registry.
func needsOnAll[In input](c *service.Request, _ In) []service.Permission {
	return []service.Permission{{Action: "ecr:" + c.Operation, Resource: "*"}}
}

type getRegistryScanningInput struct{ noRepository }

func (getRegistryScanningInput) Check(*service.Request) error { return nil }

type getRegistryScanningOutput struct {
	RegistryID string           `json:"registryId"`
	Scanning   registryScanning `json:"scanningConfiguration"`
}

func (s *Store) getRegistryScanningConfiguration(c *service.Request, _ getRegistryScanningInput) (any, error) {
	return getRegistryScanningOutput{c.Account, s.registry(c.Place()).scanning.output()}, nil
}

type putRegistryScanningInput struct {
	noRepository
	registryScanning
}

func (in putRegistryScanningInput) Check(*service.Request) error { return in.check() }

type putRegistryScanningOutput struct {
	Scanning registryScanning `json:"registryScanningConfiguration"`
}

func (s *Store) putRegistryScanningConfiguration(c *service.Request, in putRegistryScanningInput) (any, error) {
	s.kept(c.Place()).scanning = in.registryScanning
	return putRegistryScanningOutput{in.output()}, nil
}

// SetScanning sets the type of the scanning of a registry directly: BASIC or
// ENHANCED. Enhanced scanning is continuous then, for all repositories.
func (s *Store) SetScanning(p service.Place, scanType string) error {
	scanning := registryScanning{Type: scanType}
	if scanning.isEnhanced() {
		scanning.Rules = []scanRule{{scanContinuous, []scanFilter{{"*", "WILDCARD"}}}}
	}
	if err := scanning.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept(p).scanning = scanning
	return nil
}
