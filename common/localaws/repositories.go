package localaws

import (
	"iter"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// repositoryPattern is ECR's own; AWS prints it without the anchors.
var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	registryPattern   = regexp.MustCompile(`^[0-9]{12}$`)
)

const (
	maxRepositories = 100_000
	maxNames        = 100
)

// checkName checks the name of a repository.
func checkName(name string) error {
	const parameter = "repositoryName"
	switch length := utf8.RuneCountInString(name); {
	case name == "":
		return invalidParameter(parameter, "must not be null")
	case length < 2:
		return invalidParameter(parameter, "Member must have length greater than or equal to 2")
	case length > 256:
		return invalidParameter(parameter, "Member must have length less than or equal to 256")
	case !repositoryPattern.MatchString(name):
		expression := repositoryPattern.String()
		return invalidParameter(parameter, "must satisfy regular expression '"+expression[1:len(expression)-1]+"'")
	}
	return nil
}

func checkRegistry(id string) error {
	if id != "" && !registryPattern.MatchString(id) {
		return invalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	return nil
}

// named is the input of every operation on one repository.
type named struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
}

func (n named) repository() string { return n.RepositoryName }

func (n named) check(*call) error {
	if err := checkRegistry(n.RegistryID); err != nil {
		return err
	}
	return checkName(n.RepositoryName)
}

// owner returns the account of the registry that is meant.
func (n named) owner(c *call) string {
	if n.RegistryID == "" {
		return c.Account
	}
	return n.RegistryID
}

type scanning struct {
	ScanOnPush bool `json:"scanOnPush"`
}

// repositoryOutput is a repository on the wire.
type repositoryOutput struct {
	ARN        string      `json:"repositoryArn"`
	RegistryID string      `json:"registryId"`
	Name       string      `json:"repositoryName"`
	URI        string      `json:"repositoryUri"`
	CreatedAt  timestamp   `json:"createdAt"`
	Mutability string      `json:"imageTagMutability"`
	Exclusions []exclusion `json:"imageTagMutabilityExclusionFilters,omitempty"`
	Scanning   scanning    `json:"imageScanningConfiguration"`
	Encryption encryption  `json:"encryptionConfiguration"`
}

