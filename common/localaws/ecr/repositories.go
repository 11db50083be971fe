package ecr

import (
	"iter"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const (
	maxRepositories = 100_000 // of a registry
	maxNames        = 100     // in one call
)

// repositoryOutput is a repository on the wire.
type repositoryOutput struct {
	ARN        string            `json:"repositoryArn"`
	RegistryID string            `json:"registryId"`
	Name       string            `json:"repositoryName"`
	URI        string            `json:"repositoryUri"`
	CreatedAt  service.Timestamp `json:"createdAt"`
	Mutability string            `json:"imageTagMutability"`
	Exclusions []exclusion       `json:"imageTagMutabilityExclusionFilters,omitempty"`
	Scanning   scanning          `json:"imageScanningConfiguration"`
	Encryption encryption        `json:"encryptionConfiguration"`
}

func (r *repository) output() repositoryOutput {
	return repositoryOutput{
		ARN:        r.arn,
		RegistryID: r.account,
		Name:       r.name,
		URI:        r.uri,
		CreatedAt:  service.Timestamp(r.created),
		Mutability: r.mutability.mode,
		Exclusions: r.mutability.exclusions,
		Scanning:   scanning{r.scanOnPush},
		Encryption: r.encryption,
	}
}

type oneRepositoryOutput struct {
	Repository repositoryOutput `json:"repository"`
}

type createRepositoryInput struct {
	RepositoryID
	Tags       []service.Tag `json:"tags"`
	Mutability string        `json:"imageTagMutability"`
	Exclusions []exclusion   `json:"imageTagMutabilityExclusionFilters"`
	Scanning   scanning      `json:"imageScanningConfiguration"`
	Encryption *encryption   `json:"encryptionConfiguration"`
}

func (in createRepositoryInput) mutability() mutability {
	m := mutability{mode: in.Mutability, exclusions: in.Exclusions}
	if m.mode == "" {
		m.mode = mutable
	}
	return m
}

func (in createRepositoryInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if err := in.mutability().check(); err != nil {
		return err
	}
	if in.Encryption != nil {
		if err := in.Encryption.check(c.Place()); err != nil {
			return err
		}
	}
	return checkTags(in.Tags)
}

func (s *Store) createRepository(c *service.Request, in createRepositoryInput) (any, error) {
	place := placeOf(c, in.owner(c))
	registry := s.registry(place)
	if registry.repositories[in.RepositoryName] != nil {
		return nil, service.Errorf("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", in.RepositoryName, place.Account)
	}
	if len(registry.repositories) >= maxRepositories {
		return nil, service.Errorf("LimitExceededException",
			"The maximum number of repositories, %d, in the registry with id '%s' is reached", maxRepositories, place.Account)
	}
	r := s.newRepository(place, in.RepositoryName, c.Now)
	r.tags = service.TagMap(in.Tags)
	r.mutability = in.mutability()
	r.scanOnPush = in.Scanning.ScanOnPush
	if in.Encryption != nil {
		r.encryption = in.Encryption.resolved(place)
	}
	s.add(place, r)
	return oneRepositoryOutput{r.output()}, nil
}

type describeRepositoriesInput struct {
	RegistryID string   `json:"registryId"`
	Names      []string `json:"repositoryNames"`
	Paging
}

func (in describeRepositoriesInput) repository() string {
	if len(in.Names) == 0 {
		return ""
	}
	return in.Names[0]
}

func (in describeRepositoriesInput) Check(*service.Request) error {
	if err := checkRegistry(in.RegistryID); err != nil {
		return err
	}
	if in.Names == nil {
		return in.Paging.check()
	}
	if err := checkNames(in.Names, maxNames); err != nil {
		return err
	}
	return in.Paging.checkWithout("repositoryNames")
}

type describeRepositoriesOutput struct {
	Repositories []repositoryOutput `json:"repositories"`
	NextToken    string             `json:"nextToken,omitempty"`
}

func (s *Store) describeRepositories(c *service.Request, in describeRepositoriesInput) (any, error) {
	if in.Names != nil {
		return s.describeByName(c, registryOf(c, in.RegistryID), in.Names)
	}
	list := s.pages.List("repositories", c.Account, c.Region)
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	page, last := service.Take(s.registry(c.Place()).after(after), in.size())
	return describeRepositoriesOutput{page, list.Token(last)}, nil
}

// after yields the repositories in the order of their names, from the first one
// after the position.
func (r *registry) after(position string) iter.Seq2[string, repositoryOutput] {
	return func(yield func(string, repositoryOutput) bool) {
		for _, name := range r.names.from(position) {
			if name == position {
				continue
			}
			if !yield(name, r.repositories[name].output()) {
				return
			}
		}
	}
}

func (s *Store) describeByName(c *service.Request, owner string, names []string) (any, error) {
	var out describeRepositoriesOutput
	for _, name := range names {
		r, err := s.findNamed(c, owner, name)
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, r.output())
	}
	return out, nil
}

type deleteRepositoryInput struct {
	RepositoryID
	Force bool `json:"force"`
}

func (s *Store) deleteRepository(c *service.Request, in deleteRepositoryInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	if len(r.images) > 0 && !in.Force {
		return nil, service.Errorf("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' "+
			"cannot be deleted because it still contains images", r.name, r.account)
	}
	from := s.registry(placeOf(c, r.account))
	delete(from.repositories, r.name)
	from.names.remove(r.name)
	s.removeLayers(r)
	return oneRepositoryOutput{r.output()}, nil
}
