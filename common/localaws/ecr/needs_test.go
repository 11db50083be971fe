//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	localecr "github.com/YaleSpinup/ecr-api/common/localaws/ecr"
)

// statement is a statement of a policy.
type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

func document(statements ...statement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // a mistake in a table below
	}
	return string(text)
}

type conditions = map[string]map[string]any

const (
	group    = "arn:aws:ecr:us-east-1:210987654321:repository/group/*"
	orgTag   = "aws:ResourceTag/spinup:org"
	orgAsked = "aws:RequestTag/spinup:org"
)

func allowing(resource string, actions ...string) statement {
	return statement{Effect: "Allow", Action: actions, Resource: resource}
}

func denying(resource string, c conditions, actions ...string) statement {
	return statement{Effect: "Deny", Action: actions, Resource: resource, Condition: c}
}

// where adds conditions to a statement.
func (s statement) where(c conditions) statement {
	s.Condition = c
	return s
}

// The calls of the tables below. They are made in the account Other, on the
// repositories of newTaggedAWS.
var (
	describeNamed = func(names ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DescribeRepositories(&ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice(names)}))
		}
	}
	describeAll = func(c *ecr.ECR) error {
		return awstest.ErrorOf(c.DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
	}
	create = func(name string, tags ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: &name, Tags: ecrTags(tags...)}))
		}
	}
	createWithKey = func(key string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			in := &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/new"),
				EncryptionConfiguration: &ecr.EncryptionConfiguration{EncryptionType: aws.String("KMS")}}
			if key != "" {
				in.EncryptionConfiguration.KmsKey = &key
			}
			return awstest.ErrorOf(c.CreateRepository(in))
		}
	}
	remove = func(name string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: &name}))
		}
	}
	tagIt = func(name string, tags ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.TagResource(&ecr.TagResourceInput{ResourceArn: aws.String(awstest.RepositoryARN(awstest.Other, name)), Tags: ecrTags(tags...)}))
		}
	}
	untagIt = func(name string, keys ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.UntagResource(&ecr.UntagResourceInput{ResourceArn: aws.String(awstest.RepositoryARN(awstest.Other, name)), TagKeys: aws.StringSlice(keys)}))
		}
	}
)

