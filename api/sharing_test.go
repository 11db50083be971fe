package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

var (
	readSharing    = []right{{do: []string{"ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}}
	readTags       = []right{{do: []string{"ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}}
	changesSharing = []string{"ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"}
	sharingSession = map[string]rowTest{"for sharing": {
		may: []right{
			{do: []string{"ecr:GetRepositoryPolicy"}, where: []string{theRepository}, whose: notOthers},
			{do: changesSharing, where: []string{theRepository}, whose: []string{ours}},
		},
		never:     []right{denyOtherOrgs, {do: changesSharing, whose: []string{noOrg}}},
		redundant: []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"},
	}}
)

var _ = describe("ShowSharing", rowTest{
	calls: []string{"ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "not shared", method: "GET", path: base + "/g/plain/sharing", status: 200, want: notShared},
		{name: "missing", method: "GET", path: base + "/g/missing/sharing", status: 404},
	},
	may:   readSharing,
	never: []right{denyOtherOrgs},
})

var _ = describe("PutSharing", rowTest{
	bodies: []string{`{"Groups": ["team"], "Accounts": []}`, `{"groups": [], "accounts": ["210987654321"]}`},
	calls:  []string{"ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecr:SetRepositoryPolicy"},
	variants: []exchange{
		{name: "share", method: "PUT", path: base + "/g/plain/sharing", body: `{"Groups": ["team"], "Accounts": ["210987654321"]}`, status: 200},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	changes: map[string]change{"ecr:SetRepositoryPolicy": {part: "Sharing"}},
	further: sharingSession,
})

var _ = describe("DeleteSharing", rowTest{
	given: func(w *world, account, repository, _ string) {
		w.setPolicy(account, repository, policyOf(`{"Sid": "EcrApiPullByGroups", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage",
			"Condition": {"StringEquals": {"aws:PrincipalTag/spinup:spaceid": "given", "aws:PrincipalAccount": "012345678901"}}}`))
	},
	calls: []string{"ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecr:DeleteRepositoryPolicy"},
	variants: []exchange{
		{name: "not shared", method: "DELETE", path: base + "/g/plain/sharing", status: 200, want: notShared},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	changes: map[string]change{"ecr:DeleteRepositoryPolicy": {part: "Sharing"}},
	further: sharingSession,
})

const (
	notShared   = `{"Groups": [], "Accounts": [], "Other": 0}`
	sharedToAll = `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 0}`
	shareToAll  = `{"Groups": ["space-2", "space-1"], "Accounts": ["210987654321"]}`
)

// Statements as AWS shows them.
const (
	ofGroups = `{"Sid": "EcrApiPullByGroups", "Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
		"Condition": {"StringEquals": {"aws:PrincipalAccount": ["012345678901", "210987654321"], "aws:PrincipalTag/spinup:org": ["spindev"],
			"aws:PrincipalTag/spinup:spaceid": ["space-1", "space-2"]}}}`
	ofAccounts = `{"Sid": "EcrApiPullByAccounts", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::210987654321:root"]},
		"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Condition": {"StringEquals": {"aws:PrincipalAccount": ["210987654321"]}}}`
	ofLambda = `{"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
		"Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
		"Condition": {"StringLike": {"aws:sourceArn": "arn:aws:lambda:us-east-1:012345678901:function:*"}}}`
	ofEarlier = `{"Sid": "AllowPullImagesFromSpaceAndOrg", "Effect": "Allow", "Principal": "*", "Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
		"Condition": {"StringEqualsIgnoreCase": {"aws:PrincipalTag/spinup:org": "spindev", "aws:PrincipalTag/spinup:spaceid": ["space-1", "space-2"]}}}`
	ofAuditor = `{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::012345678901:role/auditor"}, "Action": "ecr:PutImage"}`
)

// policyOf returns a policy with these statements.
func policyOf(statements ...string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + `]}`
}

// setPolicy sets the policy of a repository directly.
func (w *world) setPolicy(account, repository, text string) {
	w.t.Helper()
	w.setPolicyIn(account, region, repository, text)
}

func (w *world) setPolicyIn(account, region, repository, text string) {
	w.t.Helper()
	if err := w.aws.SetPolicy(account, region, repository, text); err != nil {
		w.t.Fatal(err)
	}
}

// policyNow returns the policy of g/a as AWS has it, empty if there is none.
func (w *world) policyNow() string {
	w.t.Helper()
	out, err := w.administrator().GetRepositoryPolicy(&awsecr.GetRepositoryPolicyInput{RepositoryName: aws.String("g/a")})
	var none *awsecr.RepositoryPolicyNotFoundException
	if errors.As(err, &none) {
		return ""
	}
	w.must(out, err)
	return aws.StringValue(out.PolicyText)
}

// wantPolicy compares the policy of g/a with one, which is empty for none.
func (w *world) wantPolicy(want string) {
	w.t.Helper()
	got := w.policyNow()
	if want == "" || got == "" {
		if got != want {
			w.t.Errorf("the policy is %s, want %s", got, want)
		}
		return
	}
	if diff := cmp.Diff(parse(w.t, want), parse(w.t, got)); diff != "" {
		w.t.Errorf("the policy (-want +got):\n%s", diff)
	}
}

// newSharingWorld returns a world with the repository g/a and its policy.
func newSharingWorld(t *testing.T, text string) *world {
	t.Helper()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.setPolicy(account, "g/a", text)
	return w
}

// sharingOf returns a request about the sharing of g/a.
func sharingOf(method, body string, status int, want string) exchange {
	return exchange{name: common.Clip(method+" "+body, 100), method: method, path: base + "/g/a/sharing", body: body, status: status, want: want}
}

// The policy has what others have written before the change, and still has it
// afterwards.
func TestSharing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before  string
		shown   string // before
		shared  string // the policy after shareToAll
		other   int
		emptied string // the policy after DELETE
	}{
		"no policy":          {"", notShared, policyOf(ofGroups, ofAccounts), 0, ""},
		"Lambda's statement": {policyOf(ofLambda), `{"Groups": [], "Accounts": [], "Other": 1}`, policyOf(ofLambda, ofGroups, ofAccounts), 1, policyOf(ofLambda)},
		"the earlier service's": {policyOf(ofEarlier, ofAuditor), `{"Groups": ["space-1", "space-2"], "Accounts": [], "Other": 1}`,
			policyOf(ofAuditor, ofGroups, ofAccounts), 1, policyOf(ofAuditor)},
		"ours around others": {policyOf(ofAuditor, ofAccounts, ofLambda), `{"Groups": [], "Accounts": ["210987654321"], "Other": 2}`,
			policyOf(ofAuditor, ofLambda, ofGroups, ofAccounts), 2, policyOf(ofAuditor, ofLambda)},
		"ours, and more may do it": {policyOf(strings.Replace(ofGroups, `"ecr:BatchGetImage", `, `"ecr:*", `, 1), ofAccounts), strings.Replace(sharedToAll, "0}", "1}", 1),
			policyOf(ofGroups, ofAccounts), 0, ""},
		"ours, without a condition on the account": {policyOf(strings.Replace(ofGroups, `"aws:PrincipalAccount": ["012345678901", "210987654321"], `, ``, 1), ofAccounts),
			strings.Replace(sharedToAll, "0}", "1}", 1), policyOf(ofGroups, ofAccounts), 0, ""},
		"ours, for another org": {policyOf(strings.Replace(ofGroups, `spindev`, `another`, 1), ofAccounts), strings.Replace(sharedToAll, "0}", "1}", 1), policyOf(ofGroups, ofAccounts), 0, ""},
		"one statement, not in a list": {`{"Id": "x", "Statement": ` + ofLambda + `, "Version": "2008-10-17"}`, `{"Groups": [], "Accounts": [], "Other": 1}`,
			`{"Id": "x", "Statement": [` + ofLambda + `, ` + ofGroups + `, ` + ofAccounts + `], "Version": "2008-10-17"}`, 1,
			`{"Id": "x", "Statement": [` + ofLambda + `], "Version": "2008-10-17"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := strings.Replace(sharedToAll, `"Other": 0`, fmt.Sprintf(`"Other": %d`, test.other), 1)
			none := strings.Replace(notShared, `"Other": 0`, fmt.Sprintf(`"Other": %d`, test.other), 1)
			w := newSharingWorld(t, test.before)
			w.run(sharingOf("GET", "", 200, test.shown), sharingOf("PUT", shareToAll, 200, shared))
			w.wantPolicy(test.shared)
			w.run(sharingOf("GET", "", 200, shared), sharingOf("DELETE", "", 200, none))
			w.wantPolicy(test.emptied)

			w.setPolicy(account, "g/a", test.before)
			w.run(sharingOf("PUT", `{"Groups": [], "Accounts": []}`, 200, none), sharingOf("GET", "", 200, none))
			if strings.Contains(test.shown, `"Groups": [], "Accounts": []`) { // there is nothing to write
				test.emptied = test.before
			}
			w.wantPolicy(test.emptied)
		})
	}
}

// A policy that shares as it should is not written, also if AWS has written it
// anew.
func TestSharingThatIsThereAlready(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, "")
	const three = `{"Groups": ["b", "a", "b", "a"], "Accounts": ["333333333333", "210987654321", "210987654321"]}`
	const shown = `{"Groups": ["a", "b"], "Accounts": ["210987654321", "333333333333"], "Other": 0}`
	w.setPolicy(account, "g/a", policyOf(
		`{"Sid": "EcrApiPullByAccounts", "Effect": "Allow", "Principal": {"AWS": ["333333333333", "arn:aws:iam::210987654321:root"]},
			"Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"], "Condition": {"StringEquals": {"aws:PrincipalAccount": ["333333333333", "210987654321"]}}}`,
		`{"Sid": "EcrApiPullByGroups", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
			"Condition": {"StringEquals": {"aws:PrincipalAccount": ["210987654321", "012345678901", "333333333333"], "aws:PrincipalTag/spinup:org": "spindev",
				"aws:PrincipalTag/spinup:spaceid": ["b", "a"]}}}`))
	w.run(sharingOf("PUT", three, 200, shown))
	w.setPolicy(account, "g/a", policyOf(ofLambda))
	w.run(sharingOf("DELETE", "", 200, `{"Groups": [], "Accounts": [], "Other": 1}`))
	w.setPolicy(account, "g/a", "")
	w.run(sharingOf("DELETE", "", 200, notShared), sharingOf("PUT", `{"Groups": [], "Accounts": []}`, 200, notShared))
	for _, operation := range w.called() {
		if partOf(operation) != "" {
			t.Errorf("%s was called", operation)
		}
	}
	w.forget()
	w.run(sharingOf("PUT", shareToAll, 200, sharedToAll), sharingOf("PUT", shareToAll, 200, sharedToAll))
	if n := count(w.called(), "ecr:SetRepositoryPolicy"); n != 1 {
		t.Errorf("%d writes: %s", n, w.called())
	}
}

func TestSharingInput(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, "")
	for body, detail := range map[string]string{
		`{}`:                                                                      "Groups is needed: a list, which may be empty.",
		`{"Accounts": []}`:                                                        "Groups is needed: a list, which may be empty.",
		`{"Groups": []}`:                                                          "Accounts is needed: a list, which may be empty.",
		`{"Groups": null, "Accounts": []}`:                                        "Groups is needed: a list, which may be empty.",
		`{"Groups": ["a"], "Accounts": null}`:                                     "Accounts is needed: a list, which may be empty.",
		`{"Groups": "a", "Accounts": []}`:                                         "Groups must be an array, not a string.",
		`{"Groups": {}, "Accounts": []}`:                                          "Groups must be an array, not an object.",
		`{"Groups": ["a", 1], "Accounts": []}`:                                    "Groups[1] must be a string, not a number.",
		`{"Groups": ["a", []], "Accounts": []}`:                                   "Groups[1] must be a string, not an array.",
		`{"Groups": [null], "Accounts": []}`:                                      "Groups[0] must be a string, not null.",
		`{"Groups": ["a", "${aws:username}"], "Accounts": []}`:                    "Groups[1] must be of letters, digits, '.', '_' and '-', and not '.' or '..'.",
		`{"Groups": ["a*"], "Accounts": []}`:                                      "Groups[0] must be of letters, digits, '.', '_' and '-', and not '.' or '..'.",
		`{"Groups": [""], "Accounts": []}`:                                        "Groups[0] must be of letters, digits, '.', '_' and '-', and not '.' or '..'.",
		`{"Groups": ["` + strings.Repeat("a", 257) + `"], "Accounts": []}`:        "Groups[0] has 257 characters, and may have 256.",
		`{"Groups": [], "Accounts": ["21098765432"]}`:                             "Accounts[0] must be the twelve digits of an account.",
		`{"Groups": [], "Accounts": ["210987654321", "2109876543210"]}`:           "Accounts[1] must be the twelve digits of an account.",
		`{"Groups": [], "Accounts": ["arn:aws:iam::210987654321:root"]}`:          "Accounts[0] must be the twelve digits of an account.",
		`{"Groups": [], "Accounts": ["*"]}`:                                       "Accounts[0] must be the twelve digits of an account.",
		`{"Groups": [], "Accounts": ["٢١٠٩٨٧٦٥٤٣٢١"]}`:                            "Accounts[0] must be the twelve digits of an account.",
		`{"Groups": [], "Accounts": ["210987654321", "012345678901"]}`:            "Accounts has the account of the repository itself. Share with its groups, or let its own policies say who may pull.",
		`{"Groups": [], "Accounts": [], "Other": 0}`:                              `"Other" is not a key of this request.`,
		`{"Groups": [], "groups": [], "Accounts": []}`:                            `"groups" is given twice.`,
		`{"Groups": [` + strings.Repeat(`"a",`, 10_000) + `"a"], "Accounts": []}`: "A list has over 10000 names, which is too many for the policy of a repository.",
	} {
		w.run(sharingOf("PUT", body, 400, problemOf("bad-request", detail)))
	}
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %s", called)
	}
	w.run(
		sharingOf("PUT", `{"Groups": [`+strings.Repeat(`"a",`, 9_999)+`"a"], "Accounts": []}`, 200, `{"Groups": ["a"], "Accounts": [], "Other": 0}`),
		sharingOf("DELETE", `{"Groups": ["x"]}`, 200, notShared), // a body is not read
	)
}

// The answer says how many groups fit. So many do, and one more does not, also
// by AWS's own count.
func TestSharingWithTooMany(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, policyOf(ofLambda))
	first := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("group-%04d", i))
		}
		return fmt.Sprintf(`{"Groups": %s, "Accounts": ["210987654321"]}`, jsonOf(names))
	}
	const tooLong = "The repository's policy would have %d characters, and may have 10240. Of the %d groups, the first 724 in alphabetical order fit."
	w.run(sharingOf("PUT", first(1000), 400, problemOf("bad-request", fmt.Sprintf(tooLong, 13828, 1000))))
	w.run(sharingOf("PUT", first(725), 400, problemOf("bad-request", fmt.Sprintf(tooLong, 10253, 725))))
	if count(w.called(), "ecr:SetRepositoryPolicy") > 0 {
		t.Errorf("AWS was asked to set a policy: %s", w.called())
	}
	w.wantPolicy(policyOf(ofLambda))
	w.run(sharingOf("PUT", first(724), 200, "-"))
	if length := len(w.policyNow()); length > 10240 || length+len(`,"group-0724"`) <= 10240 {
		t.Errorf("the policy has %d characters", length)
	}
	w.run(sharingOf("DELETE", "", 200, `{"Groups": [], "Accounts": [], "Other": 1}`))
}

// Callers learn nothing of the policies of repositories that are not ours, and
// change nothing of them.
func TestSharingOfAnotherOrg(t *testing.T) {
	t.Parallel()
	for repositoryOrg, whose := range map[string]string{"": "nobody's", "another-org": "another org's"} {
		for name, w := range map[string]*world{"role with a fence": newWorld(t), "role without": newUnfencedWorld(t)} {
			w.addRepository(account, "g/a", repositoryOrg)
			w.setPolicy(account, "g/a", policyOf(ofLambda))
			for _, e := range []exchange{sharingOf("GET", "", 403, ""), sharingOf("PUT", shareToAll, 403, ""), sharingOf("DELETE", "", 403, "")} {
				status, _, body := w.do(e)
				if status != http.StatusForbidden || parse(t, body).(map[string]any)["code"] != "other-org" {
					t.Errorf("%s, %s, %s: status %d: %s", whose, name, e.method, status, body)
				}
			}
			w.wantPolicy(policyOf(ofLambda))
		}
	}
}

// The session that changes the policy is as strict as the code. So it refuses if
// the code were wrong.
func TestEveryActionOfTheSessionForSharingIsNeeded(t *testing.T) {
	t.Parallel()
	for i, s := range writeSharingPolicy(exampleScope).Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, action := range s.Action {
			t.Run(action, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, changeFurther(forSharing, func(s iam.Scope) iam.Policy { return without(writeSharingPolicy(s), i, action) }))
				w.addRepository(account, "g/a", org)
				refused := 0
				for _, e := range []exchange{sharingOf("PUT", shareToAll, 0, ""), sharingOf("DELETE", "", 0, "")} {
					status, _, body := w.do(e)
					if status == 403 && strings.Contains(body, "AWS denied "+action+" to the role") {
						refused++
					}
				}
				if refused == 0 {
					t.Error("both requests succeed without it")
				}
			})
		}
	}
}

// The next functions are what attackers do with the policy of a repository: with
// a client of the service, or with AWS itself.
func attackByPolicy(ctx context.Context, c *ecr.Client, name string) error {
	_, err := c.Policy(ctx, name)
	return err
}

func attackByShare(ctx context.Context, c *ecr.Client, name string) error {
	share := ecr.Share{Org: otherOrg, Groups: []string{"theirs"}, Accounts: []string{}, By: c}
	_, err := share.Set(ctx, name, func(ctx context.Context) (*ecr.Policy, error) {
		if p, err := c.Policy(ctx, name); err == nil {
			return p, nil
		}
		return new(ecr.Policy), nil // the client cannot read it, and writes all the same
	})
	return err
}

func getPolicyDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.GetRepositoryPolicy(&awsecr.GetRepositoryPolicyInput{RegistryId: &x.account, RepositoryName: &x.name})
	return err
}

func setPolicyDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.SetRepositoryPolicy(&awsecr.SetRepositoryPolicyInput{RegistryId: &x.account, RepositoryName: &x.name, PolicyText: aws.String(policyOf(ofAuditor))})
	return err
}

func deletePolicyDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.DeleteRepositoryPolicy(&awsecr.DeleteRepositoryPolicyInput{RegistryId: &x.account, RepositoryName: &x.name})
	return err
}

// A leaked session for sharing allows nothing on any other repository, and
// nothing else on this one.
func TestLeakedSessionForSharing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ours", "others", "untagged"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUnfencedWorld(t)
			w.addAttackTargets()
			direct := w.direct()
			before := direct.state()
			scope := groupScope
			scope.Name = name
			session := direct.assumeRole(account, writeSharingPolicy(scope))
			tried := 0
			for call, r := range directCalls {
				for _, x := range attackTargets {
					if x.name == "team-1/"+name && x.account == account && x.region == region {
						x.where = theRepository
					}
					if allowed(sharingSession[forSharing], x, r.tags, r.needs...) {
						continue
					}
					tried++
					if code := errorCode(r.do(direct.ecr(x.region, session), x)); code != "AccessDeniedException" {
						t.Errorf("%s on %s: %s, want AccessDeniedException", call, x.arn(), code)
					}
				}
			}
			if tried < 100 {
				t.Errorf("only %d calls were tried", tried)
			}
			direct.unchanged(before)
		})
	}
}

// Sharing gives access to nobody in an account that it does not name. Anybody can
// put the tags of a group on a role of his own account, and the org and the
// groups are no secrets.
func TestWhoMayPull(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, "")
	w.run(sharingOf("PUT", shareToAll, 200, sharedToAll))
	document, err := policy.ParseResource(w.policyNow())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		who, account, org, group string
		want                     policy.Decision
	}{
		{"a group shared with", account, org, "space-1", policy.Allow},
		{"that group of an account shared with", account2, org, "space-1", policy.Allow},
		{"another group of an account shared with", account2, "another", "x", policy.Allow}, // its own policies decide
		{"a group not shared with", account, org, "space-3", policy.NotAllowed},
		{"that group of another org", account, "another", "space-1", policy.NotAllowed},
		{"nobody's", account, "", "", policy.NotAllowed},
		{"an account that has copied the tags", "333333333333", org, "space-1", policy.NotAllowed},
	} {
		for _, action := range []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage", "ecr:SetRepositoryPolicy"} {
			want := test.want
			if action == "ecr:PutImage" || action == "ecr:SetRepositoryPolicy" {
				want = policy.NotAllowed
			}
			got, _, err := policy.DecideResource(policy.Request{
				Action: action, Resource: "*", Principal: "arn:aws:iam::" + test.account + ":role/x",
				Context: map[string][]string{"aws:PrincipalAccount": {test.account}, "aws:PrincipalTag/spinup:org": {test.org}, "aws:PrincipalTag/spinup:spaceid": {test.group}},
			}, document)
			if err != nil || got != want {
				t.Errorf("%s, %s: %s, %v, want %s", test.who, action, got, err, want)
			}
		}
	}
}

// AWS refuses the whole policy because of one principal.
func TestPrincipalsThatAreGone(t *testing.T) {
	t.Parallel()
	const refused = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'"
	gone := func(statement, more string) string {
		return problemByAWS("principal-gone", "AWS refuses the repository's policy, because its "+statement+
			" names a user or a role that is gone: "+refused+". Remove that statement in AWS."+more, "InvalidParameterException")
	}
	const perhaps = " Perhaps one of the new accounts does not exist, either."
	t.Run("a role of another statement", func(t *testing.T) {
		t.Parallel()
		w := newSharingWorld(t, policyOf(ofLambda, strings.Replace(ofAuditor, `{"Effect"`, `{"Sid": "Auditor's", "Effect"`, 1)))
		w.must(nil, w.aws.RemoveRole(account, "auditor"))
		w.run(sharingOf("PUT", shareToAll, 409, gone(`statement "Auditor's"`, perhaps)))
		w.run(sharingOf("DELETE", "", 200, `{"Groups": [], "Accounts": [], "Other": 2}`)) // there is nothing to write
	})
	t.Run("without a Sid", func(t *testing.T) {
		t.Parallel()
		w := newSharingWorld(t, policyOf(ofLambda, ofAuditor, ofGroups))
		w.must(nil, w.aws.RemoveRole(account, "auditor"))
		w.run(sharingOf("PUT", shareToAll, 409, gone(`statement 2 (without a Sid)`, perhaps)), sharingOf("DELETE", "", 409, gone(`statement 2 (without a Sid)`, "")))
		if !strings.Contains(w.policyNow(), `"AROA`) {
			t.Errorf("the policy: %s", w.policyNow())
		}
	})
	t.Run("an account", func(t *testing.T) {
		t.Parallel()
		w := newSharingWorld(t, policyOf(ofLambda))
		w.run(sharingOf("PUT", `{"Groups": ["a"], "Accounts": ["333333333333", "210987654321"]}`, 400,
			problemByAWS("bad-request", refused+". Perhaps one of the accounts does not exist, or has this region switched off.", "InvalidParameterException")))
		w.wantPolicy(policyOf(ofLambda))
	})
	t.Run("none that the service knows of", func(t *testing.T) {
		t.Parallel()
		w := newSharingWorld(t, policyOf(strings.Replace(ofAuditor, "auditor", "unknown", 1)))
		w.run(sharingOf("PUT", `{"Groups": ["a"], "Accounts": []}`, 409, problemByAWS("principal-gone", "AWS refuses the repository's policy: "+refused+
			". The reason is probably a user, a role or an account that is gone, in what is not the service's: statement 1 (without a Sid). Look at it in AWS.", "InvalidParameterException")))
	})
}

// A policy that is none is a failure of AWS.
func TestSharingOfAPolicyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "GetRepositoryPolicy" {
			return `{"policyText": "{\"Statement\": "}`
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.setPolicy(account, "g/a", policyOf(ofLambda))
	for _, e := range []exchange{sharingOf("GET", "", 500, ""), sharingOf("PUT", shareToAll, 500, ""), sharingOf("DELETE", "", 500, "")} {
		e.want = problemOf("internal", internalError)
		w.run(e)
	}
	w.wantPolicy(policyOf(ofLambda))
}
