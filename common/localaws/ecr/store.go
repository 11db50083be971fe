package ecr

import (
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/layers"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// registry holds the repositories of one account in one region.
type registry struct {
	repositories map[string]*repository // by name
	names        index
	scanning     registryScanning
}

// repository is a repository with its images.
type repository struct {
	registry   *registry // that it is in
	name       string
	arn, uri   string
	account    string
	created    time.Time
	tags       map[string]string
	mutability mutability
	scanOnPush bool
	encryption encryption
	policy     *repositoryPolicy // nil if there is none
	lifecycle  *lifecycle        // nil if there is none
	preview    *preview          // the last one of a lifecycle policy, nil if there was none

	images  map[string]*image // by digest
	digests index
	tagged  map[string]*image // by image tag

	files  *layers.Store     // of all repositories
	layers map[string]*layer // by digest
	// How many images name a layer, and how many indexes name an image, by
	// digest. What they name need not be there.
	naming, parents map[string]int
	archived        map[string]int // how many archived images name a layer
}

// registry returns the registry of a place. It is an empty one if the place has
// no repository yet.
func (s *Store) registry(p service.Place) *registry {
	r := s.registries[p]
	if r == nil {
		r = &registry{repositories: make(map[string]*repository)}
	}
	return r
}

// kept returns the registry of a place, to change it.
func (s *Store) kept(p service.Place) *registry {
	r := s.registry(p)
	s.registries[p] = r
	return r
}

// add puts a repository into the registry of a place.
func (s *Store) add(p service.Place, r *repository) {
	r.registry = s.kept(p)
	r.registry.repositories[r.name] = r
	r.registry.names.add(r.name)
}

// placeOf returns the place of the registry of an account, in the region of the
// call.
func placeOf(c *service.Request, owner string) service.Place {
	return service.Place{Account: owner, Region: c.Place().Region}
}

// find returns the repository of an input. Perhaps it belongs to another
// account, whose policy of the repository allows the call.
func (s *Store) find(c *service.Request, in repositoryInput) (*repository, error) {
	return s.findNamed(c, in.owner(c), in.repository())
}

// findNamed returns the repository of an owner and a name.
func (s *Store) findNamed(c *service.Request, owner, name string) (*repository, error) {
	r := s.registry(placeOf(c, owner)).repositories[name]
	if r == nil {
		return nil, service.Errorf("RepositoryNotFoundException", "%s", noSuchRepository(name, owner))
	}
	return r, nil
}

func noSuchRepository(name, owner string) string {
	return "The repository with name '" + name + "' does not exist in the registry with id '" + owner + "'"
}

// newRepository returns a repository with ECR's default settings.
func (s *Store) newRepository(p service.Place, name string, created time.Time) *repository {
	return &repository{
		name:       name,
		arn:        repositoryARN(p, name),
		uri:        s.uri(p, name),
		account:    p.Account,
		created:    created,
		tags:       make(map[string]string),
		mutability: mutability{mode: mutable},
		encryption: encryption{Type: aes256},
		images:     make(map[string]*image),
		tagged:     make(map[string]*image),
		files:      s.files,
		layers:     make(map[string]*layer),
		naming:     make(map[string]int),
		parents:    make(map[string]int),
		archived:   make(map[string]int),
	}
}

func repositoryARN(p service.Place, name string) string {
	return "arn:" + p.Region.Partition() + ":ecr:" + string(p.Region) + ":" + p.Account + ":repository/" + name
}