func TestEnforcement(t *testing.T) {
	t.Parallel()
	const (
		implicit = "because no session policy allows the "
		explicit = "with an explicit deny in a session policy"
		key      = "arn:aws:kms:us-east-1:210987654321:key/k1"
	)
	// The shapes of policy that the service uses.
	read := func(actions ...string) string {
		return document(allowing(group, actions...), denying(group, conditions{
			"StringNotEquals": {orgTag: "ours"}, "Null": {orgTag: "false"}}, actions...))
	}
	write := func(actions ...string) string {
		return document(allowing(group, actions...).where(conditions{"StringEquals": {orgTag: "ours"}}),
			denying(group, conditions{"StringNotEquals": {orgTag: "ours"}}, actions...))
	}
	creating := func(actions ...string) string {
		return document(allowing(group, actions...).where(conditions{
			"StringEquals": {orgAsked: "${aws:PrincipalTag/spinup:org}"}, "StringEqualsIfExists": {orgTag: "${aws:PrincipalTag/spinup:org}"}}))
	}
	kms := func(actions ...string) string {
		return document(allowing(group, "ecr:CreateRepository", "ecr:DeleteRepository"), allowing("*", actions...).where(conditions{
			"StringEquals": {"kms:ViaService": "ecr.us-east-1.amazonaws.com"}}))
	}
	for _, test := range []struct {
		name   string
		policy string
		do     func(*ecr.ECR) error
		code   string
		text   string
	}{
		{"no session policy", "", describeAll, "", ""},
		{"read one of ours", read("ecr:DescribeRepositories"), describeNamed("group/ours"), "", ""},
		{"read several of ours", read("ecr:DescribeRepositories"), describeNamed("group/ours", "group/untagged"), "", ""},
		{"read a repository that does not exist", read("ecr:DescribeRepositories"), describeNamed("group/none"), "RepositoryNotFoundException", ""},
		{"read a repository of another org", read("ecr:DescribeRepositories"), describeNamed("group/theirs"), "AccessDeniedException", explicit},
		{"read one of ours and one of another org", read("ecr:DescribeRepositories"), describeNamed("group/ours", "group/theirs"), "AccessDeniedException", explicit},
		{"read a repository of another group", read("ecr:DescribeRepositories"), describeNamed("other/ours"), "AccessDeniedException", implicit},
		{"read a group whose name begins alike", read("ecr:DescribeRepositories"), describeNamed("group2/ours"), "AccessDeniedException", implicit},
		{"read a repository with the name of the group", read("ecr:DescribeRepositories"), describeNamed("group"), "AccessDeniedException", implicit},
		{"read without the action", read("ecr:ListTagsForResource"), describeNamed("group/ours"), "AccessDeniedException", implicit + "ecr:DescribeRepositories action"},
		{"list all with a policy for one group", read("ecr:DescribeRepositories"), describeAll, "AccessDeniedException",
			"User: arn:aws:sts::210987654321:assumed-role/ecr-api/test is not authorized to perform: ecr:DescribeRepositories " +
				"on resource: arn:aws:ecr:us-east-1:210987654321:repository/* because no session policy allows the ecr:DescribeRepositories action"},
		{"list all", document(allowing("arn:aws:ecr:us-east-1:210987654321:repository/*", "ecr:DescribeRepositories")), describeAll, "", ""},
		{"list all with a policy for another region", document(allowing("arn:aws:ecr:us-west-1:210987654321:repository/*", "ecr:*")), describeAll, "AccessDeniedException", implicit},
		{"list all with a policy for another account", document(allowing("arn:aws:ecr:us-east-1:012345678901:repository/*", "ecr:*")), describeAll, "AccessDeniedException", implicit},
		{"condition on the region", document(allowing("*", "ecr:*").where(conditions{"StringEquals": {"aws:RequestedRegion": awstest.Here}})), describeAll, "", ""},
		{"condition on the account", document(allowing("*", "ecr:*").where(conditions{"StringEquals": {"aws:ResourceAccount": awstest.Other, "aws:PrincipalAccount": awstest.Other}})), describeAll, "", ""},
		{"condition on the role", document(allowing("*", "ecr:*").where(conditions{"ArnEquals": {"aws:PrincipalArn": *awstest.RoleARN(awstest.Other, "ecr-api")}})), describeAll, "", ""},
		{"condition on ecr:ResourceTag", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {"ecr:ResourceTag/spinup:org": "ours"}})), describeNamed("group/ours"), "", ""},
		{"condition on ecr:ResourceTag, another org", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {"ecr:ResourceTag/spinup:org": "ours"}})), describeNamed("group/theirs"), "AccessDeniedException", implicit},

		{"delete one of ours", write("ecr:DeleteRepository"), remove("group/ours"), "", ""},
		{"delete a repository of another org", write("ecr:DeleteRepository"), remove("group/theirs"), "AccessDeniedException", explicit},
		{"delete an untagged repository", write("ecr:DeleteRepository"), remove("group/untagged"), "AccessDeniedException", explicit},
		{"delete a repository that does not exist", write("ecr:DeleteRepository"), remove("group/none"), "AccessDeniedException", explicit},
		{"delete a repository of another group", write("ecr:DeleteRepository"), remove("other/ours"), "AccessDeniedException", implicit},

		{"create", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new", "spinup:org", "ours"), "", ""},
		{"create without tags", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new"), "AccessDeniedException", implicit + "ecr:CreateRepository"},
		{"create for another org", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new", "spinup:org", "theirs"), "AccessDeniedException", implicit},
		{"create without TagResource", creating("ecr:CreateRepository"), create("group/new", "spinup:org", "ours"), "AccessDeniedException", implicit + "ecr:TagResource action"},
		{"create a repository that is already ours", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/ours", "spinup:org", "ours"), "RepositoryAlreadyExistsException", ""},
		{"create a repository of another org as ours", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/theirs", "spinup:org", "ours"), "AccessDeniedException", implicit},
		{"create where the tags of the request count", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {orgTag: "ours", "ecr:ResourceTag/a": "b"}})),
			create("group/new", "spinup:org", "ours", "a", "b"), "", ""},
		{"create where there must be no tag", document(allowing(group, "ecr:*").where(conditions{"Null": {orgTag: true}})), create("group/new", "spinup:org", "ours"), "AccessDeniedException", implicit},
		{"create of one that is there: its tags count", document(allowing(group, "ecr:*").where(conditions{"Null": {orgTag: true}})),
			create("group/untagged", "spinup:org", "ours"), "RepositoryAlreadyExistsException", ""},
		{"create a repository that exists without tags", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/untagged", "spinup:org", "ours"), "RepositoryAlreadyExistsException", ""},
		{"tag a repository of another org as ours", creating("ecr:CreateRepository", "ecr:TagResource"), tagIt("group/theirs", "spinup:org", "ours"), "AccessDeniedException", implicit},
		{"create without tags needs no TagResource", document(allowing(group, "ecr:CreateRepository")), create("group/new"), "", ""},

		{"tag with other keys", document(allowing(group, "ecr:TagResource"), denying(group, conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": []string{"spinup:org"}}}, "ecr:TagResource")),
			tagIt("group/ours", "a", "b"), "", ""},
		{"tag with a forbidden key", document(allowing(group, "ecr:TagResource"), denying(group, conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": []string{"spinup:org"}}}, "ecr:TagResource")),
			tagIt("group/ours", "a", "b", "spinup:org", "x"), "AccessDeniedException", explicit},
		{"untag allowed keys", document(allowing(group, "ecr:UntagResource").where(conditions{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}})),
			untagIt("group/ours", "a1", "a2"), "", ""},
		{"untag another key too", document(allowing(group, "ecr:UntagResource").where(conditions{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}})),
			untagIt("group/ours", "a1", "b"), "AccessDeniedException", implicit},

		{"create with AWS's key", kms("kms:RetireGrant"), createWithKey(""), "", ""},
		{"create with a customer key", kms("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"), createWithKey(key), "", ""},
		{"customer key without CreateGrant", kms("kms:DescribeKey", "kms:RetireGrant"), createWithKey(key), "AccessDeniedException", "kms:CreateGrant on resource: " + key},
		{"customer key without DescribeKey", kms("kms:CreateGrant", "kms:RetireGrant"), createWithKey(key), "AccessDeniedException", "kms:DescribeKey on resource: " + key},
		{"customer key without RetireGrant", kms("kms:CreateGrant", "kms:DescribeKey"), createWithKey(key), "AccessDeniedException", "kms:RetireGrant on resource: " + key},
		{"customer key through ECR in another region", strings.Replace(kms("kms:*"), "ecr.us-east-1", "ecr.us-west-1", 1), createWithKey(key), "AccessDeniedException", implicit + "kms:CreateGrant"},
		{"condition on kms:GrantIsForAWSResource", document(allowing(group, "ecr:*"), allowing(key, "kms:CreateGrant").where(conditions{"Bool": {"kms:GrantIsForAWSResource": true}}),
			allowing(key, "kms:DescribeKey", "kms:RetireGrant")), createWithKey(key), "", ""},
		{"delete an encrypted repository", kms("kms:RetireGrant"), remove("group/encrypted"), "", ""},
		{"delete an encrypted repository without RetireGrant", kms("kms:DescribeKey"), remove("group/encrypted"), "AccessDeniedException", "kms:RetireGrant on resource: arn:aws:kms:us-east-1:210987654321:key/"},

		{"input is checked before permissions", read("ecr:ListImages"), describeNamed("UPPER"), "InvalidParameterException", ""},
		{"two tag keys that differ only in case", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {orgTag: "ours"}})),
			describeNamed("group/twice"), "AccessDeniedException", "the session policy cannot be decided"},
		{"role does not allow the action", "", create("forbidden/new"), "AccessDeniedException",
			"because no identity-based policy allows the ecr:CreateRepository action"},
		{"role denies the action", "", untagIt("group/theirs", "locked"), "AccessDeniedException", "with an explicit deny in an identity-based policy"},
		{"session policy allows more than the role", document(allowing("*", "*")), create("forbidden/new"), "AccessDeniedException", "no identity-based policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newTaggedAWS(t)
			client := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, test.policy, map[string]string{"spinup:org": "ours"})))
			awstest.WantError(t, "call", test.do(client), test.code, test.text)
		})
	}
}

