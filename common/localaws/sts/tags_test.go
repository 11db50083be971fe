//lint:file-ignore SA1019 The service uses the SDK's first version.

package sts_test

import (
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// TestRoleTags shows that a session has the tags of its role, and that its own
// tags and those that it inherits replace them.
func TestRoleTags(t *testing.T) {
	t.Parallel()
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":"*"}}}`
	b := awstest.New(t, localaws.Role{Account: awstest.Other, Name: "tagged", Trust: trust, Permissions: []string{awstest.AllowAll},
		Tags: map[string]string{"spinup:org": "ours", "Team": "red"}})
	for _, test := range []struct {
		name            string
		tags, inherited []*sts.Tag
		org, team       string // what the session has
	}{
		{"no tags", nil, nil, "ours", "red"},
		{"another tag", []*sts.Tag{tag("more", "yes")}, nil, "ours", "red"},
		{"a tag of the same key", []*sts.Tag{tag("spinup:org", "theirs")}, nil, "theirs", "red"},
		{"a tag of the same key in another case", []*sts.Tag{tag("tEAM", "blue")}, nil, "ours", "blue"},
		{"a tag without a value", []*sts.Tag{tag("spinup:org", "")}, nil, "", "red"},
		{"an inherited tag", nil, []*sts.Tag{tag("SPINUP:ORG", "theirs")}, "theirs", "red"},
		{"both", []*sts.Tag{tag("team", "blue")}, []*sts.Tag{tag("spinup:org", "theirs")}, "theirs", "blue"},
	} {
		caller := b.STS()
		if test.inherited != nil {
			caller = sts.New(b.Session(awstest.Here, inheriting(t, b, test.inherited)))
		}
		list := func(org, team string) error {
			out, err := caller.AssumeRole(&sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, "tagged"), RoleSessionName: aws.String("me"),
				Tags: test.tags, Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":{"StringEquals":{` +
					`"aws:PrincipalTag/spinup:org":"` + org + `","aws:PrincipalTag/team":"` + team + `"}}}}`)})
			awstest.Must(t, err)
			return awstest.ErrorOf(ecr.New(b.Session(awstest.Here, awstest.Issued(out))).DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
		}
		awstest.WantError(t, test.name, list(test.org, test.team), "", "")
		awstest.WantError(t, test.name+", another org", list(test.org+"x", test.team), "AccessDeniedException", "no session policy allows")
		awstest.WantError(t, test.name+", another team", list(test.org, test.team+"x"), "AccessDeniedException", "no session policy allows")
	}
}

// inheriting returns credentials of a session that hands its tags on.
func inheriting(t *testing.T, b *awstest.AWS, tags []*sts.Tag) *credentials.Credentials {
	t.Helper()
	in := &sts.AssumeRoleInput{
		RoleArn: awstest.RoleARN(awstest.Other, "ecr-api"), RoleSessionName: aws.String("first"), ExternalId: aws.String("local"), Tags: tags,
	}
	for _, tag := range tags {
		in.TransitiveTagKeys = append(in.TransitiveTagKeys, tag.Key)
	}
	out, err := b.STS().AssumeRole(in)
	awstest.Must(t, err)
	return awstest.Issued(out)
}

// The tags of a role are not among those that its sessions hand on.
func TestRoleTagsAreNotInherited(t *testing.T) {
	t.Parallel()
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}}`
	first := localaws.Role{Account: awstest.Other, Name: "first", Trust: trust, Permissions: []string{awstest.AllowAll}, Tags: map[string]string{"team": "red"}}
	second := localaws.Role{Account: awstest.Other, Name: "second", Trust: trust, Permissions: []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":{"Null":{"aws:PrincipalTag/team":"true"}}}}`}}
	b := awstest.New(t, first, second)
	var last *credentials.Credentials
	for _, role := range []string{"first", "second"} {
		caller := b.STS()
		if last != nil {
			caller = sts.New(b.Session(awstest.Here, last))
		}
		out, err := caller.AssumeRole(&sts.AssumeRoleInput{RoleArn: awstest.RoleARN(awstest.Other, role), RoleSessionName: aws.String("me")})
		awstest.Must(t, err)
		last = awstest.Issued(out)
	}
	awstest.Must(t, awstest.ErrorOf(ecr.New(b.Session(awstest.Here, last)).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))
}

func tag(key, value string) *sts.Tag { return &sts.Tag{Key: &key, Value: &value} }
