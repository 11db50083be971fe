package api

import (
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
)

// A password for docker stands for the session that asked for it. These tests
// use that session itself.

// leakScope is that of a password for team-1/ours.
func leakScope() iam.Scope {
	s := groupScope
	s.Name = "ours"
	return s
}

// theSame returns the target as it is for a session of leakScope.
func theSame(x attackTarget) attackTarget {
	if x.where == inGroup && x.name == "team-1/ours" {
		x.where = theRepository
	}
	return x
}

// newOpenWorld is newWorld with roles that may do everything, so that only the
// session's policy refuses anything.
func newOpenWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, openRoles())
}

func openRoles() []localaws.Role {
	roles := rolesOf(config.RolePolicy, account, account2)
	for i := range roles {
		roles[i].Permissions = []string{policyForEverything(groupScope).String()}
	}
	return roles
}

// The session does with the one repository what it is for. It does nothing else
// there, and nothing anywhere else.
func TestLeakedPassword(t *testing.T) {
	t.Parallel()
	for access, e := range rowTests["CreateCredentials"].access {
		t.Run(access, func(t *testing.T) {
			t.Parallel()
			w := newOpenWorld(t)
			w.addAttackTargets()
			direct := w.direct()
			before := direct.state()
			session := direct.assumeRole(account, accessPolicies[access](leakScope()))
			done := 0
			for name, call := range directCalls {
				for _, x := range attackTargets {
					x = theSame(x)
					if allowed(e, x, call.tags, call.needs...) {
						done++
						continue
					}
					err := call.do(direct.ecr(x.region, session), x)
					if errorCode(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "explicit deny in a session policy") && x.account == account {
						t.Errorf("%s on %s: %v, want an explicit deny of the session", name, x.arn(), err)
					}
				}
			}
			direct.unchanged(before)
			for name, want := range map[string]bool{"BatchGetImage": true, "PutImage": access == "push"} {
				if code := errorCode(directCalls[name].do(direct.ecr(region, session), theRepositoryOfLeak)); (code == "<nil>") != want {
					t.Errorf("%s on the repository: %s", name, code)
				}
			}
			if want := map[string]int{"pull": 1, "push": 2}[access]; done != want {
				t.Errorf("%d calls are allowed, want %d", done, want)
			}
			_, err := sts.New(direct.session, aws.NewConfig().WithCredentials(session)).AssumeRole(&sts.AssumeRoleInput{
				RoleArn: aws.String("arn:aws:iam::" + account + ":role/ecr-api"), RoleSessionName: aws.String("next"), ExternalId: aws.String("local"),
			})
			if code := errorCode(err); code != "AccessDenied" {
				t.Errorf("assuming the role from the session: %s, want AccessDenied", code)
			}
		})
	}
}

var theRepositoryOfLeak = attackTarget{theRepository, ours, account, region, "team-1/ours", org}

// The rights end when the repository is no longer our org's, and when the
// session ends.
func TestLeakedPasswordEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(*world, *awsecr.ECR) error
		want string
	}{
		"another org's": {func(_ *world, administrator *awsecr.ECR) error {
			_, err := administrator.TagResource(&awsecr.TagResourceInput{
				ResourceArn: aws.String(theRepositoryOfLeak.arn()), Tags: awsTags(map[string]string{common.OrgTag: otherOrg})})
			return err
		}, "AccessDeniedException"},
		"no org's": {func(_ *world, administrator *awsecr.ECR) error {
			_, err := administrator.UntagResource(&awsecr.UntagResourceInput{
				ResourceArn: aws.String(theRepositoryOfLeak.arn()), TagKeys: []*string{aws.String(common.OrgTag)}})
			return err
		}, "AccessDeniedException"},
		"made anew by another org": {func(w *world, administrator *awsecr.ECR) error {
			_, err := administrator.DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("team-1/ours"), Force: aws.Bool(true)})
			w.addRepository(account, "team-1/ours", otherOrg)
			return err
		}, "AccessDeniedException"},
		"an hour later": {func(w *world, _ *awsecr.ECR) error {
			w.later.Store(3601)
			return nil
		}, "ExpiredTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOpenWorld(t)
			w.addAttackTargets()
			direct := w.direct()
			session := direct.ecr(region, direct.assumeRole(account, accessPolicies["push"](leakScope())))
			calls := []string{"BatchGetImage", "PutImage"}
			for _, call := range calls {
				if err := directCalls[call].do(session, theRepositoryOfLeak); err != nil {
					t.Errorf("%s before: %v", call, err)
				}
			}
			w.must(nil, test.end(w, w.administrator()))
			for _, call := range calls {
				if code := errorCode(directCalls[call].do(session, theRepositoryOfLeak)); code != test.want {
					t.Errorf("%s after: %s, want %s", call, code, test.want)
				}
			}
		})
	}
}

