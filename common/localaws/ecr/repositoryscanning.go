package ecr

import "github.com/YaleSpinup/ecr-api/common/localaws/service"

type batchGetScanningInput struct {
	Names []string `json:"repositoryNames"`
}

func (in batchGetScanningInput) repository() string {
	if len(in.Names) == 0 {
		return ""
	}
	return in.Names[0]
}

func (in batchGetScanningInput) Check(*service.Request) error {
	return checkNames(in.Names, maxScanNames)
}

// needsToGetScanning returns a permission on each repository of the list.
func (s *Store) needsToGetScanning(c *service.Request, in batchGetScanningInput) []service.Permission {
	var permissions []service.Permission
	for _, name := range in.Names {
		permissions = append(permissions, s.permissionOn(c, c.Account, name))
	}
	return permissions
}

type batchGetScanningOutput struct {
	Configurations []repositoryScanning `json:"scanningConfigurations"`
	Failures       []scanningFailure    `json:"failures"`
}

type repositoryScanning struct {
	ARN        string       `json:"repositoryArn"`
	Name       string       `json:"repositoryName"`
	ScanOnPush bool         `json:"scanOnPush"`
	Frequency  string       `json:"scanFrequency"`
	Filters    []scanFilter `json:"appliedScanFilters"`
}

type scanningFailure struct {
	Name   string `json:"repositoryName"`
	Code   string `json:"failureCode"`
	Reason string `json:"failureReason"`
}

func (s *Store) batchGetRepositoryScanningConfiguration(c *service.Request, in batchGetScanningInput) (any, error) {
	out := batchGetScanningOutput{[]repositoryScanning{}, []scanningFailure{}}
	for _, name := range in.Names {
		r := s.registry(c.Place()).repositories[name]
		if r == nil {
			out.Failures = append(out.Failures, scanningFailure{name, "REPOSITORY_NOT_FOUND", noSuchRepository(name, c.Account)})
			continue
		}
		rule := r.scanRule()
		out.Configurations = append(out.Configurations,
			repositoryScanning{r.arn, r.name, rule.Frequency != scanManual, rule.Frequency, rule.Filters})
	}
	return out, nil
}
