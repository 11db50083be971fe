package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

var _ = describe("UpdateUser", rowTest{
	bodies: []string{`{"Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`, `{"Access": "push", "resetkey": "true"}`, `{}`},
	calls:  append([]string{"ecr:ListTagsForResource", "iam:PutUserPolicy", "iam:TagUser"}, readsOfUser...),
	changes: map[string]change{
		"iam:PutUserPolicy": {part: "Access", body: `{"Access": "pull"}`},
		"iam:TagUser":       {part: "Tags", body: `{"Tags": [{"Key": "k", "Value": "v"}]}`},
	},
	variants: []exchange{
		{name: "nothing", method: "PUT", path: base + "/g/users/users/builder", body: `{}`, status: 200},
		{name: "missing", method: "PUT", path: base + "/g/users/users/nobody", body: `{}`, status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: changeSessions,
})

// updateOf returns an update of the user builder of g/a.
func updateOf(body string, status int, want string) exchange {
	return usersOf("PUT", "builder", body, status, want)
}

// writes returns the operations that have changed something in IAM since forget.
func (w *world) writes() []string {
	return slices.DeleteFunc(w.called(), func(operation string) bool {
		return !strings.HasPrefix(operation, "iam:") || reads.MatchString(operation)
	})
}

// wantWrites compares the changes of IAM since forget, and forgets.
func (w *world) wantWrites(want ...string) {
	w.t.Helper()
	if got := w.writes(); !slices.Equal(got, want) {
		w.t.Errorf("changes %s, want %s", got, want)
	}
	w.forget()
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	const k = `"Tags": [{"Key": "K", "Value": "w"}, `
	w.run(updateOf(`{}`, 200, shownUser("builder", "pull")))
	w.run(updateOf(`{"Access": "pull", "Tags": null, "resetkey": false}`, 200, shownUser("builder", "pull")))
	w.wantWrites()
	w.run(updateOf(`{"Access": "push"}`, 200, shownUser("builder", "push")))
	w.wantWrites("iam:PutUserPolicy")
	w.run(updateOf(`{"tags": [{"Key": "k", "Value": "v"}, {"Key": "ResourceName", "Value": "g/b"}, {"Key": "spinup:org", "Value": "x"}]}`,
		200, shownUser("builder", "push", `{"Key": "spinup:org"`, `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`)))
	w.wantWrites("iam:TagUser")
	w.run(
		updateOf(`{"Tags": [{"Key": "K", "Value": "w"}], "Access": "pull"}`, 200, shownUser("builder", "pull", `"Tags": [`, k)), // IAM takes k for the same key
		usersOf("GET", "builder", "", 200, shownUser("builder", "pull", `"Tags": [`, k)),
	)
	w.wantWrites("iam:PutUserPolicy", "iam:TagUser")
	w.run(
		updateOf(`{"Access": "all"}`, 400, problemOf("bad-request", "Access must be pull or push.")),
		updateOf(`{"resetkey": "yes"}`, 400, problemOf("bad-request", "resetkey must be true or false.")),
		updateOf(`{"resetKeys": true}`, 400, problemOf("bad-request", `"resetKeys" is not a key of this request.`)),
	)
	w.wantWrites()
}

// The tags are counted together with those that the user has.
func TestUpdateUserWithTooManyTags(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	var tags []string
	for i := range 47 {
		tags = append(tags, fmt.Sprintf(`{"Key": "k%d", "Value": ""}`, i))
	}
	body := func(n int) string { return `{"Access": "push", "Tags": [` + strings.Join(tags[:n], ", ") + `]}` }
	w.run(updateOf(body(47), 400, problemOf("bad-request", "The user would have 51 tags, those of the service included. It may have 50.")))
	w.wantWrites()
	w.run(updateOf(body(46), 200, "-"))
}

// resetKey makes a key in place of the present one, and compares the answer.
func (w *world) resetKey(body, access string, deleted []string) (k madeKey) {
	w.t.Helper()
	status, header, answer := w.do(updateOf(body, 0, ""))
	var a struct{ AccessKey madeKey }
	if err := json.Unmarshal([]byte(answer), &a); err != nil || status != 200 || header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("status %d: %s", status, answer)
	}
	k = a.AccessKey
	w.wantSame("the answer", answer, with(shownUser("builder", access, `"AccessKeys": []`, `"AccessKeys": [`+shownKey(k.AccessKeyID)+`]`), fmt.Sprintf(
		`"AccessKey": {"AccessKeyId": %q, "SecretAccessKey": %q, "Status": "Active", "CreateDate": "2040-12-14T15:34:18Z"}, "DeletedAccessKeys": %s`,
		k.AccessKeyID, k.SecretAccessKey, jsonOf(deleted))))
	w.wantKeys(k.AccessKeyID)
	w.must(nil, w.logIn(k))
	return k
}

// A new key takes the place of the present one, which is deleted afterwards.
func TestResetKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	first := w.resetKey(`{"resetkey": true}`, "pull", []string{})
	w.forget()
	second := w.resetKey(`{"ResetKey": "true", "Access": "push"}`, "push", []string{first.AccessKeyID})
	w.wantWrites("iam:PutUserPolicy", "iam:CreateAccessKey", "iam:DeleteAccessKey")
	if w.logIn(first) == nil {
		t.Error("the old key works")
	}
	line := w.lastLine(t)
	if line["madeAccessKey"] != second.AccessKeyID || fmt.Sprint(line["deletedAccessKeys"]) != "["+first.AccessKeyID+"]" || line["outcome"] != "done" {
		t.Errorf("the line about it: %v", line)
	}
	w.addKey(account, "g-a-builder")
	w.forget()
	w.run(updateOf(`{"resetkey": true, "Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`, 409, "-"))
	w.wantWrites()
}

