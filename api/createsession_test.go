package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// createSession returns ECR in the session of a create.
func (a directAWS) createSession() *awsecr.ECR {
	return a.ecr(region, a.assumeRole(account, createPolicy(groupScope)))
}

func TestCreateSessionTakesNothingOver(t *testing.T) {
	t.Parallel()
	w := newUnfencedWorld(t)
	w.addAttackTargets()
	direct := w.direct()
	api := direct.createSession()
	before := direct.state()
	for _, c := range []struct {
		directCall, name, want string
	}{
		{"CreateRepository", "team-1/ours", "RepositoryAlreadyExistsException"},
		{"CreateRepository", "team-1/others", "AccessDeniedException"},
		{"CreateRepository", "team-1/untagged", "RepositoryAlreadyExistsException"},
		{"CreateRepository with no tags", "team-1/untagged", "AccessDeniedException"},
		{"CreateRepository as theirs", "team-1/new", "AccessDeniedException"},
		{"CreateRepository with no tags", "team-1/new", "AccessDeniedException"},
		{"CreateRepository", "team-10/new", "AccessDeniedException"},
		{"CreateRepository", "team-1", "AccessDeniedException"},
		{"CreateRepository", "team-1x", "AccessDeniedException"},
		{"TagResource", "team-1/ours", "AccessDeniedException"},
		{"TagResource as theirs", "team-1/ours", "AccessDeniedException"},
		{"TagResource as ours", "team-1/others", "AccessDeniedException"},
		{"TagResource as ours", "team-1/capitals", "AccessDeniedException"},
		{"TagResource in capitals", "team-1/others", "AccessDeniedException"},
		{"TagResource as theirs", "team-1/others", "AccessDeniedException"},
		{"TagResource", "team-1/untagged", "AccessDeniedException"},
		{"TagResource as theirs", "team-1/untagged", "AccessDeniedException"},
		{"TagResource as ours", "other/untagged", "AccessDeniedException"},
		{"UntagResource", "team-1/ours", "AccessDeniedException"},
		{"UntagResource", "team-1/others", "AccessDeniedException"},
	} {
		x := attackTarget{account: account, region: region, name: c.name}
		if code := errorCode(directCalls[c.directCall].do(api, x)); code != c.want {
			t.Errorf("%s on %s: %s, want %s", c.directCall, c.name, code, c.want)
		}
	}
	direct.unchanged(before)

	// The session can do nothing else to the repository that it has made.
	mine := attackTarget{account: account, region: region, name: "team-1/new"}
	if err := directCalls["CreateRepository"].do(api, mine); err != nil {
		t.Fatal(err)
	}
	before = direct.state()
	for name, r := range directCalls {
		want := "AccessDeniedException"
		switch name {
		case "DescribeRepositories", "ListTagsForResource", "TagResource as ours", "TagResource in capitals":
			continue
		case "CreateRepository":
			want = "RepositoryAlreadyExistsException"
		}
		if code := errorCode(r.do(api, mine)); code != want {
			t.Errorf("%s on what was just created: %s, want %s", name, code, want)
		}
	}
	direct.unchanged(before)
}

// The role denies the session to give a repository of ours another group.
func TestCreateSessionKeepsTheGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := group + "/ours"
	w.run(exchange{method: "POST", path: base + "/" + group, body: `{"RepositoryName": "ours"}`, status: 200, want: "-"})
	direct := w.direct()
	before := direct.state()
	for _, test := range []map[string]string{
		{common.OrgTag: org, nameTag: name, spaceTag: "other"},
		{common.OrgTag: org, nameTag: name, "SPINUP:SPACEID": "other"},
	} {
		in := &awsecr.TagResourceInput{ResourceArn: aws.String(attackTarget{account: account, region: region, name: name}.arn())}
		for k, v := range test {
			in.Tags = append(in.Tags, &awsecr.Tag{Key: aws.String(k), Value: aws.String(v)})
		}
		_, err := direct.createSession().TagResource(in)
		if errorCode(err) != "AccessDeniedException" || !strings.Contains(fmt.Sprint(err), "explicit deny in an identity-based policy") {
			t.Errorf("%v: %v, want an explicit deny of the role", test, err)
		}
	}
	direct.unchanged(before)
}

// This is a known gap. AWS demands TagResource for a CreateRepository with
// tags, and no condition key separates that from a call of TagResource. For the
// policy an untagged repository looks like one that does not exist yet. So the
// create session can make it ours. It can also change the tags of a repository of
// ours, but not its org and group: if AWS counts the tags of a create as the repository's,
// that looks like a create, too. The service never calls TagResource
// there. So the risk is a leaked session of a create: for 15 minutes it can take
// the untagged repositories of its own group, and change these tags. If this test
// fails, the gap is closed.
func TestKnownGapUntaggedRepositoryCanBeTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addAttackTargets()
	direct := w.direct()
	before := direct.state()
	changed := []string{"team-1/untagged", "team-1/ours"}
	for _, name := range changed {
		x := attackTarget{account: account, region: region, name: name}
		if err := directCalls["TagResource as ours"].do(direct.createSession(), x); err != nil {
			t.Errorf("the create session cannot tag %s: %v", name, err)
		}
	}
	after := direct.state()
	for _, name := range changed {
		arn := attackTarget{account: account, region: region, name: name}.arn()
		delete(before, arn)
		delete(after, arn)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("more than these repositories changed:\n%s", diff)
	}
}
