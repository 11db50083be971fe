//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestRepositoryLife(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	created, err := client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	want := &ecr.Repository{
		CreatedAt:                  aws.Time(awstest.Noon),
		EncryptionConfiguration:    &ecr.EncryptionConfiguration{EncryptionType: aws.String("AES256")},
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(false)},
		ImageTagMutability:         aws.String("MUTABLE"),
		RegistryId:                 aws.String("012345678901"),
		RepositoryArn:              aws.String("arn:aws:ecr:us-east-1:012345678901:repository/group/one"),
		RepositoryName:             aws.String("group/one"),
		RepositoryUri:              aws.String("012345678901.dkr.ecr.us-east-1.amazonaws.com/group/one"),
	}
	if diff := cmp.Diff(want, created.Repository); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	scanning, err := client.PutImageScanningConfiguration(&ecr.PutImageScanningConfigurationInput{
		RepositoryName:             aws.String("group/one"),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)},
	})
	awstest.Must(t, err)
	want.ImageScanningConfiguration.ScanOnPush = aws.Bool(true)
	if diff := cmp.Diff(&ecr.PutImageScanningConfigurationOutput{
		ImageScanningConfiguration: want.ImageScanningConfiguration,
		RegistryId:                 want.RegistryId,
		RepositoryName:             want.RepositoryName,
	}, scanning); diff != "" {
		t.Errorf("scanning (-want +got):\n%s", diff)
	}

	mutability, err := client.PutImageTagMutability(&ecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("group/one"), ImageTagMutability: aws.String("IMMUTABLE"),
	})
	awstest.Must(t, err)
	want.ImageTagMutability = aws.String("IMMUTABLE")
	if diff := cmp.Diff(&ecr.PutImageTagMutabilityOutput{
		ImageTagMutability: want.ImageTagMutability,
		RegistryId:         want.RegistryId,
		RepositoryName:     want.RepositoryName,
	}, mutability); diff != "" {
		t.Errorf("mutability (-want +got):\n%s", diff)
	}

	for name, in := range map[string]*ecr.DescribeRepositoriesInput{
		"all":     {},
		"by name": {RepositoryNames: aws.StringSlice([]string{"group/one"}), RegistryId: aws.String("012345678901")},
	} {
		described, err := client.DescribeRepositories(in)
		awstest.Must(t, err)
		if diff := cmp.Diff(&ecr.DescribeRepositoriesOutput{Repositories: []*ecr.Repository{want}}, described); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	deleted, err := client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if diff := cmp.Diff(want, deleted.Repository); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	described, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	awstest.Must(t, err)
	if len(described.Repositories) != 0 {
		t.Errorf("still there: %v", described.Repositories)
	}
}

func TestCreateRepositoryInFull(t *testing.T) {
	t.Parallel()
	const key = "arn:aws:kms:us-east-1:012345678901:key/0a1b"
	for _, test := range []struct{ kind, key, want string }{
		{"KMS", "", "arn:aws:kms:us-east-1:012345678901:key/"}, // the key that AWS keeps
		{"KMS", "0a1b", key},
		{"KMS", key, key},
		{"KMS", "alias/mine", "arn:aws:kms:us-east-1:012345678901:key/"},
		{"KMS_DSSE", key, key},
	} {
		b := awstest.New(t)
		in := &ecr.CreateRepositoryInput{
			RepositoryName:             aws.String("group/one"),
			ImageTagMutability:         aws.String("IMMUTABLE"),
			ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)},
			EncryptionConfiguration:    &ecr.EncryptionConfiguration{EncryptionType: aws.String(test.kind)},
			Tags:                       []*ecr.Tag{{Key: aws.String("b"), Value: aws.String("")}, {Key: aws.String("a"), Value: aws.String("1")}},
		}
		if test.key != "" {
			in.EncryptionConfiguration.KmsKey = &test.key
		}
		out, err := b.ECR(awstest.Here).CreateRepository(in)
		awstest.Must(t, err)
		got := aws.StringValue(out.Repository.EncryptionConfiguration.KmsKey)
		if !strings.HasPrefix(got, test.want) || len(got) == len("arn:aws:kms:us-east-1:012345678901:key/") {
			t.Errorf("key %q becomes %q, want %q", test.key, got, test.want)
		}
		out.Repository.EncryptionConfiguration.KmsKey = nil
		if diff := cmp.Diff(in.EncryptionConfiguration.EncryptionType, out.Repository.EncryptionConfiguration.EncryptionType); diff != "" {
			t.Error(diff)
		}
		if !*out.Repository.ImageScanningConfiguration.ScanOnPush || *out.Repository.ImageTagMutability != "IMMUTABLE" {
			t.Errorf("created %v", out.Repository)
		}
		tags, err := b.ECR(awstest.Here).ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: out.Repository.RepositoryArn})
		awstest.Must(t, err)
		if diff := cmp.Diff([]*ecr.Tag{in.Tags[1], in.Tags[0]}, tags.Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
	}
}

func TestRepositoryErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{}))
	create := func(change func(*ecr.CreateRepositoryInput)) error {
		in := &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/new")}
		change(in)
		_, err := client.CreateRepository(in)
		return err
	}
	describe := func(in ecr.DescribeRepositoriesInput) error {
		_, err := client.DescribeRepositories(&in)
		return err
	}
	tooMany := make([]string, 101)
	for i := range tooMany {
		tooMany[i] = fmt.Sprintf("group/%d", i)
	}
	const (
		invalid = "InvalidParameterException"
		missing = "The repository with name 'group/none' does not exist in the registry with id '012345678901'"
	)
	for _, test := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"create a repository that exists", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName("group/one") }),
			"RepositoryAlreadyExistsException", "The repository with name 'group/one' already exists in the registry with id '012345678901'"},
		{"upper case", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName("Group/one") }), invalid,
			`Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/`},
		{"slash at the end", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName("group/") }), invalid, "regular expression"},
		{"newline", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName("group\n") }), invalid, "regular expression"},
		{"three underscores", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName("a___b") }), invalid, "regular expression"},
		{"name too long", create(func(in *ecr.CreateRepositoryInput) { in.SetRepositoryName(strings.Repeat("a", 257)) }), invalid, "less than or equal to 256"},
		{"unknown mutability", create(func(in *ecr.CreateRepositoryInput) { in.SetImageTagMutability("x") }), invalid, "'imageTagMutability'"},
		{"mutability with exclusions without a filter", create(func(in *ecr.CreateRepositoryInput) { in.SetImageTagMutability("MUTABLE_WITH_EXCLUSION") }), invalid,
			"Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as MUTABLE_WITH_EXCLUSION'"},
		{"unknown encryption", create(func(in *ecr.CreateRepositoryInput) {
			in.SetEncryptionConfiguration(&ecr.EncryptionConfiguration{EncryptionType: aws.String("x")})
		}), invalid, "'encryptionType'"},
		{"key without KMS", create(func(in *ecr.CreateRepositoryInput) {
			in.SetEncryptionConfiguration(&ecr.EncryptionConfiguration{EncryptionType: aws.String("AES256"), KmsKey: aws.String("k")})
		}), invalid, "'kmsKey'"},
		{"key of another region", create(func(in *ecr.CreateRepositoryInput) {
			in.SetEncryptionConfiguration(&ecr.EncryptionConfiguration{EncryptionType: aws.String("KMS"),
				KmsKey: aws.String("arn:aws:kms:us-west-1:012345678901:key/a")})
		}), "KmsException", "us-east-1"},
		{"malformed registry id", create(func(in *ecr.CreateRepositoryInput) { in.SetRegistryId("1") }), invalid, "'registryId'"},
		{"registry of another account", create(func(in *ecr.CreateRepositoryInput) { in.SetRegistryId(awstest.Other) }), "AccessDeniedException",
			"User: arn:aws:iam::012345678901:user/administrator is not authorized to perform: ecr:CreateRepository on resource: " +
				awstest.RepositoryARN(awstest.Other, "group/new") + " because no resource-based policy allows the ecr:CreateRepository action"},

		{"describe a missing repository", describe(ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"group/one", "group/none"})}),
			"RepositoryNotFoundException", missing},
		{"describe too many names", describe(ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice(tooMany)}), invalid,
			"Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'Member must have length less than or equal to 100'"},
		{"describe a malformed name", describe(ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"UPPER"})}), invalid, "'repositoryName'"},
		{"names and page size", describe(ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"group/one"}), MaxResults: aws.Int64(5)}), invalid, "'maxResults'"},
		{"names and page token", describe(ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"group/one"}), NextToken: aws.String("x")}), invalid, "'nextToken'"},
		{"page size 1001", describe(ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1001)}), invalid, "less than or equal to 1000"},
		{"malformed page token", describe(ecr.DescribeRepositoriesInput{NextToken: aws.String("x")}), invalid, "'nextToken'"},
		{"page token with a wrong seal", describe(ecr.DescribeRepositoriesInput{NextToken: aws.String(strings.Repeat("x", 80))}), invalid, "'nextToken'"},
		{"describe the registry of another account", describe(ecr.DescribeRepositoriesInput{RegistryId: aws.String(awstest.Other)}), "AccessDeniedException", "repository/*"},

		{"delete a repository with an image", awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})),
			"RepositoryNotEmptyException", "The repository with name 'group/one' in registry with id '012345678901' cannot be deleted because it still contains images"},
		{"delete a missing repository", awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/none")})),
			"RepositoryNotFoundException", missing},
		{"scanning of a missing repository", awstest.ErrorOf(client.PutImageScanningConfiguration(&ecr.PutImageScanningConfigurationInput{
			RepositoryName: aws.String("group/none"), ImageScanningConfiguration: &ecr.ImageScanningConfiguration{},
		})), "RepositoryNotFoundException", missing},
		{"mutability of a missing repository", awstest.ErrorOf(client.PutImageTagMutability(&ecr.PutImageTagMutabilityInput{
			RepositoryName: aws.String("group/none"), ImageTagMutability: aws.String("MUTABLE"),
		})), "RepositoryNotFoundException", missing},
		{"empty mutability", awstest.ErrorOf(client.PutImageTagMutability(&ecr.PutImageTagMutabilityInput{
			RepositoryName: aws.String("group/one"), ImageTagMutability: aws.String(""),
		})), invalid, "'imageTagMutability'"},
	} {
		awstest.WantError(t, test.name, test.err, test.code, test.text)
	}
	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one"), Force: aws.Bool(true)})))
}