// IAM still shows what an update has replaced a moment ago, and the next update
// wants that back.
func TestUpdateBackWhileIAMIsLate(t *testing.T) {
	t.Parallel()
	u := builder("pull")
	u.Tags["k"] = "v"
	w := newUserWorld(t, u)
	strange := ourUser(account, "g/a", org, "strange", "pull")
	strange.Policies["ecr-api"] = formerPolicy
	w.addUser(account, strange)
	now := func(name string) localaws.UserNow { return w.aws.UsersNow(account, "/")["g-a-"+name] }
	w.aws.SetIAMDelay(time.Hour)
	w.run(
		updateOf(`{"Access": "push", "Tags": [{"Key": "k", "Value": "w"}]}`, 200, "-"),
		updateOf(`{"Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`, 200, "-"),
	)
	if u := now("builder"); u.Tags["k"] != "v" || strings.Contains(u.Policies["ecr-api"], "PutImage") {
		t.Errorf("the user is %v", u)
	}
	w.forget()
	w.run(
		updateOf(`{"Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`, 200, "-"), // no need to write
		updateOf(`{"Access": "push"}`, 200, "-"),
		exchange{method: "POST", path: builderKeys, status: 200, want: "-"}, // asks for no access
		usersOf("PUT", "strange", `{"Access": "pull"}`, 200, "-"),
		usersOf("POST", "strange/keys", "", 409, "-"), // somebody may have changed it again
		usersOf("PUT", "strange", `{"Access": "pull", "resetkey": true}`, 200, "-"),
	)
	w.wantWrites("iam:PutUserPolicy", "iam:CreateAccessKey", "iam:PutUserPolicy", "iam:PutUserPolicy", "iam:CreateAccessKey")
	if policy := now("builder").Policies["ecr-api"]; !strings.Contains(policy, "PutImage") {
		t.Errorf("the policy of the user who may push is %s", policy)
	}
	if policy := now("strange").Policies["ecr-api"]; strings.Contains(policy, "PutImage") {
		t.Errorf("the policy of the user who may pull is %s", policy)
	}
}

