//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// An image tag that is fixed stays with its image, and can be given to an image
// for the first time.
func TestMutability(t *testing.T) {
	t.Parallel()
	const mutable, immutable = "MUTABLE", "IMMUTABLE"
	const immutableExcept, mutableExcept = "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"
	filters := awstest.Wildcards("dev-*", "a.b", "*-rc*")
	for _, test := range []struct {
		mode    string
		filters []*awstest.Filter
		tag     string
		fixed   bool
	}{
		{mutable, nil, "v1", false},
		{immutable, nil, "v1", true},
		{immutableExcept, filters, "v1", true},
		{immutableExcept, filters, "dev-1", false},
		{immutableExcept, filters, "dev-", false},
		{immutableExcept, filters, "xdev-1", true},
		{immutableExcept, filters, "a.b", false},
		{immutableExcept, filters, "axb", true},
		{immutableExcept, filters, "a.bc", true},
		{immutableExcept, filters, "v1-rc2", false},
		{immutableExcept, awstest.Wildcards("*"), "v1", false},
		{mutableExcept, filters, "v1", false},
		{mutableExcept, filters, "dev-1", true},
		{mutableExcept, filters, "Dev-1", false},
	} {
		name := test.mode + " " + test.tag
		b := awstest.New(t)
		b.Add(t, "group/one")
		client := b.ECR(awstest.Here)
		awstest.Must(t, awstest.PutMutability(client, "group/one", test.mode, test.filters))
		awstest.Must(t, put(client, manifestOf(1), test.tag))
		if err := put(client, manifestOf(2), test.tag); !test.fixed {
			awstest.Must(t, err)
		} else {
			awstest.WantError(t, name, err, "ImageTagAlreadyExistsException",
				"The image tag '"+test.tag+"' already exists in the 'group/one' repository and cannot be overwritten because the tag is immutable.")
		}
	}
}

// What was pushed before stays, and a later mode takes the place of the
// exclusions too.
func TestMutabilityIsReplaced(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	awstest.Must(t, awstest.PutMutability(client, "group/one", "IMMUTABLE_WITH_EXCLUSION", awstest.Wildcards("v*")))
	awstest.Must(t, put(client, manifestOf(2), "v1"))
	awstest.Must(t, awstest.PutMutability(client, "group/one", "IMMUTABLE_WITH_EXCLUSION", awstest.Wildcards("w*")))
	awstest.WantError(t, "other exclusions", put(client, manifestOf(3), "v1"), "ImageTagAlreadyExistsException", "because the tag is immutable")
	awstest.Must(t, awstest.PutMutability(client, "group/one", "MUTABLE", nil))
	awstest.Must(t, put(client, manifestOf(3), "v1"))
	wantRaw(t, "the exclusions are gone", client, "DescribeRepositories", &struct{}{}, `{"repositories":[`+
		`{"repositoryArn":"arn:aws:ecr:us-east-1:012345678901:repository/group/one","registryId":"012345678901","repositoryName":"group/one",`+
		`"repositoryUri":"012345678901.dkr.ecr.us-east-1.amazonaws.com/group/one","createdAt":1772366400.25,"imageTagMutability":"MUTABLE",`+
		`"imageScanningConfiguration":{"scanOnPush":false},"encryptionConfiguration":{"encryptionType":"AES256"}}]}`)
}

func TestMutabilityErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	const mode = "MUTABLE_WITH_EXCLUSION"
	for _, test := range []struct {
		mode    string
		filters []*awstest.Filter
		text    string
	}{
		{mode, nil, "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as MUTABLE_WITH_EXCLUSION"},
		{"IMMUTABLE", awstest.Wildcards("a"), "ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set to IMMUTABLE"},
		{mode, awstest.Wildcards("1", "2", "3", "4", "5", "6"), "Member must have length less than or equal to 5"},
		{mode, []*awstest.Filter{{Filter: "a", FilterType: "REGEX"}}, "Member must satisfy enum value set: [WILDCARD]"},
		{mode, awstest.Wildcards("a", ""), "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$'"},
		{mode, awstest.Wildcards("a", "b/c"), "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$'"},
		{mode, awstest.Wildcards(strings.Repeat("a", 129)), "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$'"},
		{mode, awstest.Wildcards("a*b*", "*a*b*"), "a filter can have at most 2 wildcards"},
	} {
		awstest.WantError(t, test.text, awstest.PutMutability(client, "group/one", test.mode, test.filters), "InvalidParameterException",
			"Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: '"+test.text+"'")
	}
}
