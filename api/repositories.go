package api

import (
	"context"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/go-json-experiment/json/jsontext"
)

const maxKeyID = 2048 // characters, as ECR says

// A createInput is the body of a create.
type createInput struct {
	RepositoryName     string
	ScanOnPush         boolFlag
	ImageTagMutability *string
	EncryptionType     *string
	KmsKeyID           string `json:"KmsKeyId"`
	Tags               tagInputs

	ImageTagMutabilityExclusionFilters filterInputs

	Groups nameList
}

func (in createInput) name(p *pathValues) { p.Name = in.RepositoryName }

func (in createInput) check() error {
	if in.RepositoryName == "" {
		return common.Errorf(common.BadRequest, "RepositoryName is needed.")
	}
	return firstError(
		checkName("RepositoryName", in.RepositoryName),
		checkMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters),
		checkOneOf("EncryptionType", in.EncryptionType, "AES256", "KMS"),
		in.checkKey(),
		repositoryTags.check(in.Tags),
		checkGroups(in.Groups),
	)
}

func (in createInput) checkKey() error {
	if n := utf8.RuneCountInString(in.KmsKeyID); n > maxKeyID {
		return common.Errorf(common.BadRequest, "KmsKeyId has %d characters, and may have %d.", n, maxKeyID)
	}
	if in.KmsKeyID != "" && in.EncryptionType != nil && *in.EncryptionType != "KMS" {
		return common.Errorf(common.BadRequest, "KmsKeyId goes with EncryptionType KMS, not %s.", *in.EncryptionType)
	}
	return nil
}

func (in createInput) encryption() ecr.Encryption {
	e := ecr.Encryption{KmsKeyID: in.KmsKeyID}
	if in.EncryptionType != nil {
		e.Type = *in.EncryptionType
	}
	if in.KmsKeyID != "" {
		e.Type = "KMS"
	}
	return e
}

// An updateInput is the body of an update. What is absent stays as it is.
type updateInput struct {
	ScanOnPush         boolFlag
	ImageTagMutability *string
	Tags               tagInputs

	ImageTagMutabilityExclusionFilters filterInputs

	Groups nameList

	// These are known so that they can be refused with a helpful message.
	EncryptionType fixedKey
	KmsKeyID       fixedKey `json:"KmsKeyId"`
}

// A fixedKey is a key of a create that an update may not have.
type fixedKey struct{}

// UnmarshalJSONFrom refuses every value.
func (fixedKey) UnmarshalJSONFrom(*jsontext.Decoder) error {
	return common.Errorf(common.BadRequest, "The encryption of a repository is fixed at creation: leave EncryptionType and KmsKeyId out.")
}

func (in updateInput) check() error {
	return firstError(
		checkMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters),
		repositoryTags.check(in.Tags),
		checkGroups(in.Groups),
	)
}

// listRepositories lists the group's repositories, or the account's if the path
// names no group.
func listRepositories(ctx context.Context, t target, _ nothing) ([]string, error) {
	if t.Group == "" {
		return t.ECR().Repositories(ctx, "")
	}
	return t.ECR().Repositories(ctx, t.Group+"/")
}

// listPolicy allows the whole registry, also for the list of a group. AWS
// authorizes a DescribeRepositories without names only on the pattern of all
// repositories.
func listPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(
		iam.Allow(s.AllRepositories(), "ecr:DescribeRepositories"),
		denyOthers(s), // only for calls that name a repository; the list itself has no tags
	)
}

func createRepository(ctx context.Context, t target, in createInput) (*ecr.Repository, error) {
	settings := ecr.Settings{
		ScanOnPush:         in.ScanOnPush.value,
		ImageTagMutability: in.ImageTagMutability,
		Tags:               append(repositoryTags.own(in.Tags), reservedTags(t)...),

		ImageTagMutabilityExclusionFilters: in.ImageTagMutabilityExclusionFilters,

		Share: t.shareWith(in.Groups),
	}
	if err := checkTagCount("repository", settings.Tags); err != nil {
		return nil, err
	}
	return t.ECR().CreateRepository(ctx, t.repository(), settings, in.encryption())
}

// createPolicy allows TagResource, because AWS demands it for a
// CreateRepository with tags. The condition on the resource's tag keeps the
// session from taking over a repository of another org. See ifTagged for why it
// does not ask for a repository without an org. The two reads are for
// a create that was refused or whose answer was lost: they show whether the
// name is taken, and what the create has done. A grant on a KMS key may only be
// one that an AWS service makes for a resource of its own.
func createPolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements,
		iam.Allow(s.GroupRepositories(), "ecr:CreateRepository", "ecr:TagResource").
			When("StringEquals", "aws:RequestTag/"+common.OrgTag, s.Org).
			When(ifTagged, resourceOrg, s.Org),
		throughECR(s, "kms:DescribeKey", "kms:RetireGrant"),
		throughECR(s, "kms:CreateGrant").When("Bool", "kms:GrantIsForAWSResource", "true"),
	)...)
}

func showRepository(ctx context.Context, t target, _ nothing) (*ecr.Repository, error) {
	r, err := t.ECR().Repository(ctx, t.repository())
	if err != nil {
		return nil, err
	}
	return r, t.checkOwner(r.Tags)
}

func showPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")...)
}

func updateRepository(ctx context.Context, t target, in updateInput) (*ecr.Repository, error) {
	present, err := showRepository(ctx, t, nothing{})
	if err != nil {
		return nil, err
	}
	settings := ecr.Settings{
		ScanOnPush:         in.ScanOnPush.value,
		ImageTagMutability: in.ImageTagMutability,
		Tags:               repositoryTags.own(in.Tags),

		ImageTagMutabilityExclusionFilters: in.ImageTagMutabilityExclusionFilters,

		Share: t.shareWith(in.Groups),
	}
	if settings.Empty() {
		return present, nil
	}
	if err := checkTagCount("repository", common.MergeTags(present.Tags, settings.Tags)); err != nil {
		return nil, err
	}
	return t.ECR().UpdateRepository(ctx, present, settings)
}

// updatePolicy denies setting the three reserved tags, because they say to whom
// the repository belongs. Two of them are denied in upper and lower case. IAM's
// condition keys ignore the case of tag keys, so IAM would take a second tag
// that differs only in case for the first one.
func updatePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	statements = append(statements, writeOwn(s,
		"ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource")...)
	return iam.NewPolicy(append(statements,
		iam.Deny("*", "ecr:TagResource").
			When("ForAnyValue:StringEqualsIgnoreCase", "aws:TagKeys", common.OrgTag, spaceTag),
		iam.Deny("*", "ecr:TagResource").
			When("ForAnyValue:StringEquals", "aws:TagKeys", nameTag))...)
}

func deleteRepository(ctx context.Context, t target, _ nothing) (*ecr.Repository, error) {
	if t.scope.Boundary != "" {
		return t.deleteWithUsers(ctx)
	}
	present, err := showRepository(ctx, t, nothing{})
	if err != nil {
		return nil, err
	}
	return present, t.ECR().DeleteRepository(ctx, present)
}

func deletePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeRepositories", "ecr:ListTagsForResource")
	statements = append(statements, writeOwn(s, "ecr:DeleteRepository")...)
	return iam.NewPolicy(append(statements, throughECR(s, "kms:RetireGrant"))...)
}