// IAM does not show yet the keys that were made a moment ago, and does not know
// them everywhere.
func TestKeysWhileIAMIsLate(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	ids := func() (ids []string) {
		for _, k := range w.aws.UsersNow(account, "/")["g-a-builder"].Keys {
			ids = append(ids, k.ID)
		}
		return ids
	}
	w.aws.SetIAMDelay(time.Hour)
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	first := ids()[0]
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "NoSuchEntity", Status: 404, Times: 5})
	w.run(
		usersOf("GET", "builder", "", 200, shownUser("builder", "pull", `"AccessKeys": []`, `"AccessKeys": [`+shownKey(first)+`]`)),
		updateOf(`{"resetkey": true}`, 200, "-"),
	)
	if line := w.lastLine(t); fmt.Sprint(line["deletedAccessKeys"]) != "["+first+"]" {
		t.Errorf("the line about it: %v", line)
	}
	if len(ids()) != 1 || ids()[0] == first {
		t.Errorf("the keys are %v", ids())
	}
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	want := problemOf("two-access-keys", twoKeysSaid(ids()[0], ids()[1]))
	w.run(updateOf(`{"resetkey": true}`, 409, want),
		exchange{method: "POST", path: builderKeys, status: 409, want: with(want, `"awsCode": "LimitExceeded", "awsRequestId": "aws"`)})
}

// The old key cannot be deleted. The caller gets the new one all the same, and an
// operator is told.
func TestResetKeyThatLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]localaws.Fault{"denied": {Code: "AccessDenied", Status: 403}, "lost": {Drop: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, builder("pull"))
			old := w.makeKey().AccessKeyID
			fault.Operation = "iam:DeleteAccessKey"
			w.aws.Inject(fault)
			w.later.Add(1) // so that the old key is the first
			status, _, answer := w.do(updateOf(`{"resetkey": true}`, 0, ""))
			var a struct {
				AccessKey         madeKey
				DeletedAccessKeys []string
				AccessKeys        []struct{ AccessKeyID string }
			}
			w.must(nil, json.Unmarshal([]byte(answer), &a))
			if status != 200 || len(a.AccessKeys) != 2 || a.AccessKeys[0].AccessKeyID != old || a.AccessKeys[1].AccessKeyID != a.AccessKey.AccessKeyID || a.DeletedAccessKeys == nil || len(a.DeletedAccessKeys) != 0 {
				t.Errorf("status %d: %s", status, answer)
			}
			w.wantKeys(old, a.AccessKey.AccessKeyID)
			line := w.lastLine(t)
			if line["level"] != "warning" || line["outcome"] != "partial" || line["error"] == nil || line["status"] != 200.0 || line["msg"] != "audit" {
				t.Errorf("the line about it: %v", line)
			}
		})
	}
}

// AWS does not answer the deletion of the old key. The caller, who waits for the new
// one, does not wait for a second attempt.
func TestResetKeyWhileDeletionsStall(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	old := w.makeKey().AccessKeyID
	var attempts atomic.Int64
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Delay: time.Hour, When: func(localaws.Call) bool { return attempts.Add(1) > 0 }})
	status, _, answer := w.do(updateOf(`{"resetkey": true}`, 0, ""))
	var a struct{ AccessKey madeKey }
	w.must(nil, json.Unmarshal([]byte(answer), &a))
	if status != 200 || attempts.Load() != 1 {
		t.Errorf("%d attempts, and status %d: %s", attempts.Load(), status, answer)
	}
	w.wantKeys(old, a.AccessKey.AccessKeyID)
}

