//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func ecrTags(pairs ...string) []*ecr.Tag {
	tags := []*ecr.Tag{}
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, &ecr.Tag{Key: aws.String(pairs[i]), Value: aws.String(pairs[i+1])})
	}
	return tags
}

func TestTags(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	awstest.Must(t, b.AddRepository(localaws.AdministratorAccount, awstest.Here, "group/one", map[string]string{"a": "1"}))
	arn := aws.String(awstest.RepositoryARN(localaws.AdministratorAccount, "group/one"))
	for _, step := range []struct {
		name string
		do   func() error
		want []*ecr.Tag
	}{
		{"before any change", func() error { return nil }, ecrTags("a", "1")},
		{"merge", func() error {
			return awstest.ErrorOf(client.TagResource(&ecr.TagResourceInput{ResourceArn: arn, Tags: ecrTags("b", "2", "a", "3", "é +-=._:/@", "")}))
		}, ecrTags("a", "3", "b", "2", "é +-=._:/@", "")},
		{"untag", func() error {
			return awstest.ErrorOf(client.UntagResource(&ecr.UntagResourceInput{ResourceArn: arn, TagKeys: aws.StringSlice([]string{"a", "none", "é +-=._:/@"})}))
		}, ecrTags("b", "2")},
		{"untag the last tag", func() error {
			return awstest.ErrorOf(client.UntagResource(&ecr.UntagResourceInput{ResourceArn: arn, TagKeys: aws.StringSlice([]string{"b"})}))
		}, ecrTags()},
	} {
		awstest.Must(t, step.do())
		out, err := client.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: arn})
		awstest.Must(t, err)
		if diff := cmp.Diff(&ecr.ListTagsForResourceOutput{Tags: step.want}, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestTagErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	full := make(map[string]string)
	var fiftyOne []string
	for i := range 51 {
		key := fmt.Sprintf("key%d", i)
		fiftyOne = append(fiftyOne, key, "")
		if i < 50 {
			full[key] = ""
		}
	}
	awstest.Must(t, b.AddRepository(localaws.AdministratorAccount, awstest.Here, "group/one", full))
	arn := awstest.RepositoryARN(localaws.AdministratorAccount, "group/one")
	tagAt := func(arn string, pairs ...string) error {
		return awstest.ErrorOf(client.TagResource(&ecr.TagResourceInput{ResourceArn: &arn, Tags: ecrTags(pairs...)}))
	}
	create := func(pairs ...string) error {
		return awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/two"), Tags: ecrTags(pairs...)}))
	}
	list := func(arn string) error {
		return awstest.ErrorOf(client.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: &arn}))
	}
	const badTag, badARN = "InvalidTagParameterException", "InvalidParameterException"
	for _, test := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"one tag too many", tagAt(arn, "key50", ""), "TooManyTagsException", "50"},
		{"new value for one of 50", tagAt(arn, "key49", "new"), "", ""},
		{"create with 51", create(fiftyOne...), "TooManyTagsException", "50"},
		{"empty key", tagAt(arn, "", ""), badTag, "empty"},
		{"long key", create(strings.Repeat("é", 129), ""), badTag, "128"},
		{"long value", create("a", strings.Repeat("é", 257)), badTag, "256"},
		{"reserved key", create("AWS:x", ""), badTag, "reserved"},
		{"reserved value", create("x", "aws:y"), badTag, "reserved"},
		{"character in key", create("a\tb", ""), badTag, "characters"},
		{"character in value", create("a", "b*"), badTag, "characters"},
		{"key twice", create("a", "1", "a", "2"), badTag, "Duplicate"},
		{"untag a reserved key", awstest.ErrorOf(client.UntagResource(&ecr.UntagResourceInput{ResourceArn: &arn, TagKeys: aws.StringSlice([]string{"aws:x"})})), badTag, "reserved"},
		{"longest key and value", create(strings.Repeat("é", 128), strings.Repeat("é", 256)), "", ""},

		{"list of a missing repository", list(awstest.RepositoryARN(localaws.AdministratorAccount, "group/none")), "RepositoryNotFoundException", "'group/none'"},
		{"tag a missing repository", tagAt(awstest.RepositoryARN(localaws.AdministratorAccount, "group/none"), "a", "b"), "RepositoryNotFoundException", "'group/none'"},
		{"untag a missing repository", awstest.ErrorOf(client.UntagResource(&ecr.UntagResourceInput{
			ResourceArn: aws.String(awstest.RepositoryARN(localaws.AdministratorAccount, "group/none")), TagKeys: aws.StringSlice([]string{"a"})})),
			"RepositoryNotFoundException", "'group/none'"},
		{"not an ARN", list("group/one"), badARN, "'resourceArn'"},
		{"ARN of another service", list("arn:aws:s3:us-east-1:012345678901:repository/group/one"), badARN, "'resourceArn'"},
		{"ARN of another region", list("arn:aws:ecr:us-west-1:012345678901:repository/group/one"), badARN, "'resourceArn'"},
		{"ARN of another partition", list("arn:aws-cn:ecr:us-east-1:012345678901:repository/group/one"), badARN, "'resourceArn'"},
		{"ARN of a registry", list("arn:aws:ecr:us-east-1:012345678901:registry/group/one"), badARN, "'resourceArn'"},
		{"ARN without a name", list("arn:aws:ecr:us-east-1:012345678901:repository/"), badARN, ""},
		{"ARN of another account", list(awstest.RepositoryARN(awstest.Other, "group/one")), "AccessDeniedException", "no resource-based policy allows the ecr:ListTagsForResource"},
	} {
		awstest.WantError(t, test.name, test.err, test.code, test.text)
	}
}