func TestAccountsAndRegionsAreSeparate(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "aa")
	awstest.Must(t, b.AddRepository(awstest.Other, awstest.Here, "bb", nil))
	awstest.Must(t, b.AddRepository(localaws.AdministratorAccount, "cn-north-1", "cc", nil))
	for _, test := range []struct {
		name, uri, arn string
		client         *ecr.ECR
	}{
		{"aa", "012345678901.dkr.ecr.us-east-1.amazonaws.com/aa", "arn:aws:ecr:us-east-1:012345678901:repository/aa", b.ECR(awstest.Here)},
		{"bb", "210987654321.dkr.ecr.us-east-1.amazonaws.com/bb", "arn:aws:ecr:us-east-1:210987654321:repository/bb",
			ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil)))},
		{"cc", "012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn/cc", "arn:aws-cn:ecr:cn-north-1:012345678901:repository/cc", b.ECR("cn-north-1")},
	} {
		out, err := test.client.DescribeRepositories(&ecr.DescribeRepositoriesInput{})
		awstest.Must(t, err)
		if len(out.Repositories) != 1 {
			t.Fatalf("%s: %v", test.name, out.Repositories)
		}
		r := out.Repositories[0]
		if *r.RepositoryName != test.name || *r.RepositoryUri != test.uri || *r.RepositoryArn != test.arn {
			t.Errorf("%s: %v", test.name, r)
		}
	}
}

func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	const workers = 16
	var wg sync.WaitGroup
	codes := make(chan string, workers)
	for range workers {
		wg.Go(func() {
			client := b.ECR(awstest.Here)
			_, err := client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
			codes <- awstest.CodeOf(err)
			others := []error{
				awstest.ErrorOf(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{})),
				awstest.ErrorOf(client.TagResource(&ecr.TagResourceInput{ResourceArn: aws.String(awstest.RepositoryARN(localaws.AdministratorAccount, "group/one")),
					Tags: []*ecr.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})),
				awstest.ErrorOf(client.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: aws.String(awstest.RepositoryARN(localaws.AdministratorAccount, "group/one"))})),
				awstest.ErrorOf(client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})),
			}
			for _, err := range others {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(codes)
	made := 0
	for code := range codes {
		if code == "" {
			made++
		} else if code != "RepositoryAlreadyExistsException" {
			t.Errorf("code %s", code)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d creates succeeded", made, workers)
	}
	for _, c := range b.Calls() {
		if c.End.Before(c.Start) || c.RequestID == "" || c.AccessKey != "key" {
			t.Errorf("call %+v", c)
		}
	}
}
