package ecr

import "github.com/YaleSpinup/ecr-api/common/localaws/service"

type scanning struct {
	ScanOnPush bool `json:"scanOnPush"`
}

type putImageScanningConfigurationInput struct {
	RepositoryID
	Scanning *scanning `json:"imageScanningConfiguration"`
}

func (in putImageScanningConfigurationInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
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

func (s *Store) putImageScanningConfiguration(c *service.Request, in putImageScanningConfigurationInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	r.scanOnPush = in.Scanning.ScanOnPush
	return putImageScanningConfigurationOutput{r.account, r.name, *in.Scanning}, nil
}

type putImageTagMutabilityInput struct {
	RepositoryID
	Mutability string      `json:"imageTagMutability"`
	Exclusions []exclusion `json:"imageTagMutabilityExclusionFilters"`
}

func (in putImageTagMutabilityInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
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

func (s *Store) putImageTagMutability(c *service.Request, in putImageTagMutabilityInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	r.mutability = mutability{in.Mutability, in.Exclusions}
	return putImageTagMutabilityOutput{r.account, r.name, in.Mutability, in.Exclusions}, nil
}
