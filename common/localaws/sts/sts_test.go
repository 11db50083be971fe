//lint:file-ignore SA1019 The service uses the SDK's first version.

package sts_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	policy := strings.ReplaceAll(awstest.AllowAll, "*", "ecr:*")
	policy = strings.Replace(policy, `"Resource":"ecr:*"`, `"Resource":"*"`, 1)
	out, err := b.STS().AssumeRole(&sts.AssumeRoleInput{
		RoleArn: awstest.RoleARN(awstest.Other, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
		DurationSeconds: aws.Int64(900), Policy: &policy,
	})
	awstest.Must(t, err)
	c := out.Credentials
	if !c.Expiration.Equal(awstest.Noon.Add(15 * time.Minute).Truncate(time.Second)) {
		t.Errorf("expires at %v", c.Expiration)
	}
	if len(*c.AccessKeyId) != 20 || !strings.HasPrefix(*c.AccessKeyId, "ASIA") || len(*c.SecretAccessKey) != 40 || *c.SessionToken == "" {
		t.Errorf("credentials %v", c)
	}
	if got := *out.AssumedRoleUser.Arn; got != "arn:aws:sts::210987654321:assumed-role/ecr-api/me" {
		t.Errorf("ARN %s", got)
	}
	if size := out.PackedPolicySize; size == nil || *size < 1 || *size > 100 {
		t.Errorf("packed size %v", size)
	}
	identity, err := sts.New(b.Session(awstest.Here, awstest.Issued(out))).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	awstest.Must(t, err)
	if diff := cmp.Diff(&sts.GetCallerIdentityOutput{
		Account: aws.String(awstest.Other), Arn: out.AssumedRoleUser.Arn, UserId: out.AssumedRoleUser.AssumedRoleId,
	}, identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	got := b.Calls()[1]
	got.Start, got.End, got.RequestID = time.Time{}, time.Time{}, ""
	if diff := cmp.Diff(localaws.Call{
		Service: "sts", Operation: "GetCallerIdentity", AccessKey: *c.AccessKeyId, Principal: *out.AssumedRoleUser.Arn,
		Policy: policy, Account: awstest.Other, Region: awstest.Here,
	}, got); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}

func TestAdministratorIdentity(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	identity, err := b.STS().GetCallerIdentity(&sts.GetCallerIdentityInput{})
	awstest.Must(t, err)
	if *identity.Account != localaws.AdministratorAccount || *identity.Arn != "arn:aws:iam::012345678901:user/administrator" {
		t.Errorf("identity %v", identity)
	}
}

func TestAssumeRoleErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t,
		localaws.Role{Account: awstest.Other, Name: "no-tags", Permissions: []string{awstest.AllowAll},
			Trust: strings.Replace(awstest.TrustLocal, `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`, `"sts:AssumeRole"`, 1)},
		localaws.Role{Account: awstest.Other, Name: "no-administrator", Permissions: []string{awstest.AllowAll},
			Trust: strings.Replace(awstest.TrustLocal, `{"AWS":"012345678901"}`, `{"AWS":"arn:aws:iam::012345678901:role/ecr-api"}`, 1)},
		localaws.Role{Account: awstest.Other, Name: "one-org", Permissions: []string{awstest.AllowAll},
			Trust: strings.Replace(awstest.TrustLocal, `{"sts:ExternalId":"local"}`, `{"sts:ExternalId":"local","aws:RequestTag/org":"ours"}`, 1)},
	)
	denied := func(action, arn string) string {
		return "User: arn:aws:iam::012345678901:user/administrator is not authorized to perform: " + action + " on resource: " + arn
	}
	noise := make([]byte, 190)
	_, _ = rand.Read(noise)
	var bulk []*sts.Tag
	for i := range 20 {
		_, _ = rand.Read(noise)
		bulk = append(bulk, tag(fmt.Sprint(i), base64.StdEncoding.EncodeToString(noise)))
	}
	const invalid, no, value = "ValidationError", "AccessDenied", "InvalidParameterValue"
	for _, test := range []struct {
		name       string
		change     func(*sts.AssumeRoleInput)
		code, text string
	}{
		{"good", func(*sts.AssumeRoleInput) {}, "", ""},
		{"no external id", func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, no, denied("sts:AssumeRole", *awstest.RoleARN(awstest.Other, "ecr-api"))},
		{"wrong external id", func(in *sts.AssumeRoleInput) { in.SetExternalId("Local") }, no, denied("sts:AssumeRole", *awstest.RoleARN(awstest.Other, "ecr-api"))},
		{"missing role", func(in *sts.AssumeRoleInput) { in.RoleArn = awstest.RoleARN(awstest.Other, "none") }, no, denied("sts:AssumeRole", *awstest.RoleARN(awstest.Other, "none"))},
		{"missing account", func(in *sts.AssumeRoleInput) { in.RoleArn = awstest.RoleARN("111111111111", "ecr-api") }, no, denied("sts:AssumeRole", *awstest.RoleARN("111111111111", "ecr-api"))},
		{"another partition", func(in *sts.AssumeRoleInput) { in.SetRoleArn("arn:aws-cn:iam::210987654321:role/ecr-api") }, no, "sts:AssumeRole"},
		{"role that trusts another principal", func(in *sts.AssumeRoleInput) { in.RoleArn = awstest.RoleARN(awstest.Other, "no-administrator") }, no, "sts:AssumeRole"},
		{"with tags", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("org", "ours")} }, "", ""},
		{"role that allows no tags", func(in *sts.AssumeRoleInput) { in.RoleArn = awstest.RoleARN(awstest.Other, "no-tags") }, "", ""},
		{"tags for a role that allows none", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = awstest.RoleARN(awstest.Other, "no-tags"), []*sts.Tag{tag("a", "b")}
		}, no, denied("sts:TagSession", *awstest.RoleARN(awstest.Other, "no-tags"))},
		{"role that requires a tag", func(in *sts.AssumeRoleInput) { in.RoleArn = awstest.RoleARN(awstest.Other, "one-org") }, no, "sts:AssumeRole"},
		{"role that requires a tag, another value", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = awstest.RoleARN(awstest.Other, "one-org"), []*sts.Tag{tag("org", "theirs")}
		}, no, "sts:AssumeRole"},
		{"role that requires a tag, right value", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = awstest.RoleARN(awstest.Other, "one-org"), []*sts.Tag{tag("org", "ours")}
		}, "", ""},

		{"malformed session name", func(in *sts.AssumeRoleInput) { in.SetRoleSessionName("a/b") }, invalid,
			`1 validation error detected: Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"long session name", func(in *sts.AssumeRoleInput) { in.SetRoleSessionName(strings.Repeat("a", 65)) }, invalid, "at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"not an ARN", func(in *sts.AssumeRoleInput) { in.SetRoleArn("role/ecr-api, is it not?") }, invalid, "role/ecr-api, is it not? is invalid"},
		{"malformed external id", func(in *sts.AssumeRoleInput) { in.SetExternalId("a b") }, invalid, "'externalId'"},
		{"shortest duration", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(900) }, "", ""},
		{"duration too long", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(43201) }, invalid, "less than or equal to 43200"},
		{"two errors", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(43201).SetExternalId("a b") }, invalid, "2 validation errors detected: Value 'a b' at 'externalId'"},

		{"longest policy", func(in *sts.AssumeRoleInput) {
			in.SetPolicy(awstest.AllowAll + strings.Repeat(" ", 2048-len(awstest.AllowAll)))
		}, "", ""},
		{"policy too long", func(in *sts.AssumeRoleInput) {
			in.SetPolicy(awstest.AllowAll + strings.Repeat(" ", 2049-len(awstest.AllowAll)))
		}, invalid, "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"},
		{"policy with other characters", func(in *sts.AssumeRoleInput) { in.SetPolicy("{\u20ac}") }, invalid, "'policy'"},
		{"policy without a statement", func(in *sts.AssumeRoleInput) { in.SetPolicy("{}") }, "MalformedPolicyDocument", "no statement"},
		{"policy with an unknown operator", func(in *sts.AssumeRoleInput) {
			in.SetPolicy(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:TagKeys":"a"}}}}`)
		}, "MalformedPolicyDocument", `operator "StringIs" is not known here`},
		{"managed policy", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []*sts.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")}}
		}, invalid, "PolicyArns is not supported here"},
		{"with a source identity", func(in *sts.AssumeRoleInput) { in.SetSourceIdentity("ab") }, "", ""},
		{"source identity for a role that allows none", func(in *sts.AssumeRoleInput) {
			in.SetRoleArn(*awstest.RoleARN(awstest.Other, "no-tags")).SetSourceIdentity("ab")
		}, no, denied("sts:SetSourceIdentity", *awstest.RoleARN(awstest.Other, "no-tags"))},
		{"malformed source identity", func(in *sts.AssumeRoleInput) { in.SetSourceIdentity("aws:a") }, invalid, "at 'sourceIdentity' failed to satisfy constraint: Member must satisfy regular expression pattern: "},
		{"long source identity", func(in *sts.AssumeRoleInput) { in.SetSourceIdentity(strings.Repeat("a", 65)) }, invalid, "'sourceIdentity'"},

		{"malformed tag key", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("a*", "")} }, invalid, "'tags.1.member.key'"},
		{"tag value too long", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("b", ""), tag("a", strings.Repeat("x", 257))} }, invalid, "'tags.2.member.value'"},
		{"tag twice", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("a", ""), tag("A", "")} }, value, "Duplicate tag keys"},
		{"reserved tag", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("aws:a", "")} }, value, "reserved"},
		{"transitive key without a tag", func(in *sts.AssumeRoleInput) { in.TransitiveTagKeys = aws.StringSlice([]string{"a"}) }, value, "transitive"},
		{"51 tags", func(in *sts.AssumeRoleInput) {
			for i := range 51 {
				in.Tags = append(in.Tags, tag(fmt.Sprint(i), ""))
			}
		}, invalid, "'tags'"},
		{"packed policy and tags too large", func(in *sts.AssumeRoleInput) { in.Tags = bulk }, "PackedPolicyTooLarge", "allotted space"},
	} {
		in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local")}
		test.change(in)
		_, err := b.STS().AssumeRole(in)
		awstest.WantError(t, test.name, err, test.code, test.text)
	}
}

