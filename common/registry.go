// Package common holds what every other package may need: the configuration,
// secrets, the version, the error type and the ARNs of repositories.
package common

import "fmt"

// OrgTag is the tag that says to which org a repository belongs. Sessions of
// the management role carry it too.
const OrgTag = "spinup:org"

// A Registry is a private ECR registry. Each AWS account has one in each
// region.
type Registry struct {
	Partition string // aws, aws-cn, aws-us-gov, ...
	Region    string
	Account   string // twelve digits
}

// ARN returns the ARN of the repository with that full name. For a policy, the
// name may be a pattern.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
func (r Registry) ARN(repository string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", r.Partition, r.Region, r.Account, repository)
}
