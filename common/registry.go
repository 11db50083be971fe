// Package common holds what every other package may need: the configuration,
// the version, the error type and the naming of registries.
package common

import "fmt"

// OrgTag is the tag that says to which org a repository belongs. Sessions of
// the management role carry it too.
const OrgTag = "spinup:org"

// A Registry holds the repositories of one AWS account in one region.
type Registry struct {
	Partition string // aws, aws-cn, aws-us-gov, ...
	Region    string
	Account   string // twelve digits
}

// ARN returns the ARN of a repository of that full name. The name may be a
// pattern where the ARN is for a policy.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
func (r Registry) ARN(repository string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", r.Partition, r.Region, r.Account, repository)
}
