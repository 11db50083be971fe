package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
)

// The tags that the service sets in addition to common.OrgTag.
const (
	nameTag  = "Name"           // the full name
	spaceTag = "spinup:spaceid" // the group
)

// resourceOrg is the condition key for the org of the repository that a call is
// about.
const resourceOrg = "aws:ResourceTag/" + common.OrgTag

// ifTagged is the operator for what a call may create: what is there already must
// have the tag as it has to be, or not have it. A condition that the tag is not
// there could deny every create with tags. AWS says that aws:ResourceTag is also
// there "in requests that create a resource with an attached tag".
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourcetag
const ifTagged = "StringEqualsIfExists"

// checkOwner returns an error unless the tags say that the repository is our
// org's. The session policies check the same, and so does the role's own policy
// (config/aws/role-policy.json), so there are three independent checks. Only
// this one stops the read of a repository without an org.
func (t target) checkOwner(tags []common.Tag) error {
	for _, tag := range tags {
		if tag.Key == common.OrgTag && tag.Value == t.Org {
			return nil
		}
	}
	return &common.Error{Code: common.OtherOrg, Message: common.OtherOrgMessage}
}

// readOwner reads the repository's tags, and is otherwise like checkOwner.
func (t target) readOwner(ctx context.Context) error {
	tags, err := t.ECR().Tags(ctx, t.repository())
	if err != nil {
		return err
	}
	return t.checkOwner(tags)
}

// whileOwned reads something in the repository, and checks at the same time that
// the repository is our org's. If it is not, the error says so, whatever else is
// wrong: callers must not learn what is in it.
func (t target) whileOwned(ctx context.Context, read func(context.Context) error) error {
	return both(ctx, t.readOwner, read)
}

// denyOthers denies every action on a repository whose tag names another org. A
// repository's own policy may allow the session something, and only an explicit
// Deny is stronger than that.
func denyOthers(s iam.Scope) iam.Statement {
	return iam.Deny("*", "ecr:*").
		When("StringNotEquals", resourceOrg, s.Org).
		When("Null", resourceOrg, "false")
}

// readOwn allows reads of the group's repositories, and denies reads of other
// orgs'. The Allow has no condition on the tag. With such a condition AWS would
// refuse a read of a missing repository, and the answer would be 403 instead of
// 404.
func readOwn(s iam.Scope, actions ...string) []iam.Statement {
	return []iam.Statement{iam.Allow(s.GroupRepositories(), actions...), denyOthers(s)}
}

// readTagsPolicy is for rows that ask with it only whose the repository is. They
// do the rest in further sessions.
func readTagsPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:ListTagsForResource")...)
}

// writeOwn allows changes of the group's repositories whose tag names our org.
// StringNotEquals is also true if there is no such tag, so the Deny covers
// untagged repositories.
func writeOwn(s iam.Scope, actions ...string) []iam.Statement {
	return []iam.Statement{
		iam.Allow(s.GroupRepositories(), actions...).When("StringEquals", resourceOrg, s.Org),
		iam.Deny("*", actions...).When("StringNotEquals", resourceOrg, s.Org),
	}
}

// throughECR allows what ECR does with the KMS key of a repository. ECR does it
// with the rights of the session that creates or deletes the repository.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func throughECR(s iam.Scope, actions ...string) iam.Statement {
	return iam.Allow(s.Keys(), actions...).
		When("StringEquals", "kms:ViaService", "ecr."+s.Region+".amazonaws.com")
}