// The repository's own policy can allow a session what the session policy only
// leaves out, but not what it denies. So each action that is not allowed is
// denied, in every place.
func TestLeakedPasswordIsDeniedAllElse(t *testing.T) {
	t.Parallel()
	for access := range accessPolicies {
		document, err := policy.Parse(accessPolicies[access](leakScope()).String())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range attackTargets {
			context := map[string][]string{}
			if x.org != "" {
				context[resourceOrg] = []string{x.org}
			}
			for _, action := range allActions {
				decision, err := policy.Decide(policy.Request{Action: action, Resource: x.arn(), Context: context}, document)
				allowed := action == "ecr:GetAuthorizationToken" || theSame(x).where == theRepository &&
					decisionFor(rowTests["CreateCredentials"].access[access], action, theSame(x).resource(), noTags) == policy.Allow
				if err != nil || decision == policy.NotAllowed || (decision == policy.Allow) != allowed {
					t.Errorf("%s: %s on %s: %s, %v", access, action, x.arn(), decision, err)
				}
			}
		}
	}
}

// What SECURITY.md says against one leaked password: the role denies everything
// to the session that the audit line names.
func TestOneSessionIsDenied(t *testing.T) {
	t.Parallel()
	deny := iam.NewPolicy(iam.Deny("*", "*").When("StringLike", "aws:userid", "*:test")) // the name of direct's sessions
	roles := rolesOf(config.RolePolicy, account)
	roles[0].Permissions = append(roles[0].Permissions, deny.String())
	w := newWorldWith(t, roles)
	w.addRepository(account, "team-1/ours", org)
	direct := w.direct()
	session := direct.ecr(region, direct.assumeRole(account, accessPolicies["pull"](leakScope())))
	err := directCalls["BatchGetImage"].do(session, theRepositoryOfLeak)
	if errorCode(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "explicit deny in an identity-based policy") {
		t.Errorf("the denied session: %v", err)
	}
	w.run(exchange{name: "another session", method: "GET", path: base + "/team-1/ours", status: 200, want: "-"})
}

// What SECURITY.md says against the passwords of a key that was taken away: the
// role denies everything to the sessions of that key up to now.
func TestSessionsOfAKeyAreDenied(t *testing.T) {
	t.Parallel()
	now := awsClock.Add(time.Hour)
	deny := iam.NewPolicy(iam.Deny("*", "*").When("StringEquals", "aws:SourceIdentity", "gone").
		When("DateLessThan", "aws:TokenIssueTime", now.Format(time.RFC3339)))
	roles := rolesOf(config.RolePolicy, account, account2)
	roles[0].Permissions = append(roles[0].Permissions, deny.String())
	w := newWorldWith(t, roles)
	w.addAttackTargets()
	direct := w.direct()
	want := func(name, key, code string) {
		t.Helper()
		session := direct.assume("arn:aws:iam::"+account+":role/ecr-api", &sts.AssumeRoleInput{
			Policy: aws.String(accessPolicies["pull"](leakScope()).String()), SourceIdentity: aws.String(key),
			Tags: []*sts.Tag{{Key: aws.String(common.OrgTag), Value: aws.String(org)}}})
		if got := errorCode(directCalls["BatchGetImage"].do(direct.ecr(region, session), theRepositoryOfLeak)); got != code {
			t.Errorf("%s: %s, want %s", name, got, code)
		}
	}
	want("the key that is gone", "gone", "AccessDeniedException")
	want("another key", "kept", "<nil>")
	w.later.Store(3600)
	want("the same name, for another key later", "gone", "<nil>")
}

// STS takes the policies with the longest names, packed too.
func TestCredentialsWithTheLongestNames(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("o", 64)
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.Org = longest })
	group, name := strings.Repeat("g", 127), strings.Repeat("n", 128)
	w.addRepository(account, group+"/"+name, longest)
	for _, access := range []string{"pull", "push"} {
		e := ask(access)
		e.path = base + "/" + group + "/" + name + "/credentials"
		w.run(e)
	}
	for _, call := range w.calls {
		if call.Operation == "GetAuthorizationToken" && len(call.Policy) < 1000 {
			t.Errorf("the policy is %s", call.Policy)
		}
	}
}
