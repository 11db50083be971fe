//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// statement is a statement of a policy under test.
type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

func document(statements ...statement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	return string(mustMarshal(text, err))
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

// Calls that the tables below make in the account "other", where each repository exists whose name
// tells its tag.
var (
	describeNamed = func(names ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return second(c.DescribeRepositories(&ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice(names)}))
		}
	}
	describeAll = func(c *ecr.ECR) error { return second(c.DescribeRepositories(&ecr.DescribeRepositoriesInput{})) }
	create      = func(name string, tags ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return second(c.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: &name, Tags: ecrTags(tags...)}))
		}
	}
	createWithKey = func(key string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			in := &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/new"),
				EncryptionConfiguration: &ecr.EncryptionConfiguration{EncryptionType: aws.String("KMS")}}
			if key != "" {
				in.EncryptionConfiguration.KmsKey = &key
			}
			return second(c.CreateRepository(in))
		}
	}
	remove = func(name string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return second(c.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: &name}))
		}
	}
	tagIt = func(name string, tags ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return second(c.TagResource(&ecr.TagResourceInput{ResourceArn: aws.String(repositoryARN(other, name)), Tags: ecrTags(tags...)}))
		}
	}
	untagIt = func(name string, keys ...string) func(*ecr.ECR) error {
		return func(c *ecr.ECR) error {
			return second(c.UntagResource(&ecr.UntagResourceInput{ResourceArn: aws.String(repositoryARN(other, name)), TagKeys: aws.StringSlice(keys)}))
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
			"StringEquals": {orgAsked: "${aws:PrincipalTag/spinup:org}"}, "Null": {orgTag: true}}))
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
		{"no policy", "", describeAll, "", ""},
		{"read", read("ecr:DescribeRepositories"), describeNamed("group/ours"), "", ""},
		{"read several", read("ecr:DescribeRepositories"), describeNamed("group/ours", "group/untagged"), "", ""},
		{"read what is not there", read("ecr:DescribeRepositories"), describeNamed("group/none"), "RepositoryNotFoundException", ""},
		{"read another org's", read("ecr:DescribeRepositories"), describeNamed("group/theirs"), "AccessDeniedException", explicit},
		{"read another org's among ours", read("ecr:DescribeRepositories"), describeNamed("group/ours", "group/theirs"), "AccessDeniedException", explicit},
		{"read another group's", read("ecr:DescribeRepositories"), describeNamed("other/ours"), "AccessDeniedException", implicit},
		{"read a group with a longer name", read("ecr:DescribeRepositories"), describeNamed("group2/ours"), "AccessDeniedException", implicit},
		{"read the group itself", read("ecr:DescribeRepositories"), describeNamed("group"), "AccessDeniedException", implicit},
		{"read without the action", read("ecr:ListTagsForResource"), describeNamed("group/ours"), "AccessDeniedException", implicit + "ecr:DescribeRepositories action"},
		{"list in the group", read("ecr:DescribeRepositories"), describeAll, "AccessDeniedException",
			"User: arn:aws:sts::210987654321:assumed-role/ecr-api/test is not authorized to perform: ecr:DescribeRepositories " +
				"on resource: arn:aws:ecr:us-east-1:210987654321:repository/* because no session policy allows the ecr:DescribeRepositories action"},
		{"list", document(allowing("arn:aws:ecr:us-east-1:210987654321:repository/*", "ecr:DescribeRepositories")), describeAll, "", ""},
		{"list another region's", document(allowing("arn:aws:ecr:us-west-1:210987654321:repository/*", "ecr:*")), describeAll, "AccessDeniedException", implicit},
		{"list another account's", document(allowing("arn:aws:ecr:us-east-1:012345678901:repository/*", "ecr:*")), describeAll, "AccessDeniedException", implicit},
		{"region by condition", document(allowing("*", "ecr:*").where(conditions{"StringEquals": {"aws:RequestedRegion": here}})), describeAll, "", ""},
		{"account by condition", document(allowing("*", "ecr:*").where(conditions{"StringEquals": {"aws:ResourceAccount": other, "aws:PrincipalAccount": other}})), describeAll, "", ""},
		{"role by condition", document(allowing("*", "ecr:*").where(conditions{"ArnEquals": {"aws:PrincipalArn": *roleARN(other, "ecr-api")}})), describeAll, "", ""},
		{"ecr:ResourceTag", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {"ecr:ResourceTag/spinup:org": "ours"}})), describeNamed("group/ours"), "", ""},
		{"ecr:ResourceTag of another", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {"ecr:ResourceTag/spinup:org": "ours"}})), describeNamed("group/theirs"), "AccessDeniedException", implicit},

		{"write", write("ecr:DeleteRepository"), remove("group/ours"), "", ""},
		{"write another org's", write("ecr:DeleteRepository"), remove("group/theirs"), "AccessDeniedException", explicit},
		{"write an untagged one", write("ecr:DeleteRepository"), remove("group/untagged"), "AccessDeniedException", explicit},
		{"write what is not there", write("ecr:DeleteRepository"), remove("group/none"), "AccessDeniedException", explicit},
		{"write another group's", write("ecr:DeleteRepository"), remove("other/ours"), "AccessDeniedException", implicit},

		{"create", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new", "spinup:org", "ours"), "", ""},
		{"create without tags", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new"), "AccessDeniedException", implicit + "ecr:CreateRepository"},
		{"create for another org", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/new", "spinup:org", "theirs"), "AccessDeniedException", implicit},
		{"create without TagResource", creating("ecr:CreateRepository"), create("group/new", "spinup:org", "ours"), "AccessDeniedException", implicit + "ecr:TagResource action"},
		{"create what is ours", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/ours", "spinup:org", "ours"), "AccessDeniedException", implicit},
		{"create what is untagged", creating("ecr:CreateRepository", "ecr:TagResource"), create("group/untagged", "spinup:org", "ours"), "RepositoryAlreadyExistsException", ""},
		{"take over by tagging", creating("ecr:CreateRepository", "ecr:TagResource"), tagIt("group/theirs", "spinup:org", "ours"), "AccessDeniedException", implicit},
		{"untagged create needs no TagResource", document(allowing(group, "ecr:CreateRepository")), create("group/new"), "", ""},

		{"tag keys", document(allowing(group, "ecr:TagResource"), denying(group, conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": []string{"spinup:org"}}}, "ecr:TagResource")),
			tagIt("group/ours", "a", "b"), "", ""},
		{"forbidden tag keys", document(allowing(group, "ecr:TagResource"), denying(group, conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": []string{"spinup:org"}}}, "ecr:TagResource")),
			tagIt("group/ours", "a", "b", "spinup:org", "x"), "AccessDeniedException", explicit},
		{"tag keys to take away", document(allowing(group, "ecr:UntagResource").where(conditions{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}})),
			untagIt("group/ours", "a1", "a2"), "", ""},
		{"forbidden tag keys to take away", document(allowing(group, "ecr:UntagResource").where(conditions{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}})),
			untagIt("group/ours", "a1", "b"), "AccessDeniedException", implicit},

		{"managed key", kms("kms:RetireGrant"), createWithKey(""), "", ""},
		{"own key", kms("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"), createWithKey(key), "", ""},
		{"own key without CreateGrant", kms("kms:DescribeKey", "kms:RetireGrant"), createWithKey(key), "AccessDeniedException", "kms:CreateGrant on resource: " + key},
		{"own key without DescribeKey", kms("kms:CreateGrant", "kms:RetireGrant"), createWithKey(key), "AccessDeniedException", "kms:DescribeKey on resource: " + key},
		{"own key without RetireGrant", kms("kms:CreateGrant", "kms:DescribeKey"), createWithKey(key), "AccessDeniedException", "kms:RetireGrant on resource: " + key},
		{"own key in another service", strings.Replace(kms("kms:*"), "ecr.us-east-1", "ecr.us-west-1", 1), createWithKey(key), "AccessDeniedException", implicit + "kms:CreateGrant"},
		{"grant for AWS", document(allowing(group, "ecr:*"), allowing(key, "kms:CreateGrant").where(conditions{"Bool": {"kms:GrantIsForAWSResource": true}}),
			allowing(key, "kms:DescribeKey", "kms:RetireGrant")), createWithKey(key), "", ""},
		{"delete encrypted", kms("kms:RetireGrant"), remove("group/encrypted"), "", ""},
		{"delete encrypted without RetireGrant", kms("kms:DescribeKey"), remove("group/encrypted"), "AccessDeniedException", "kms:RetireGrant on resource: arn:aws:kms:us-east-1:210987654321:key/"},

		{"names are checked first", read("ecr:ListImages"), describeNamed("UPPER"), "InvalidParameterException", ""},
		{"two keys that differ in case", document(allowing(group, "ecr:*").where(conditions{"StringEquals": {orgTag: "ours"}})),
			describeNamed("group/twice"), "AccessDeniedException", "the session policy cannot be decided"},
		{"the role forbids it", "", create("forbidden/new"), "AccessDeniedException",
			"because no identity-based policy allows the ecr:CreateRepository action"},
		{"the role denies it", "", untagIt("group/theirs", "locked"), "AccessDeniedException", "with an explicit deny in an identity-based policy"},
		{"the session policy adds nothing", document(allowing("*", "*")), create("forbidden/new"), "AccessDeniedException", "no identity-based policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := enforcing(t)
			client := ecr.New(b.session(here, b.assume(t, other, test.policy, map[string]string{"spinup:org": "ours"})))
			wantError(t, "the call", test.do(client), test.code, test.text)
		})
	}
}

// enforcing returns a server with repositories whose names tell what they are tagged with, and a role
// that may do all but a little.
func enforcing(t *testing.T) *bench {
	t.Helper()
	s := newBench(t)
	permissions := document(
		allowing("arn:aws:ecr:*:*:repository/group*", "ecr:*"), allowing("arn:aws:ecr:*:*:repository/other/*", "ecr:*"),
		allowing("arn:aws:ecr:*:*:repository/*", "ecr:DescribeRepositories"), allowing("*", "kms:*"),
		denying("*", conditions{"ForAnyValue:StringEquals": {"aws:TagKeys": "locked"}}, "ecr:*"))
	delete(s.roles, other+"/ecr-api")
	must(t, s.addRole(Role{Account: other, Name: "ecr-api", Trust: trustLocal, Permissions: permissions}))
	for name, tags := range map[string]map[string]string{
		"group/ours":      {"spinup:org": "ours"},
		"group/theirs":    {"spinup:org": "theirs"},
		"group/twice":     {"spinup:org": "ours", "Spinup:Org": "ours"},
		"group/untagged":  nil,
		"group2/ours":     {"spinup:org": "ours"},
		"other/ours":      {"spinup:org": "ours"},
		"group/encrypted": nil,
	} {
		must(t, s.AddRepository(other, here, name, tags))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Call: Call{Account: other, Region: here}, region: here}
	s.registry(c.place()).repositories["group/encrypted"].encryption = encryption{Type: "KMS"}.resolved(c)
	return s
}

// Every operation needs the action of its own name, on the repository that it is about.
func TestEveryOperationNeedsItsAction(t *testing.T) {
	t.Parallel()
	name, id := aws.String("group/ours"), &ecr.ImageIdentifier{ImageTag: aws.String("v1")}
	arn := aws.String(repositoryARN(other, "group/ours"))
	ids := []*ecr.ImageIdentifier{id}
	operations := map[string]func(*ecr.ECR) error{
		"CreateRepository":     create("group/new"),
		"DescribeRepositories": describeNamed("group/ours"),
		"DeleteRepository": func(c *ecr.ECR) error {
			return second(c.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: name, Force: aws.Bool(true)}))
		},
		"PutImageScanningConfiguration": func(c *ecr.ECR) error {
			return second(c.PutImageScanningConfiguration(&ecr.PutImageScanningConfigurationInput{RepositoryName: name,
				ImageScanningConfiguration: &ecr.ImageScanningConfiguration{}}))
		},
		"PutImageTagMutability": func(c *ecr.ECR) error {
			return second(c.PutImageTagMutability(&ecr.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: aws.String("MUTABLE")}))
		},
		"TagResource":   tagIt("group/ours", "a", "b"),
		"UntagResource": untagIt("group/ours", "a"),
		"ListTagsForResource": func(c *ecr.ECR) error {
			return second(c.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: arn}))
		},
		"DescribeImages": func(c *ecr.ECR) error {
			return second(c.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: name}))
		},
		"ListImages": func(c *ecr.ECR) error { return second(c.ListImages(&ecr.ListImagesInput{RepositoryName: name})) },
		"PutImage": func(c *ecr.ECR) error {
			return second(c.PutImage(&ecr.PutImageInput{RepositoryName: name, ImageManifest: aws.String(manifestOf(1))}))
		},
		"BatchGetImage": func(c *ecr.ECR) error {
			return second(c.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: name, ImageIds: ids}))
		},
		"BatchDeleteImage": func(c *ecr.ECR) error {
			return second(c.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: name, ImageIds: ids}))
		},
		"StartImageScan": func(c *ecr.ECR) error {
			return second(c.StartImageScan(&ecr.StartImageScanInput{RepositoryName: name, ImageId: id}))
		},
		"DescribeImageScanFindings": func(c *ecr.ECR) error {
			return second(c.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: name, ImageId: id}))
		},
	}
	for operation := range services()["ecr"].operations {
		do, ok := operations[operation]
		if !ok {
			t.Errorf("%s is not tried", operation)
			continue
		}
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := enforcing(t)
			must(t, b.AddImage(other, here, "group/ours", Image{Tags: []string{"v1"}, Scan: &Scan{CompletedAt: noon.AddDate(0, 0, -2)}}))
			var rest []string
			for o := range operations {
				if o != operation {
					rest = append(rest, "ecr:"+o)
				}
			}
			try := func(statements ...statement) error {
				return do(ecr.New(b.session(here, b.assume(t, other, document(statements...), nil))))
			}
			wantError(t, "all others", try(allowing("*", rest...)), "AccessDeniedException",
				"because no session policy allows the ecr:"+operation+" action")
			wantError(t, "elsewhere", try(allowing("arn:aws:ecr:us-east-1:210987654321:repository/group2/*", "ecr:"+operation)),
				"AccessDeniedException", "no session policy")
			wantError(t, "denied", try(allowing("*", "*"), denying(group, nil, "ecr:"+operation)), "AccessDeniedException",
				"is not authorized to perform: ecr:"+operation+" on resource: arn:aws:ecr:us-east-1:210987654321:repository/group/")
			wantError(t, "this one", try(allowing(group, "ecr:"+operation)), "", "")
		})
	}
}