// A role has a maximum of its own. AWS tells it only to those who may assume
// the role, and looks at what holds for all roles first.
func TestDuration(t *testing.T) {
	t.Parallel()
	b := awstest.New(t,
		localaws.Role{Account: awstest.Other, Name: "day", Trust: awstest.TrustLocal, Permissions: []string{awstest.AllowAll}, MaxSessionDuration: 43200},
		localaws.Role{Account: awstest.Other, Name: "morning", Trust: awstest.TrustLocal, Permissions: []string{awstest.AllowAll}, MaxSessionDuration: 3601},
	)
	const no, invalid = "AccessDenied", "ValidationError"
	for _, test := range []struct {
		role       string
		seconds    int64 // 0 means absent
		externalID string
		code, text string
	}{
		{"day", 43200, "local", "", ""},
		{"day", 0, "local", "", ""},
		{"morning", 3601, "local", "", ""},
		{"morning", 3602, "local", invalid, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"ecr-api", 3600, "local", "", ""},
		{"ecr-api", 3601, "local", invalid, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"ecr-api", 43201, "local", invalid, "Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200"},
		{"ecr-api", 3601, "wrong", no, "sts:AssumeRole"},
		{"none", 3601, "local", no, "sts:AssumeRole"},
	} {
		name := fmt.Sprintf("%s for %d s", test.role, test.seconds)
		in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, test.role), RoleSessionName: aws.String("me"), ExternalId: &test.externalID}
		lasts := time.Hour
		if test.seconds > 0 {
			in.DurationSeconds, lasts = &test.seconds, time.Duration(test.seconds)*time.Second
		}
		out, err := b.STS().AssumeRole(in)
		awstest.WantError(t, name, err, test.code, test.text)
		if err == nil && !out.Credentials.Expiration.Equal(awstest.Noon.Add(lasts).Truncate(time.Second)) {
			t.Errorf("%s: it expires at %v", name, out.Credentials.Expiration)
		}
	}
}

