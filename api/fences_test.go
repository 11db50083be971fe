package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/sts"
)

// newUnfencedWorld is newWorld with roles that deny nothing, as in accounts
// that were set up before the role's policy had a Deny. It is for tests of the
// other two fences: the session policies, and the code.
func newUnfencedWorld(t testing.TB, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	return newWorldWith(t, rolesOf(unfenced(t), account, account2), change...)
}

// unfenced returns the role's policy without what it denies.
func unfenced(t testing.TB) string {
	t.Helper()
	return withoutStatements(t, config.RolePolicy, isDeny)
}

func isDeny(s map[string]any) bool { return s["Effect"] == "Deny" }

// sessionOf returns the credentials of a session whose policy allows everything,
// with the tag of the org. The org "" means no tag.
func (a directAWS) sessionOf(org string) *credentials.Credentials {
	in := &sts.AssumeRoleInput{Policy: aws.String(policyForEverything(groupScope).String())}
	if org != "" {
		in.Tags = []*sts.Tag{{Key: aws.String(common.OrgTag), Value: aws.String(org)}}
	}
	return a.assume("arn:aws:iam::"+account+":role/ecr-api", in)
}

// The role's own policy refuses other orgs' repositories to a session whose
// policy allows everything.
func TestRoleAloneRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addAttackTargets()
	direct := w.direct()
	before := direct.state()
	session := direct.sessionOf(org)
	for name, call := range directCalls {
		for _, x := range attackTargets {
			takesOver := call.tags == theirOrg // the tag would make the repository another org's
			if x.account != account || x.whose != others && !takesOver {
				continue
			}
			err := call.do(direct.ecr(x.region, session), x)
			if errorCode(err) != "AccessDeniedException" || !strings.Contains(fmt.Sprint(err), "explicit deny in an identity-based policy") {
				t.Errorf("%s on %s: %v, want an explicit deny of the role", name, x.arn(), err)
			}
		}
	}
	direct.unchanged(before)
}

// The role's own policy allows a session without an org nothing, and a session
// of another org nothing of ours.
func TestRoleRefusesSessionsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addAttackTargets()
	direct := w.direct()
	before := direct.state()
	for _, sessionOrg := range []string{"", otherOrg, strings.ToUpper(org), org + "2"} {
		session := direct.sessionOf(sessionOrg)
		for name, call := range directCalls {
			for _, x := range attackTargets {
				if x.account != account || x.whose != ours && sessionOrg != "" {
					continue
				}
				if code := errorCode(call.do(direct.ecr(x.region, session), x)); code != "AccessDeniedException" {
					t.Errorf("%s on %s by a session of %q: %s", name, x.arn(), sessionOrg, code)
				}
			}
		}
	}
	direct.unchanged(before)
}

// If neither the session policy nor the code checked anything, the role would
// still refuse, and the answer would be 403.
func TestRoleRefusesWhenAllElseIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeRows(func(rt *route) {
		allowEverything(rt)
		checkNothing(rt)
	}))
	w.unspecified = true
	w.addAttackTargets()
	before := w.direct().state()
	for _, name := range []string{"show", "tags", "images", "delete", "scanning", "mutability", "tag"} {
		status, _, body := w.do(exchange{method: http.MethodGet, path: base + "/" + group, body: jsonOf(attempt{name, "team-1/others"})})
		if status != http.StatusForbidden || parse(t, body).(map[string]any)["awsCode"] != "AccessDeniedException" {
			t.Errorf("%s: status %d: %s", name, status, body)
		}
	}
	w.direct().unchanged(before)
}
