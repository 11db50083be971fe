package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// mutability says which tags of images can move, and which are excluded from
// that.
type mutability struct {
	Mode       string
	Exclusions string // patterns, sorted and with spaces between them: AWS has them in any order
}

func (m mutability) String() string { return strings.TrimSpace(m.Mode + " " + m.Exclusions) }

func newMutability(mode string, patterns []string) mutability {
	return mutability{mode, joinSet(patterns)}
}

// joinSet returns a list in which neither order nor repetition matters as text.
func joinSet(list []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), " ")
}

// withExclusion tells whether the mode needs patterns.
func (m mutability) withExclusion() bool { return strings.HasSuffix(m.Mode, "_WITH_EXCLUSION") }

// settings are what a create or an update sends. A nil field is not sent.
type settings struct {
	scan       *bool
	mutability *mutability
	tags       map[string]string
	groups     *string // as joinSet writes them
}

// parts returns the parts that the settings change.
func (c settings) parts() []string {
	var list []string
	if c.scan != nil {
		list = append(list, partScan)
	}
	if c.mutability != nil {
		list = append(list, partMutability)
	}
	if len(c.tags) > 0 {
		list = append(list, partTags)
	}
	if c.groups != nil {
		list = append(list, partGroups)
	}
	return list
}

// with returns the state after these parts of the settings are applied.
func (s state) with(c settings, parts ...string) state {
	for _, part := range parts {
		switch part {
		case partScan:
			s.Scan = *c.scan
		case partMutability:
			s.Mutability = *c.mutability
		case partTags:
			s.Tags = mergeTags(s.Tags, c.tags)
		case partGroups:
			s.Sharing = s.Sharing.with(share{groups: c.groups})
		}
	}
	return s
}

// mergeTags adds tags to present, which is "" or an earlier result of
// mergeTags.
func mergeTags(present string, more map[string]string) string {
	tags := map[string]string{}
	if present != "" {
		json.Unmarshal([]byte(present), &tags) // decodes what this function encoded
	}
	maps.Copy(tags, more)
	merged, _ := json.Marshal(tags) // sorts the keys, and does not fail for strings
	return string(merged)
}

// newSettings sets each part with that probability.
func newSettings(random *rand.Rand, id string, probability float64) settings {
	var c settings
	if random.Float64() < probability {
		on := random.IntN(2) == 0
		c.scan = &on
	}
	if random.Float64() < probability {
		c.mutability = chooseMutability(random)
	}
	if random.Float64() < probability {
		c.tags = map[string]string{}
		for _, key := range []string{"By", "Application", "Stage", "CostCentre"} {
			if random.IntN(2) == 0 {
				c.tags[key] = id
			}
		}
	}
	if random.Float64() < probability/4 {
		c.groups = chooseGroups(random)
	}
	return c
}

func chooseMutability(random *rand.Rand) *mutability {
	m := mutability{Mode: []string{"MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"}[random.IntN(4)]}
	if m.withExclusion() {
		m.Exclusions = joinSet(choosePatterns(random))
	}
	return &m
}

func newCreate(random *rand.Rand, r *repository, id string) operation {
	c := newSettings(random, id, 0.7)
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	c.tags["By"] = id
	withoutGroups := c
	withoutGroups.groups = nil
	made := state{Exists: true, Mutability: mutability{Mode: "MUTABLE"}}.with(c, withoutGroups.parts()...)
	made.Tags = mergeTags(made.Tags, map[string]string{"Name": r.fullName(), "spinup:org": org, "spinup:spaceid": r.group})
	return operation{kind: create, settings: c, created: made}
}

// requestBody is the body of a create or an update.
type requestBody struct {
	RepositoryName                     string    `json:",omitempty"`
	ScanOnPush                         string    `json:",omitempty"`
	ImageTagMutability                 string    `json:",omitempty"`
	ImageTagMutabilityExclusionFilters []string  `json:",omitempty"`
	Tags                               []tag     `json:",omitempty"`
	Groups                             *[]string `json:",omitempty"`
}

type tag struct{ Key, Value string }

func (c settings) requestBody(name string) requestBody {
	body := requestBody{RepositoryName: name}
	if c.scan != nil {
		body.ScanOnPush = fmt.Sprint(*c.scan)
	}
	if c.mutability != nil {
		body.ImageTagMutability = c.mutability.Mode
		body.ImageTagMutabilityExclusionFilters = strings.Fields(c.mutability.Exclusions)
	}
	for key, value := range c.tags {
		body.Tags = append(body.Tags, tag{key, value})
	}
	if c.groups != nil {
		groups := append([]string{}, strings.Fields(*c.groups)...)
		body.Groups = &groups
	}
	return body
}