// newTaggedAWS returns a server with repositories. Their names say which tags
// they have. The role ecr-api of the account Other may do almost everything.
func newTaggedAWS(t *testing.T) *awstest.AWS {
	t.Helper()
	permissions := document(
		allowing("arn:aws:ecr:*:*:repository/group*", "ecr:*"), allowing("arn:aws:ecr:*:*:repository/other/*", "ecr:*"),
		allowing("arn:aws:ecr:*:*:repository/*", "ecr:DescribeRepositories"), allowing("*", "kms:*"),
		denying("*", conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": "locked"}}, "ecr:*"))
	b := awstest.New(t, localaws.Role{Account: awstest.Other, Name: "ecr-api", Trust: awstest.TrustLocal, Permissions: []string{permissions}})
	for name, tags := range map[string]map[string]string{
		"group/ours":     {"spinup:org": "ours"},
		"group/theirs":   {"spinup:org": "theirs"},
		"group/twice":    {"spinup:org": "ours", "Spinup:Org": "ours"},
		"group/untagged": nil,
		"group2/ours":    {"spinup:org": "ours"},
		"other/ours":     {"spinup:org": "ours"},
	} {
		awstest.Must(t, b.AddRepository(awstest.Other, awstest.Here, name, tags))
	}
	role := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil)))
	awstest.Must(t, awstest.ErrorOf(role.CreateRepository(&ecr.CreateRepositoryInput{
		RepositoryName:          aws.String("group/encrypted"),
		EncryptionConfiguration: &ecr.EncryptionConfiguration{EncryptionType: aws.String("KMS")},
	})))
	return b
}