// A user of the earlier service becomes one of this service before its access
// changes, and before it gets a key. In this order it can never do more than
// before, and always use its own repository.
func TestUserOfTheEarlierService(t *testing.T) {
	t.Parallel()
	takenOver := []string{"iam:PutUserPermissionsBoundary", "iam:PutUserPolicy", "iam:RemoveUserFromGroup"}
	for name, test := range map[string]struct {
		change   func(*localaws.User)
		request  exchange
		access   string // afterwards
		wantCall []string
	}{
		"a key":                  {func(*localaws.User) {}, exchange{method: "POST", path: builderKeys}, "push", append(takenOver, "iam:CreateAccessKey")},
		"to pull":                {func(*localaws.User) {}, updateOf(`{"Access": "pull"}`, 0, ""), "pull", takenOver},
		"a key in place of none": {func(*localaws.User) {}, updateOf(`{"resetkey": true}`, 0, ""), "push", append(takenOver, "iam:CreateAccessKey")},
		"without a group":        {func(u *localaws.User) { u.Groups = nil }, updateOf(`{"Access": "pull"}`, 0, ""), "pull", takenOver[:2]},
		"ours, and in the group": {func(u *localaws.User) { *u = builder("pull"); u.Groups = []string{"former"} },
			exchange{method: "POST", path: builderKeys}, "pull", []string{"iam:RemoveUserFromGroup", "iam:CreateAccessKey"}},
		"under another boundary": {func(u *localaws.User) { *u = builder("pull"); u.Boundary = "other" },
			exchange{method: "POST", path: builderKeys}, "pull", []string{"iam:PutUserPermissionsBoundary", "iam:CreateAccessKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := earlierUser("g/a", org, "builder")
			test.change(&u)
			w := newUserWorld(t, u)
			test.request.status, test.request.want = 200, "-"
			w.run(test.request)
			w.wantWrites(test.wantCall...)
			var keys []string
			if slices.Contains(test.wantCall, "iam:CreateAccessKey") {
				keys = append(keys, shownKey(w.keyIDs()[0]))
			}
			w.run(usersOf("GET", "builder", "", 200, shownUser("builder", test.access, `"AccessKeys": []`, `"AccessKeys": [`+strings.Join(keys, ", ")+`]`)))
		})
	}
}

// Somebody has taken the policy of a user of ours away, or put another in its place.
// The service does not give the user rights that nobody has asked for.
func TestUserWithoutOurPolicy(t *testing.T) {
	t.Parallel()
	const denied = `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}`
	for name, change := range map[string]func(*localaws.User){
		"none":                   func(u *localaws.User) { u.Policies = nil },
		"another":                func(u *localaws.User) { u.Policies["ecr-api"] = denied },
		"none, another boundary": func(u *localaws.User) { u.Policies, u.Boundary = nil, "other" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := builder("pull")
			change(&u)
			w := newUserWorld(t, u)
			w.later.Add(60) // so IAM must know the policy by now
			w.run(exchange{method: "GET", path: usersOfA, status: 200, want: "-"})
			want := problemOf("user-conflict", "The user builder has no policy of this service, so nobody knows what it may do. Set its Access in an update, and send the request again.")
			w.run(
				exchange{method: "POST", path: builderKeys, status: 409, want: want},
				updateOf(`{"resetkey": true}`, 409, want),
			)
			w.wantWrites()
			w.run(
				updateOf(`{"Access": "pull"}`, 200, shownUser("builder", "pull")),
				exchange{method: "POST", path: builderKeys, status: 200, want: "-"},
			)
			if u.Boundary == "other" {
				w.wantWrites("iam:PutUserPermissionsBoundary", "iam:PutUserPolicy", "iam:CreateAccessKey")
				return
			}
			w.wantWrites("iam:PutUserPolicy", "iam:CreateAccessKey")
		})
	}
}

// Another copy of the service has just made the user, and IAM shows the policy late.
func TestKeyOfAUserWhosePolicyIsShownLate(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.aws.Inject(localaws.Fault{Operation: "iam:GetUserPolicy", Code: "NoSuchEntity", Status: 404, Times: 2})
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	w.wantWrites("iam:CreateAccessKey")
}