func (r *repository) output() repositoryOutput {
	return repositoryOutput{
		ARN:        r.arn,
		RegistryID: r.account,
		Name:       r.name,
		URI:        r.uri,
		CreatedAt:  timestamp(r.created),
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
	named
	Tags       []tag       `json:"tags"`
	Mutability string      `json:"imageTagMutability"`
	Exclusions []exclusion `json:"imageTagMutabilityExclusionFilters"`
	Scanning   scanning    `json:"imageScanningConfiguration"`
	Encryption *encryption `json:"encryptionConfiguration"`
}

func (in createRepositoryInput) mutability() mutability {
	m := mutability{mode: in.Mutability, exclusions: in.Exclusions}
	if m.mode == "" {
		m.mode = mutable
	}
	return m
}

func (in createRepositoryInput) check(c *call) error {
	if err := in.named.check(c); err != nil {
		return err
	}
	if err := in.mutability().check(); err != nil {
		return err
	}
	if in.Encryption != nil {
		if err := in.Encryption.check(c); err != nil {
			return err
		}
	}
	return checkTags(in.Tags)
}

func (s *Server) createRepository(c *call, in createRepositoryInput) (any, error) {
	registry := s.registry(c.place())
	if registry.repositories[in.RepositoryName] != nil {
		return nil, fail("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", in.RepositoryName, c.Account)
	}
	if len(registry.repositories) >= maxRepositories {
		return nil, fail("LimitExceededException",
			"The maximum number of repositories, %d, in the registry with id '%s' is reached", maxRepositories, c.Account)
	}
	r := newRepository(c.place(), in.RepositoryName, c.now)
	r.tags = tagMap(in.Tags)
	r.mutability = in.mutability()
	r.scanOnPush = in.Scanning.ScanOnPush
	if in.Encryption != nil {
		r.encryption = in.Encryption.resolved(c)
	}
	s.add(c.place(), r)
	return oneRepositoryOutput{r.output()}, nil
}

type describeRepositoriesInput struct {
	RegistryID string   `json:"registryId"`
	Names      []string `json:"repositoryNames"`
	paging
}

func (in describeRepositoriesInput) repository() string {
	if len(in.Names) == 0 {
		return ""
	}
	return in.Names[0]
}

func (in describeRepositoriesInput) check(*call) error {
	if err := checkRegistry(in.RegistryID); err != nil {
		return err
	}
	if in.Names != nil && len(in.Names) == 0 {
		return invalidParameter("repositoryNames", "Member must have length greater than or equal to 1")
	}
	if len(in.Names) > maxNames {
		return invalidParameter("repositoryNames", "Member must have length less than or equal to "+strconv.Itoa(maxNames))
	}
	for _, name := range in.Names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return in.paging.check(in.Names != nil, "repositoryNames")
}

type describeRepositoriesOutput struct {
	Repositories []repositoryOutput `json:"repositories"`
	NextToken    string             `json:"nextToken,omitempty"`
}

func (s *Server) describeRepositories(c *call, in describeRepositoriesInput) (any, error) {
	if in.Names != nil {
		return s.describeNamed(c, in.Names)
	}
	list := listName("repositories", c.Account, c.Region)
	after, err := s.position(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	page, last := take(s.registry(c.place()).after(after), in.size())
	return describeRepositoriesOutput{page, s.token(list, last)}, nil
}

// after yields the repositories by name, from the first one behind the position.
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

func (s *Server) describeNamed(c *call, names []string) (any, error) {
	var out describeRepositoriesOutput
	for _, name := range names {
		r, err := s.find(c, name)
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, r.output())
	}
	return out, nil
}

type deleteRepositoryInput struct {
	named
	Force bool `json:"force"`
}

func (s *Server) deleteRepository(c *call, in deleteRepositoryInput) (any, error) {
	r, err := s.find(c, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(r.images) > 0 && !in.Force {
		return nil, fail("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' "+
			"cannot be deleted because it still contains images", r.name, r.account)
	}
	from := s.registry(c.place())
	delete(from.repositories, r.name)
	from.names.remove(r.name)
	return oneRepositoryOutput{r.output()}, nil
}

type putImageScanningConfigurationInput struct {
	named
	Scanning *scanning `json:"imageScanningConfiguration"`
}

func (in putImageScanningConfigurationInput) check(c *call) error {
	if err := in.named.check(c); err != nil {
		return err
	}
	if in.Scanning == nil {
		return invalidParameter("imageScanningConfiguration", "must not be null")
	}
	return nil
}

type putImageScanningConfigurationOutput struct {
	RegistryID     string   `json:"registryId"`
	RepositoryName string   `json:"repositoryName"`
	Scanning       scanning `json:"imageScanningConfiguration"`
}

func (s *Server) putImageScanningConfiguration(c *call, in putImageScanningConfigurationInput) (any, error) {
	r, err := s.find(c, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	r.scanOnPush = in.Scanning.ScanOnPush
	return putImageScanningConfigurationOutput{r.account, r.name, *in.Scanning}, nil
}

type putImageTagMutabilityInput struct {
	named
	Mutability string      `json:"imageTagMutability"`
	Exclusions []exclusion `json:"imageTagMutabilityExclusionFilters"`
}

func (in putImageTagMutabilityInput) check(c *call) error {
	if err := in.named.check(c); err != nil {
		return err
	}
	return mutability{in.Mutability, in.Exclusions}.check()
}

type putImageTagMutabilityOutput struct {
	RegistryID     string      `json:"registryId"`
	RepositoryName string      `json:"repositoryName"`
	Mutability     string      `json:"imageTagMutability"`
	Exclusions     []exclusion `json:"imageTagMutabilityExclusionFilters,omitempty"`
}

func (s *Server) putImageTagMutability(c *call, in putImageTagMutabilityInput) (any, error) {
	r, err := s.find(c, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	r.mutability = mutability{in.Mutability, in.Exclusions}
	return putImageTagMutabilityOutput{r.account, r.name, in.Mutability, in.Exclusions}, nil
}