// noUpload is the id of an upload that does not exist.
const noUpload = "00000000-0000-4000-8000-000000000000"

// missing returns the error of a call that is allowed, except for the error that
// the layer or the upload is not there.
func missing[T any](_ T, err error) error {
	if code := awstest.CodeOf(err); code == "UploadNotFoundException" || code == "LayersNotFoundException" {
		return nil
	}
	return err
}

// TestEveryOperationNeedsItsAction shows that each operation needs the action
// of its own name on its repository.
func TestEveryOperationNeedsItsAction(t *testing.T) {
	t.Parallel()
	name, id := aws.String("group/ours"), &ecr.ImageIdentifier{ImageTag: aws.String("v1")}
	arn := aws.String(awstest.RepositoryARN(awstest.Other, "group/ours"))
	ids := []*ecr.ImageIdentifier{id}
	operations := map[string]func(*ecr.ECR) error{
		"CreateRepository":     create("group/new"),
		"DescribeRepositories": describeNamed("group/ours"),
		"DeleteRepository": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: name, Force: aws.Bool(true)}))
		},
		"PutImageScanningConfiguration": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.PutImageScanningConfiguration(&ecr.PutImageScanningConfigurationInput{RepositoryName: name,
				ImageScanningConfiguration: &ecr.ImageScanningConfiguration{}}))
		},
		"PutImageTagMutability": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.PutImageTagMutability(&ecr.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: aws.String("MUTABLE")}))
		},
		"SetRepositoryPolicy": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: aws.String(policyForLambda)}))
		},
		"GetRepositoryPolicy": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: name}))
		},
		"DeleteRepositoryPolicy": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: name}))
		},
		"PutLifecyclePolicy":    func(c *ecr.ECR) error { return putLifecycle(c, "group/ours", keepOne) },
		"GetLifecyclePolicy":    func(c *ecr.ECR) error { return awstest.ErrorOf(getLifecycle(c, "group/ours")) },
		"DeleteLifecyclePolicy": func(c *ecr.ECR) error { return deleteLifecycle(c, "group/ours") },
		"StartLifecyclePolicyPreview": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.StartLifecyclePolicyPreview(&ecr.StartLifecyclePolicyPreviewInput{RepositoryName: name}))
		},
		"GetLifecyclePolicyPreview": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetLifecyclePolicyPreview(&ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name}))
		},
		"TagResource":   tagIt("group/ours", "a", "b"),
		"UntagResource": untagIt("group/ours", "a"),
		"ListTagsForResource": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: arn}))
		},
		"DescribeImages": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: name}))
		},
		"ListImages": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.ListImages(&ecr.ListImagesInput{RepositoryName: name}))
		},
		"PutImage": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.PutImage(&ecr.PutImageInput{RepositoryName: name, ImageManifest: aws.String(manifestOf(1))}))
		},
		"BatchGetImage": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: name, ImageIds: ids}))
		},
		"BatchDeleteImage": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: name, ImageIds: ids}))
		},
		"ListImageReferrers": func(c *ecr.ECR) error {
			return awstest.ErrorOf(listReferrers(c, &listReferrersInput{RepositoryName: name, SubjectID: &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf("x"))}}))
		},
		"BatchCheckLayerAvailability": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: name, LayerDigests: []*string{aws.String(digestOf("x"))}}))
		},
		"InitiateLayerUpload": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: name}))
		},
		"UploadLayerPart": func(c *ecr.ECR) error {
			return missing(c.UploadLayerPart(&ecr.UploadLayerPartInput{RepositoryName: name, UploadId: aws.String(noUpload),
				PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte("x")}))
		},
		"CompleteLayerUpload": func(c *ecr.ECR) error {
			return missing(c.CompleteLayerUpload(&ecr.CompleteLayerUploadInput{RepositoryName: name, UploadId: aws.String(noUpload), LayerDigests: []*string{aws.String(digestOf("x"))}}))
		},
		"GetDownloadUrlForLayer": func(c *ecr.ECR) error {
			return missing(c.GetDownloadUrlForLayer(&ecr.GetDownloadUrlForLayerInput{RepositoryName: name, LayerDigest: aws.String(digestOf("x"))}))
		},
		"StartImageScan": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.StartImageScan(&ecr.StartImageScanInput{RepositoryName: name, ImageId: id}))
		},
		"UpdateImageStorageClass": func(c *ecr.ECR) error {
			return awstest.ErrorOf(updateStorageClass(c, &storageClassInput{RepositoryName: name, ImageID: id, TargetStorageClass: aws.String("ARCHIVE")}))
		},
		"BatchGetRepositoryScanningConfiguration": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.BatchGetRepositoryScanningConfiguration(&ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: []*string{name}}))
		},
		"DescribeImageScanFindings": func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: name, ImageId: id}))
		},
	}
	for _, row := range localecr.New(time.Now, "", 0).Service().Operations {
		operation := row.Name
		switch operation { // they are about no repository
		case "GetAuthorizationToken", // TestGetAuthorizationToken
			"GetRegistryScanningConfiguration", "PutRegistryScanningConfiguration": // TestScanningOfRegistryNeedsAll
			continue
		}
		do, ok := operations[operation]
		action := "ecr:" + operation
		if operation == "ListImageReferrers" { // AWS has no action for it
			action = "ecr:BatchGetImage"
		}
		if !ok {
			t.Errorf("%s is not in the table", operation)
			continue
		}
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := newTaggedAWS(t)
			awstest.Must(t, b.AddImage(awstest.Other, awstest.Here, "group/ours", localaws.Image{Tags: []string{"v1"}, Scan: &localaws.Scan{CompletedAt: awstest.Noon.AddDate(0, 0, -2)}}))
			unlimited := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil)))
			setPolicy(t, unlimited, "group/ours", policyForLambda)
			awstest.Must(t, putLifecycle(unlimited, "group/ours", keepOne))
			awstest.Must(t, awstest.ErrorOf(startPreview(unlimited, "group/ours", keepOne)))
			var rest []string
			for o := range operations {
				if "ecr:"+o != action {
					rest = append(rest, "ecr:"+o)
				}
			}
			try := func(statements ...statement) error {
				return do(ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, document(statements...), nil))))
			}
			awstest.WantError(t, "all actions except this one", try(allowing("*", rest...)), "AccessDeniedException",
				"because no session policy allows the "+action+" action")
			awstest.WantError(t, "another group", try(allowing("arn:aws:ecr:us-east-1:210987654321:repository/group2/*", action)),
				"AccessDeniedException", "no session policy")
			awstest.WantError(t, "this action denied", try(allowing("*", "*"), denying(group, nil, action)), "AccessDeniedException",
				"is not authorized to perform: "+action+" on resource: arn:aws:ecr:us-east-1:210987654321:repository/group/")
			awstest.WantError(t, "this action", try(allowing(group, action)), "", "")
		})
	}
}
