//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

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
)

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	policy := strings.ReplaceAll(allowAll, "*", "ecr:*")
	policy = strings.Replace(policy, `"Resource":"ecr:*"`, `"Resource":"*"`, 1)
	out, err := b.sts().AssumeRole(&sts.AssumeRoleInput{
		RoleArn: roleARN(other, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
		DurationSeconds: aws.Int64(900), Policy: &policy,
	})
	must(t, err)
	c := out.Credentials
	if !c.Expiration.Equal(noon.Add(15 * time.Minute).Truncate(time.Second)) {
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
	identity, err := sts.New(b.session(here, issued(out))).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	must(t, err)
	if diff := cmp.Diff(&sts.GetCallerIdentityOutput{
		Account: aws.String(other), Arn: out.AssumedRoleUser.Arn, UserId: out.AssumedRoleUser.AssumedRoleId,
	}, identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	got := b.calls()[1]
	got.Start, got.End, got.RequestID = time.Time{}, time.Time{}, ""
	if diff := cmp.Diff(Call{
		Service: "sts", Operation: "GetCallerIdentity", AccessKey: *c.AccessKeyId, Principal: *out.AssumedRoleUser.Arn,
		Policy: policy, Account: other, Region: here,
	}, got); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}

func TestAdministratorIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	identity, err := b.sts().GetCallerIdentity(&sts.GetCallerIdentityInput{})
	must(t, err)
	if *identity.Account != AdministratorAccount || *identity.Arn != "arn:aws:iam::012345678901:user/administrator" {
		t.Errorf("identity %v", identity)
	}
}

func TestAssumeRoleErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t,
		Role{Account: other, Name: "no-tags", Permissions: allowAll,
			Trust: strings.Replace(trustLocal, `["sts:AssumeRole","sts:TagSession"]`, `"sts:AssumeRole"`, 1)},
		Role{Account: other, Name: "no-administrator", Permissions: allowAll,
			Trust: strings.Replace(trustLocal, `{"AWS":"012345678901"}`, `{"AWS":"arn:aws:iam::012345678901:role/ecr-api"}`, 1)},
		Role{Account: other, Name: "one-org", Permissions: allowAll,
			Trust: strings.Replace(trustLocal, `{"sts:ExternalId":"local"}`, `{"sts:ExternalId":"local","aws:RequestTag/org":"ours"}`, 1)},
	)
	denied := func(action, arn string) string {
		return "User: arn:aws:iam::012345678901:user/administrator is not authorized to perform: " + action + " on resource: " + arn
	}
	tag := func(key, value string) *sts.Tag { return &sts.Tag{Key: &key, Value: &value} }
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
		{"no external id", func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, no, denied("sts:AssumeRole", *roleARN(other, "ecr-api"))},
		{"wrong external id", func(in *sts.AssumeRoleInput) { in.SetExternalId("Local") }, no, denied("sts:AssumeRole", *roleARN(other, "ecr-api"))},
		{"no role", func(in *sts.AssumeRoleInput) { in.RoleArn = roleARN(other, "none") }, no, denied("sts:AssumeRole", *roleARN(other, "none"))},
		{"no account", func(in *sts.AssumeRoleInput) { in.RoleArn = roleARN("111111111111", "ecr-api") }, no, denied("sts:AssumeRole", *roleARN("111111111111", "ecr-api"))},
		{"another partition", func(in *sts.AssumeRoleInput) { in.SetRoleArn("arn:aws-cn:iam::210987654321:role/ecr-api") }, no, "sts:AssumeRole"},
		{"another principal", func(in *sts.AssumeRoleInput) { in.RoleArn = roleARN(other, "no-administrator") }, no, "sts:AssumeRole"},
		{"tags", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("org", "ours")} }, "", ""},
		{"no tags allowed", func(in *sts.AssumeRoleInput) { in.RoleArn = roleARN(other, "no-tags") }, "", ""},
		{"tags not allowed", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = roleARN(other, "no-tags"), []*sts.Tag{tag("a", "b")}
		}, no, denied("sts:TagSession", *roleARN(other, "no-tags"))},
		{"tag asked for", func(in *sts.AssumeRoleInput) { in.RoleArn = roleARN(other, "one-org") }, no, "sts:AssumeRole"},
		{"tag asked for, other", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = roleARN(other, "one-org"), []*sts.Tag{tag("org", "theirs")}
		}, no, "sts:AssumeRole"},
		{"tag asked for, given", func(in *sts.AssumeRoleInput) {
			in.RoleArn, in.Tags = roleARN(other, "one-org"), []*sts.Tag{tag("org", "ours")}
		}, "", ""},

		{"session name", func(in *sts.AssumeRoleInput) { in.SetRoleSessionName("a/b") }, invalid,
			`1 validation error detected: Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"long session name", func(in *sts.AssumeRoleInput) { in.SetRoleSessionName(strings.Repeat("a", 65)) }, invalid, "at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"not an ARN", func(in *sts.AssumeRoleInput) { in.SetRoleArn("role/ecr-api, is it not?") }, invalid, "role/ecr-api, is it not? is invalid"},
		{"external id", func(in *sts.AssumeRoleInput) { in.SetExternalId("a b") }, invalid, "'externalId'"},
		{"short", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(900) }, "", ""},
		{"too long", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(43201) }, invalid, "less than or equal to 43200"},
		{"two errors", func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(43201).SetExternalId("a b") }, invalid, "2 validation errors detected: Value 'a b' at 'externalId'"},

		{"longest policy", func(in *sts.AssumeRoleInput) { in.SetPolicy(allowAll + strings.Repeat(" ", 2048-len(allowAll))) }, "", ""},
		{"too long a policy", func(in *sts.AssumeRoleInput) { in.SetPolicy(allowAll + strings.Repeat(" ", 2049-len(allowAll))) }, invalid, "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"},
		{"characters", func(in *sts.AssumeRoleInput) { in.SetPolicy("{\u20ac}") }, invalid, "'policy'"},
		{"policy", func(in *sts.AssumeRoleInput) { in.SetPolicy("{}") }, "MalformedPolicyDocument", "no statement"},
		{"operator", func(in *sts.AssumeRoleInput) {
			in.SetPolicy(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:TagKeys":"a"}}}}`)
		}, "MalformedPolicyDocument", `operator "StringIs" is not known here`},
		{"managed policy", func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []*sts.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")}}
		}, invalid, "PolicyArns is not supported here"},
		{"source identity", func(in *sts.AssumeRoleInput) { in.SetSourceIdentity("ab") }, invalid, "SourceIdentity is not supported"},

		{"tag key", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("a*", "")} }, invalid, "'tags.1.member.key'"},
		{"tag value", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("b", ""), tag("a", strings.Repeat("x", 257))} }, invalid, "'tags.2.member.value'"},
		{"tag twice", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("a", ""), tag("A", "")} }, value, "Duplicate tag keys"},
		{"reserved tag", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{tag("aws:a", "")} }, value, "reserved"},
		{"transitive", func(in *sts.AssumeRoleInput) { in.TransitiveTagKeys = aws.StringSlice([]string{"a"}) }, value, "transitive"},
		{"51 tags", func(in *sts.AssumeRoleInput) {
			for i := range 51 {
				in.Tags = append(in.Tags, tag(fmt.Sprint(i), ""))
			}
		}, invalid, "'tags'"},
		{"packed", func(in *sts.AssumeRoleInput) { in.Tags = bulk }, "PackedPolicyTooLarge", "allotted space"},
	} {
		in := &sts.AssumeRoleInput{RoleArn: roleARN(other, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local")}
		test.change(in)
		_, err := b.sts().AssumeRole(in)
		wantError(t, test.name, err, test.code, test.text)
	}
}

func TestChaining(t *testing.T) {
	t.Parallel()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],
		"Principal":{"AWS":"arn:aws:iam::012345678901:role/ecr-api"},"Condition":{"StringEquals":{"aws:PrincipalTag/org":"ours"}}}}`
	b := newBench(t, Role{Account: other, Name: "second", Trust: trust,
		Permissions: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*",
			"Condition":{"StringEquals":{"aws:PrincipalTag/org":"ours","aws:PrincipalTag/more":"yes"}}}}`})
	first, err := b.sts().AssumeRole(&sts.AssumeRoleInput{
		RoleArn: roleARN(AdministratorAccount, "ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
		Tags:              []*sts.Tag{{Key: aws.String("org"), Value: aws.String("ours")}},
		TransitiveTagKeys: aws.StringSlice([]string{"ORG"}),
	})
	must(t, err)
	assume := func(c *credentials.Credentials, change func(*sts.AssumeRoleInput)) (*sts.AssumeRoleOutput, error) {
		in := &sts.AssumeRoleInput{RoleArn: roleARN(other, "second"), RoleSessionName: aws.String("me"),
			Tags: []*sts.Tag{{Key: aws.String("more"), Value: aws.String("yes")}}}
		change(in)
		return sts.New(b.session(here, c)).AssumeRole(in)
	}
	out, err := assume(issued(first), func(*sts.AssumeRoleInput) {})
	must(t, err)
	must(t, second(ecr.New(b.session(here, issued(out))).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))

	_, err = assume(issued(first), func(in *sts.AssumeRoleInput) { in.SetDurationSeconds(3601) })
	wantError(t, "over an hour", err, "ValidationError", "1 hour session limit for roles assumed by role chaining")
	_, err = assume(issued(first), func(in *sts.AssumeRoleInput) { in.Tags[0].SetKey("Org") })
	wantError(t, "an inherited tag", err, "InvalidParameterValue", "transitive tag key")
	_, err = assume(b.assume(t, AdministratorAccount, "", nil), func(*sts.AssumeRoleInput) {})
	wantError(t, "untagged", err, "AccessDenied", "sts:AssumeRole")
	narrow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`
	_, err = assume(b.assume(t, AdministratorAccount, narrow, map[string]string{"org": "ours"}), func(*sts.AssumeRoleInput) {})
	wantError(t, "session policy", err, "AccessDenied", "no session policy allows the sts:AssumeRole action")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	value, err := b.assume(t, other, "", nil).Get()
	must(t, err)
	call := func(key, secret, token string) (ecrErr, stsErr error) {
		s := b.session(here, credentials.NewStaticCredentials(key, secret, token))
		return second(ecr.New(s).DescribeRepositories(&ecr.DescribeRepositoriesInput{})),
			second(sts.New(s).GetCallerIdentity(&sts.GetCallerIdentityInput{}))
	}
	for _, test := range []struct {
		name, key, secret, token string
		ecrCode, stsCode         string
	}{
		{"good", value.AccessKeyID, value.SecretAccessKey, value.SessionToken, "", ""},
		{"another secret", value.AccessKeyID, "x", value.SessionToken, "InvalidSignatureException", "SignatureDoesNotMatch"},
		{"another token", value.AccessKeyID, value.SecretAccessKey, "x", "UnrecognizedClientException", "InvalidClientTokenId"},
		{"no token", value.AccessKeyID, value.SecretAccessKey, "", "UnrecognizedClientException", "InvalidClientTokenId"},
		{"unknown session", "ASIA0000000000000000", "x", value.SessionToken, "UnrecognizedClientException", "InvalidClientTokenId"},
		{"any other key", "AKIA0000000000000000", "x", "", "", ""},
	} {
		ecrErr, stsErr := call(test.key, test.secret, test.token)
		wantError(t, test.name, ecrErr, test.ecrCode, "")
		wantError(t, test.name, stsErr, test.stsCode, "")
	}
	for _, test := range []struct {
		after            time.Duration
		ecrCode, stsCode string
	}{
		{time.Hour - time.Second, "", ""},
		{time.Second, "ExpiredTokenException", "ExpiredToken"},
	} {
		b.pass(test.after)
		ecrErr, stsErr := call(value.AccessKeyID, value.SecretAccessKey, value.SessionToken)
		wantError(t, "later", ecrErr, test.ecrCode, "")
		wantError(t, "later", stsErr, test.stsCode, "")
	}
}

func TestOldSessionsAreForgotten(t *testing.T) {
	t.Parallel()
	ss := newSessions()
	now := noon
	for range 20 * minSweep {
		now = now.Add(10 * time.Second)
		ss.add(newSession(principal{}, now.Add(15*time.Minute)), now)
	}
	// 75 minutes of sessions can be needed, at six a minute.
	if n := len(ss.byKey); n > 2*minSweep {
		t.Errorf("%d sessions are kept", n)
	}
}