func TestSourceIdentity(t *testing.T) {
	t.Parallel()
	trust := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"AWS":"*"}},
		{"Effect":"Allow","Action":["sts:SetSourceIdentity"],"Principal":{"AWS":"*"},"Condition":{"StringLike":{"sts:SourceIdentity":"ops*"}}}]}`
	onlyFor := func(identity string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceIdentity":"` + identity + `"}}}}`
	}
	b := awstest.New(t,
		localaws.Role{Account: awstest.Other, Name: "first", Trust: trust, Permissions: []string{onlyFor("ops1")}},
		localaws.Role{Account: awstest.Other, Name: "second", Trust: trust, Permissions: []string{onlyFor("ops1")}},
	)
	assume := func(s *sts.STS, role, identity string) (*sts.AssumeRoleOutput, error) {
		in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, role), RoleSessionName: aws.String("me")}
		if identity != "" {
			in.SourceIdentity = &identity
		}
		return s.AssumeRole(in)
	}
	list := func(out *sts.AssumeRoleOutput) error {
		return awstest.ErrorOf(ecr.New(b.Session(awstest.Here, awstest.Issued(out))).DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
	}
	first, err := assume(b.STS(), "first", "ops1")
	awstest.Must(t, err)
	session := sts.New(b.Session(awstest.Here, awstest.Issued(first)))
	second, err := assume(session, "second", "")
	awstest.Must(t, err)
	for _, out := range []*sts.AssumeRoleOutput{first, second} {
		if aws.StringValue(out.SourceIdentity) != "ops1" {
			t.Errorf("source identity %v", out.SourceIdentity)
		}
		awstest.Must(t, list(out))
		if calls := b.Calls(); calls[len(calls)-1].SourceIdentity != "ops1" {
			t.Errorf("the call has the source identity %q", calls[len(calls)-1].SourceIdentity)
		}
	}
	_, err = assume(session, "second", "ops2")
	awstest.WantError(t, "another identity than the caller's", err, "AccessDenied", "sts:SetSourceIdentity")
	_, err = assume(b.STS(), "first", "dev1")
	awstest.WantError(t, "identity that the role does not allow", err, "AccessDenied", "sts:SetSourceIdentity")
	without, err := assume(b.STS(), "first", "")
	awstest.Must(t, err)
	awstest.WantError(t, "session without an identity", list(without), "AccessDeniedException", "no identity-based policy allows")
}