// A takeover fails after the boundary. The same request completes it.
func TestTakeoverIsRepeatable(t *testing.T) {
	t.Parallel()
	u := earlierUser("g/a", org, "builder")
	u.Groups = nil
	w := newUserWorld(t, u)
	mend := w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no"})
	w.run(exchange{method: "POST", path: builderKeys, status: 400, want: "-"})
	w.wantWrites("iam:PutUserPermissionsBoundary", "iam:PutUserPolicy")
	mend()
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	w.wantWrites("iam:PutUserPolicy", "iam:CreateAccessKey")
}

// An operator replaces the policy a moment after the service has set it.
func TestUserWhosePolicyIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(usersOf("POST", "", `{"UserName": "builder", "Access": "pull"}`, 200, shownUser("builder", "pull")))
	w.must(w.iam().PutUserPolicy(&awsiam.PutUserPolicyInput{
		UserName: aws.String("g-a-builder"), PolicyName: aws.String("ecr-api"),
		PolicyDocument: aws.String(`{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}`),
	}))
	w.run(exchange{method: "POST", path: builderKeys, status: 409, want: "-"})
	w.wantKeys()
}

// Only tags change, so the user stays what it is.
func TestTagsOfAUserOfTheEarlierService(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	tagged := shownUser("builder", "", `"Groups": []`, `"Groups": ["former"]`, `"Tags": [`, `"Tags": [{"Key": "K", "Value": "v"}, `)
	w.run(updateOf(`{"Tags": [{"Key": "K", "Value": "v"}]}`, 200, tagged), usersOf("GET", "builder", "", 200, tagged))
	w.wantWrites("iam:TagUser")
}

// What somebody has done to a user, and what the service does not undo, keeps it
// from becoming one of this service. Nothing is changed then.
func TestUserThatIsInTheWay(t *testing.T) {
	t.Parallel()
	const tagOf = "The tag %s of the user builder is not %q. The service does not change it: delete the user, and create one anew."
	for name, test := range map[string]struct {
		change func(*localaws.User)
		code   string
		detail string
	}{
		"another group": {func(u *localaws.User) { u.Groups = append(u.Groups, "admins") }, "user-conflict",
			inOtherGroup("builder")},
		"another org":   {func(u *localaws.User) { u.Tags["spinup:org"] = "other" }, "user-conflict", fmt.Sprintf(tagOf, "spinup:org", "spindev")},
		"another space": {func(u *localaws.User) { u.Tags["spinup:spaceid"] = "h" }, "user-conflict", fmt.Sprintf(tagOf, "spinup:spaceid", "g")},
		"no repository": {func(u *localaws.User) { delete(u.Tags, "ResourceName") }, "user-conflict", fmt.Sprintf(tagOf, "ResourceName", "g/a")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := earlierUser("g/a", org, "builder")
			test.change(&u)
			w := newUserWorld(t, u)
			want := problemOf(test.code, test.detail)
			w.run(
				exchange{method: "POST", path: builderKeys, status: 409, want: want},
				updateOf(`{"Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`, 409, want),
				updateOf(`{"resetkey": true}`, 409, want),
			)
			w.wantWrites()
		})
	}
	t.Run("two keys", func(t *testing.T) {
		t.Parallel()
		w := newUserWorld(t, earlierUser("g/a", org, "builder"))
		want := problemOf("two-access-keys", twoKeysSaid(w.addKey(account, "g-a-builder"), w.addKey(account, "g-a-builder")))
		w.run(exchange{method: "POST", path: builderKeys, status: 409, want: want}, updateOf(`{"resetkey": true}`, 409, want))
		w.wantWrites()
	})
}

// IAM may say that a user is not in the group, from which somebody else has just
// taken it.
func TestUpdateOfAUserWhoIsOutOfTheGroupMeanwhile(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	w.aws.Inject(localaws.Fault{Operation: "iam:RemoveUserFromGroup", Code: "NoSuchEntity", AfterWork: true})
	w.run(updateOf(`{"Access": "pull"}`, 200, shownUser("builder", "pull")), usersOf("GET", "builder", "", 200, shownUser("builder", "pull")))
}

