package api

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// A createRequest is the body of a create.
type createRequest struct {
	RepositoryName     string
	ScanOnPush         scanFlag
	ImageTagMutability *string
	EncryptionType     *string
	KmsKeyID           string `json:"KmsKeyId"`
	Tags               []tagInput
}

func (in createRequest) name() string { return in.RepositoryName }

func (in createRequest) check() error {
	if in.RepositoryName == "" {
		return common.Errorf(common.BadRequest, "RepositoryName is needed.")
	}
	return firstError(
		checkName("RepositoryName", in.RepositoryName),
		checkOneOf("ImageTagMutability", in.ImageTagMutability, "MUTABLE", "IMMUTABLE"),
		checkOneOf("EncryptionType", in.EncryptionType, "AES256", "KMS"),
		in.checkKey(),
		checkTags(in.Tags),
	)
}

func (in createRequest) checkKey() error {
	if in.KmsKeyID != "" && in.EncryptionType != nil && *in.EncryptionType != "KMS" {
		return common.Errorf(common.BadRequest, "KmsKeyId goes with EncryptionType KMS, not %s.", *in.EncryptionType)
	}
	return nil
}

func (in createRequest) encryption() ecr.Encryption {
	e := ecr.Encryption{KmsKeyID: in.KmsKeyID}
	if in.EncryptionType != nil {
		e.Type = *in.EncryptionType
	}
	if in.KmsKeyID != "" {
		e.Type = "KMS"
	}
	return e
}

// An updateRequest is the body of an update. What is absent stays as it is.
type updateRequest struct {
	ScanOnPush         scanFlag
	ImageTagMutability *string
	Tags               []tagInput

	// Known only to be refused in words that help.
	EncryptionType json.RawMessage
	KmsKeyID       json.RawMessage `json:"KmsKeyId"`
}

func (in updateRequest) check() error {
	if in.EncryptionType != nil || in.KmsKeyID != nil {
		return common.Errorf(common.BadRequest, "The encryption of a repository is fixed at creation: leave EncryptionType and KmsKeyId out.")
	}
	return firstError(
		checkOneOf("ImageTagMutability", in.ImageTagMutability, "MUTABLE", "IMMUTABLE"),
		checkTags(in.Tags),
	)
}

// listRepositories lists the group that the path names, or all repositories
// where it names none.
func listRepositories(ctx context.Context, c call, _ nothing) ([]string, error) {
	if c.Group == "" {
		return c.ECR.Repositories(ctx, "")
	}
	return c.ECR.Repositories(ctx, c.Group+"/")
}

// listPolicy covers the whole registry for a group's list too: AWS authorizes a
// DescribeRepositories that names none on no narrower pattern.
func listPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(
		iam.Allow(s.AllRepositories(), "ecr:DescribeRepositories"),
		denyOthers(s), // as long as it names one: the list itself has no tags
	)
}

func createRepository(ctx context.Context, c call, in createRequest) (*ecr.Repository, error) {
	settings := ecr.Settings{
		ScanOnPush:         in.ScanOnPush.value,
		ImageTagMutability: in.ImageTagMutability,
		Tags:               append(withoutReserved(in.Tags), reservedTags(c)...),
	}
	return c.ECR.CreateRepository(ctx, c.repository(), settings, in.encryption())
}

// createPolicy lets TagResource tag what is being created, which AWS demands of
// a CreateRepository with tags. It must not tag what exists already: that would
// take it over. The two reads find out what became of a lost answer, and whether
// a refusal is because the name is taken.
func createPolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements,
		iam.Allow(s.GroupRepositories(), "ecr:CreateRepository", "ecr:TagResource").
			When("StringEquals", "aws:RequestTag/"+iam.OrgTag, s.Org).
			When("Null", resourceOrg, "true"),
		throughECR(s, "kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"),
	)...)
}

func showRepository(ctx context.Context, c call, _ nothing) (*ecr.Repository, error) {
	r, err := c.ECR.Repository(ctx, c.repository())
	if err != nil {
		return nil, err
	}
	return r, c.own(r.Tags)
}

func showPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")...)
}

func updateRepository(ctx context.Context, c call, in updateRequest) (*ecr.Repository, error) {
	present, err := showRepository(ctx, c, nothing{})
	if err != nil {
		return nil, err
	}
	settings := ecr.Settings{
		ScanOnPush:         in.ScanOnPush.value,
		ImageTagMutability: in.ImageTagMutability,
		Tags:               withoutReserved(in.Tags),
	}
	if settings.Empty() {
		return present, nil
	}
	return c.ECR.UpdateRepository(ctx, present, settings)
}

// updatePolicy never lets the three reserved tags be set: they say whose the
// repository is. Two of them in no case at all, because the condition keys made
// of tags ignore case: a second tag that differs in case would stand for both.
func updatePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	statements = append(statements, writeOwn(s,
		"ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource")...)
	return iam.NewPolicy(append(statements,
		iam.Deny("*", "ecr:TagResource").
			When("ForAnyValue:StringEqualsIgnoreCase", "aws:TagKeys", iam.OrgTag, spaceTag),
		iam.Deny("*", "ecr:TagResource").
			When("ForAnyValue:StringEquals", "aws:TagKeys", nameTag))...)
}

func deleteRepository(ctx context.Context, c call, _ nothing) (*ecr.Repository, error) {
	present, err := showRepository(ctx, c, nothing{})
	if err != nil {
		return nil, err
	}
	return present, c.ECR.DeleteRepository(ctx, present)
}

func deletePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	statements = append(statements, writeOwn(s, "ecr:DeleteRepository")...)
	return iam.NewPolicy(append(statements, throughECR(s, "kms:RetireGrant"))...)
}

// reservedTags are the tags that the service sets on every repository.
func reservedTags(c call) []ecr.Tag {
	return []ecr.Tag{
		{Key: nameTag, Value: c.repository()},
		{Key: iam.OrgTag, Value: c.Org},
		{Key: spaceTag, Value: c.Group},
	}
}

// A tagInput is a tag in a body. A Value that is absent is no empty one.
type tagInput struct {
	Key   string
	Value *string
}

// withoutReserved returns the tags, checked before, but for those that are the
// service's to set.
func withoutReserved(tags []tagInput) []ecr.Tag {
	var kept []ecr.Tag
	for _, t := range tags {
		if t.Key != nameTag && t.Key != iam.OrgTag && t.Key != spaceTag {
			kept = append(kept, ecr.Tag{Key: t.Key, Value: *t.Value})
		}
	}
	return kept
}

func checkTags(tags []tagInput) error {
	seen := map[string]bool{}
	for i, t := range tags {
		switch {
		case t.Key == "":
			return common.Errorf(common.BadRequest, "Tags[%d] has no Key.", i)
		case t.Value == nil:
			return common.Errorf(common.BadRequest, "Tags[%d] has no Value. An empty one is \"\".", i)
		case seen[t.Key]:
			return common.Errorf(common.BadRequest, "Tags has the key %q twice.", t.Key)
		case isDisguised(t.Key):
			return common.Errorf(common.BadRequest, "The tag key %q is too like one that the service sets.", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

// isDisguised tells a key that could be taken for one of those that decide whose
// a repository is: the conditions of IAM match tag keys whatever their case.
func isDisguised(key string) bool {
	for _, reserved := range []string{iam.OrgTag, spaceTag} {
		if key != reserved && strings.EqualFold(strings.TrimSpace(key), reserved) {
			return true
		}
	}
	return false
}
