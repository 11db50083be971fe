package ecr

import (
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// The patterns are ECR's own. Its messages print them without the anchors.
var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	registryPattern   = regexp.MustCompile(`^[0-9]{12}$`)
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

// checkNames checks a list of names of repositories.
func checkNames(names []string, most int) error {
	const parameter = "repositoryNames"
	switch {
	case names == nil:
		return invalidParameter(parameter, "must not be null")
	case len(names) == 0:
		return invalidParameter(parameter, "Member must have length greater than or equal to 1")
	case len(names) > most:
		return invalidParameter(parameter, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func checkRegistry(id string) error {
	if id != "" && !registryPattern.MatchString(id) {
		return invalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	return nil
}

// registryOf returns the account of a registry. An empty id means the caller's
// account.
func registryOf(c *service.Request, id string) string {
	if id == "" {
		return c.Account
	}
	return id
}

// RepositoryID is the input that names one repository.
type RepositoryID struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
}

func (id RepositoryID) repository() string { return id.RepositoryName }

func (id RepositoryID) owner(c *service.Request) string { return registryOf(c, id.RegistryID) }

// Check checks the form of the id and the name.
func (id RepositoryID) Check(*service.Request) error {
	if err := checkRegistry(id.RegistryID); err != nil {
		return err
	}
	return checkName(id.RepositoryName)
}