// All policies of a role count together.
func TestSeveralPermissionPolicies(t *testing.T) {
	t.Parallel()
	one := func(effect, action string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"` + action + `","Resource":"*"}}`
	}
	b := awstest.New(t,
		localaws.Role{Account: awstest.Other, Name: "several", Trust: awstest.TrustLocal, Permissions: []string{
			one("Allow", "ecr:DescribeRepositories"), one("Allow", "ecr:CreateRepository"), one("Deny", "ecr:TagResource"), one("Allow", "ecr:TagResource"),
		}},
		localaws.Role{Account: awstest.Other, Name: "none", Trust: awstest.TrustLocal},
	)
	client := func(role string) *ecr.ECR {
		out, err := b.STS().AssumeRole(&sts.AssumeRoleInput{
			RoleArn: awstest.RoleARN(awstest.Other, role), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
		})
		awstest.Must(t, err)
		return ecr.New(b.Session(awstest.Here, awstest.Issued(out)))
	}
	list := func(c *ecr.ECR) error {
		return awstest.ErrorOf(c.DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
	}
	several := client("several")
	awstest.Must(t, list(several))
	awstest.Must(t, awstest.ErrorOf(several.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})))
	awstest.WantError(t, "tagging", awstest.ErrorOf(several.TagResource(&ecr.TagResourceInput{
		ResourceArn: aws.String(awstest.RepositoryARN(awstest.Other, "group/one")), Tags: []*ecr.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})), "AccessDeniedException", "is not authorized to perform: ecr:TagResource on resource: "+awstest.RepositoryARN(awstest.Other, "group/one")+
		" with an explicit deny in an identity-based policy")
	awstest.WantError(t, "deleting", awstest.ErrorOf(several.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})),
		"AccessDeniedException", "because no identity-based policy allows the ecr:DeleteRepository action")
	awstest.WantError(t, "a role without policies", list(client("none")),
		"AccessDeniedException", "because no identity-based policy allows the ecr:DescribeRepositories action")
}

func TestChaining(t *testing.T) {
	t.Parallel()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],
		"Principal":{"AWS":"arn:aws:iam::012345678901:role/ecr-api"},"Condition":{"StringEquals":{"aws:PrincipalTag/org":"ours"}}}}`
	b := awstest.New(t, localaws.Role{Account: awstest.Other, Name: "second", Trust: trust, MaxSessionDuration: 7200,
		Permissions: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*",
			"Condition":{"StringEquals":{"aws:PrincipalTag/org":"ours","aws:PrincipalTag/more":"yes"}}}}`}})
	first, err := b.STS().AssumeRole(&sts.AssumeRoleInput{
		RoleArn: awstest.RoleARN(localaws.AdministratorAccount, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
		Tags:              []*sts.Tag{{Key: aws.String("org"), Value: aws.String("ours")}},
		TransitiveTagKeys: aws.StringSlice([]string{"ORG"}),
	})
	awstest.Must(t, err)
	assume := func(c *credentials.Credentials, change func(*sts.AssumeRoleInput)) (*sts.AssumeRoleOutput, error) {
		in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, "second"), RoleSessionName: aws.String("me"),
			Tags: []*sts.Tag{{Key: aws.String("more"), Value: aws.String("yes")}}}
		change(in)
		return sts.New(b.Session(awstest.Here, c)).AssumeRole(in)
	}
	out, err := assume(awstest.Issued(first), func(*sts.AssumeRoleInput) {})
	awstest.Must(t, err)
	awstest.Must(t, awstest.ErrorOf(ecr.New(b.Session(awstest.Here, awstest.Issued(out))).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))

	_, err = assume(awstest.Issued(first), func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(3601) })
	awstest.WantError(t, "session of more than an hour", err, "ValidationError",
		"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	_, err = assume(awstest.Issued(first), func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(7201) })
	awstest.WantError(t, "session of more than the role's maximum", err, "ValidationError",
		"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	_, err = assume(awstest.Issued(first), func(in *sts.AssumeRoleInput) { in.Tags[0].SetKey("Org") })
	awstest.WantError(t, "inherited tag", err, "InvalidParameterValue", "transitive tag key")
	_, err = assume(b.Assume(t, localaws.AdministratorAccount, "", nil), func(*sts.AssumeRoleInput) {})
	awstest.WantError(t, "caller without tags", err, "AccessDenied", "sts:AssumeRole")
	narrow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`
	_, err = assume(b.Assume(t, localaws.AdministratorAccount, narrow, map[string]string{"org": "ours"}), func(*sts.AssumeRoleInput) {})
	awstest.WantError(t, "session policy without sts:AssumeRole", err, "AccessDenied", "no session policy allows the sts:AssumeRole action")
}