// If a step fails, the answer says which are done, and the same request completes
// the change.
func TestUpdateThatFailsOnTheWay(t *testing.T) {
	t.Parallel()
	const body = `{"Access": "pull", "Tags": [{"Key": "K", "Value": "v"}], "resetkey": true}`
	steps := []struct{ operation, part string }{
		{"iam:PutUserPermissionsBoundary", "Boundary"}, {"iam:PutUserPolicy", "Access"}, {"iam:RemoveUserFromGroup", "Groups"}, {"iam:TagUser", "Tags"},
		{"iam:CreateAccessKey", "AccessKey"},
	}
	var applied []string
	for _, step := range steps {
		done := slices.Clone(applied)
		applied = append(applied, step.part)
		t.Run(step.operation, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, earlierUser("g/a", org, "builder"))
			mend := w.aws.Inject(localaws.Fault{Operation: step.operation, Code: "InvalidInput", Message: "no"})
			want := problemByAWS("bad-request", "no", "InvalidInput")
			if done != nil {
				want = with(failedOfUserAfter("bad-request", "no", done, nil), `"awsCode": "InvalidInput", "awsRequestId": "aws"`)
			}
			w.run(updateOf(body, 400, want))
			mend()
			mend = w.aws.Inject(localaws.Fault{Operation: step.operation, Drop: true})
			want = failedOfUserAfter("internal", internalError, nil, []string{step.part})
			if step.part == "AccessKey" {
				want = failedOfUser("internal", internalError, nil, []string{step.part}, lookForKey)
			}
			w.run(updateOf(body, 500, want)) // what was done before is not done again
			mend()
			w.aws.Inject(localaws.Fault{Operation: step.operation, Drop: true, AfterWork: step.part != "AccessKey"})
			if step.part != "AccessKey" { // all answers are lost, and the user shows that it is done
				w.run(updateOf(body, 200, "-"))
				w.run(usersOf("GET", "builder", "", 200, shownUser("builder", "pull", `"Tags": [`, `"Tags": [{"Key": "K", "Value": "v"}, `,
					`"AccessKeys": []`, `"AccessKeys": [`+shownKey(w.keyIDs()[0])+`]`)))
			}
		})
	}
}

// failedOfUserAfter is failedOfUser with the usual advice.
func failedOfUserAfter(code, said string, applied, unknown []string) string {
	problem := failedOfUser(code, said, applied, unknown, lookAtUser)
	return strings.Replace(problem, "Look at the repository, or correct the request and send it again.", lookAtUser, 1)
}

// The boundary of the configuration is not in the account.
func TestUpdateUserWithoutTheBoundary(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPermissionsBoundary", Code: "NoSuchEntity", Status: 404})
	want := problemByAWS("denied-by-aws", "AWS does not have the permissions boundary arn:aws:iam::012345678901:policy/ecr-api-users, "+
		"which the service's configuration names (users.boundary). Set it up in that account (config/aws/users-boundary.json).", "NoSuchEntity")
	w.run(updateOf(`{"Access": "pull"}`, 403, want), exchange{method: "POST", path: builderKeys, status: 403, want: want})
}

// IAM does not let two change a user at the same time.
func TestUpdateUserAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "ConcurrentModification", Status: 409, Message: "no", Times: 1})
	w.run(
		updateOf(`{"Access": "push"}`, 409, problemByAWS("user-conflict",
			"Somebody else changes the user at the same time: send the request again. no", "ConcurrentModification")),
		updateOf(`{"Access": "push"}`, 200, shownUser("builder", "push")),
	)
}

// AWS may not know the boundary everywhere yet, so the denial of the policy after
// it is meant only if it lasts.
func TestUpdateUserWhosePolicyIsDenied(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "AccessDenied", Status: 403})
	w.run(updateOf(`{"Access": "pull"}`, 403, "-"))
	if n := count(w.called(), "iam:PutUserPolicy"); n != 8 {
		t.Errorf("PutUserPolicy was called %d times, want 8", n)
	}
}
