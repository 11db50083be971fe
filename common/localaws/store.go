package localaws

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// registry holds the repositories of one account in one region.
type registry struct {
	repositories map[string]*repository
	names        index
}

// repository is a repository with its images.
type repository struct {
	name       string
	arn, uri   string
	account    string
	created    time.Time
	tags       map[string]string
	mutability mutability
	scanOnPush bool
	encryption encryption

	images  map[string]*image // by digest
	digests index
	tagged  map[string]*image // by image tag
}

// registry returns the registry of a place, an empty one where nothing has been made yet. The caller
// holds s.mu.
func (s *Server) registry(p place) *registry {
	r := s.registries[p]
	if r == nil {
		r = &registry{repositories: make(map[string]*repository)}
	}
	return r
}

// add puts a repository into the registry of a place. The caller holds s.mu.
func (s *Server) add(p place, r *repository) {
	to := s.registry(p)
	s.registries[p] = to
	to.repositories[r.name] = r
	to.names.add(r.name)
}

// find returns the repository that the call means. The caller holds s.mu.
func (s *Server) find(c *call, name string) (*repository, error) {
	r := s.registry(c.place()).repositories[name]
	if r == nil {
		return nil, fail("RepositoryNotFoundException",
			"The repository with name '%s' does not exist in the registry with id '%s'", name, c.Account)
	}
	return r, nil
}

// tagsOf returns the tags of a repository of the caller's account; one that does not exist has none.
// The caller holds s.mu.
func (s *Server) tagsOf(c *call, name string) map[string]string {
	r := s.registry(c.place()).repositories[name]
	if r == nil {
		return nil
	}
	return r.tags
}

// newRepository returns a repository as one is with nothing said about it.
func newRepository(p place, name string, created time.Time) *repository {
	in := region(p.region)
	return &repository{
		name:       name,
		arn:        in.repositoryARN(p.account, name),
		uri:        p.account + ".dkr.ecr." + p.region + "." + in.domain() + "/" + name,
		account:    p.account,
		created:    created,
		tags:       make(map[string]string),
		mutability: mutability{mode: mutable},
		encryption: encryption{Type: "AES256"},
		images:     make(map[string]*image),
		tagged:     make(map[string]*image),
	}
}

// index keeps names in order. It sorts only when somebody looks after something was added, so that
// adding many is cheap.
type index struct {
	names  []string
	sorted bool
}

func (x *index) add(name string) {
	last := len(x.names) - 1
	x.sorted = last < 0 || x.sorted && x.names[last] < name
	x.names = append(x.names, name)
}

func (x *index) remove(name string) {
	if i, found := slices.BinarySearch(x.all(), name); found {
		x.names = slices.Delete(x.names, i, i+1)
	}
}

// all returns the names in order.
func (x *index) all() []string {
	if !x.sorted {
		slices.Sort(x.names)
		x.sorted = true
	}
	return x.names
}

// from returns the names in order that are not less than first.
func (x *index) from(first string) []string {
	i, _ := slices.BinarySearch(x.all(), first)
	return x.names[i:]
}

// timestamp is a time as the JSON protocol writes it: seconds, with milliseconds as a fraction.
type timestamp time.Time

// MarshalJSON returns the number.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.RawMessage(strconv.FormatFloat(float64(time.Time(t).UnixMilli())/1000, 'f', -1, 64)), nil
}

// tag is a tag on the wire.
type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

func tagMap(tags []tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func tagList(tags map[string]string) []tag {
	list := make([]tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{Key: key, Value: tags[key]})
	}
	return list
}
