package api

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// The tags that the service sets beside iam.OrgTag.
const (
	nameTag  = "Name"           // the full name
	spaceTag = "spinup:spaceid" // the group
)

// resourceOrg is the condition key for the org of the repository that a call is
// about.
const resourceOrg = "aws:ResourceTag/" + iam.OrgTag

// own returns an error unless the tags say that the repository is our org's.
// The session policies say so too: these are two fences, and of a repository
// without any org this is the only one that stops a read.
func (c call) own(tags []ecr.Tag) error {
	for _, t := range tags {
		if t.Key == iam.OrgTag && t.Value == c.Org {
			return nil
		}
	}
	return common.Errorf(common.Forbidden, "That repository belongs to another org, or to none. Only repositories whose tag %s is this service's org can be used.", iam.OrgTag)
}

// denyOthers denies everything on a repository that has another org's tag. It is
// as wide as can be because an explicit Deny is all that also stops what a
// repository's own policy grants to the session.
func denyOthers(s iam.Scope) iam.Statement {
	return iam.Deny("*", "ecr:*").
		When("StringNotEquals", resourceOrg, s.Org).
		When("Null", resourceOrg, "false")
}

// readOwn allows reading the group's repositories, but for other orgs'. The
// Allow asks for no tag: AWS would then refuse where a repository is missing,
// and a 404 would turn into a 403.
func readOwn(s iam.Scope, actions ...string) []iam.Statement {
	return []iam.Statement{iam.Allow(s.GroupRepositories(), actions...), denyOthers(s)}
}

// writeOwn allows changing the group's repositories that are tagged as our
// org's. StringNotEquals holds too where there is no such tag, so the Deny
// covers the untagged ones.
func writeOwn(s iam.Scope, actions ...string) []iam.Statement {
	return []iam.Statement{
		iam.Allow(s.GroupRepositories(), actions...).When("StringEquals", resourceOrg, s.Org),
		iam.Deny("*", actions...).When("StringNotEquals", resourceOrg, s.Org),
	}
}

// throughECR allows what ECR does with the KMS key of a repository in the name
// of whoever creates or deletes it.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func throughECR(s iam.Scope, actions ...string) iam.Statement {
	return iam.Allow(s.Keys(), actions...).
		When("StringEquals", "kms:ViaService", "ecr."+s.Region+".amazonaws.com")
}
