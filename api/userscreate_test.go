package api

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

// iam returns IAM for a caller who may do everything in the first account.
func (w *world) iam() *awsiam.IAM { return awsiam.New(w.direct().session) }

func TestCreateUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	for body, want := range map[string]string{
		`{"UserName": "u1"}`: shownUser("u1", "push"),
		`{"username": "u2", "ACCESS": "push", "tags": []}`:        shownUser("u2", "push"),
		`{"UserName": "u3", "Access": null, "Tags": null}`:        shownUser("u3", "push"),
		`{"UserName": "A.b_c-d", "Access": "pull"}`:               shownUser("A.b_c-d", "pull"),
		`{"UserName": "u4", "Tags": [{"Key": "k", "Value": ""}]}`: shownUser("u4", "push", `{"Key": "spinup:org"`, `{"Key": "k", "Value": ""}, {"Key": "spinup:org"`),
		`{"UserName": "u5", "Tags": [{"Key": "ResourceName", "Value": "g/*"}, {"Key": "Name", "Value": "x"},
			{"Key": "spinup:org", "Value": "x"}, {"Key": "spinup:spaceid", "Value": "x"}]}`: shownUser("u5", "push"),
	} {
		w.run(usersOf("POST", "", body, 200, want))
	}
	for name, access := range map[string]string{"u1": "push", "u5": "push", "A.b_c-d": "pull"} {
		w.run(usersOf("GET", name, "", 200, shownUser(name, access)))
	}
	w.run(usersOf("GET", "", "", 200, `["A.b_c-d", "u1", "u2", "u3", "u4", "u5"]`))
}

// What IAM or the boundary could take for something else is refused before AWS is
// called.
func TestCreateUserWithABadBody(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	tagged := func(tags string) string { return `{"UserName": "u", "Tags": [` + tags + `]}` }
	for body, detail := range map[string]string{
		`{}`:                                   "UserName is needed.",
		`{"UserName": "a/b"}`:                  "UserName must be of letters, digits, '.', '_' and '-', and not '.' or '..'.",
		`{"UserName": "u", "Access": "admin"}`: "Access must be pull or push.",
		`{"UserName": "u", "Path": "/"}`:       `"Path" is not a key of this request.`,
		`{"UserName": "` + strings.Repeat("u", 61) + `"}`:                "The user's name in IAM would have 65 characters, and may have 64: group, name of the repository and name of the user, with a - between them.",
		tagged(`{"Key": "resourcename", "Value": "x"}`):                  `The tag key "resourcename" is too like one that the service sets.`,
		tagged(`{"Key": "ＲesourceName", "Value": "x"}`):                  `The tag key "ＲesourceName" is too like one that the service sets.`,
		tagged(`{"Key": "NAME", "Value": "x"}`):                          `The tag key "NAME" is too like one that the service sets.`,
		tagged(`{"Key": "Spinup:Org", "Value": "x"}`):                    `The tag key "Spinup:Org" is too like one that the service sets.`,
		tagged(`{"Key": "spinup:spaceid ", "Value": "x"}`):               `The tag key "spinup:spaceid " is too like one that the service sets.`,
		tagged(`{"Key": "k", "Value": "x"}, {"Key": "K", "Value": "x"}`): `Tags has the key "K" twice.`,
		`{"UserName": "u", "Tags": ` + manyTags(47) + `}`:                "The user would have 51 tags, those of the service included. It may have 50.",
	} {
		w.run(usersOf("POST", "", body, 400, problemOf("bad-request", detail)))
	}
	if called := w.called(); len(called) > 0 {
		t.Errorf("AWS was called: %v", called)
	}
	w.run(usersOf("POST", "", `{"UserName": "u", "Tags": `+manyTags(46)+`}`, 200, "-"))
}

func userExists(name string) string {
	return problemByAWS("user-exists", "The repository has the user "+name+" already.", "EntityAlreadyExists")
}

func nameIsTaken(name string) string {
	return problemByAWS("user-exists", "IAM has a user "+name+" that is not the repository's, perhaps with other letters in upper case. Names of users are unique in an account: choose another.", "EntityAlreadyExists")
}

func TestCreateUserWhoseNameIsTaken(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addRepository(account, "g-a/b", org)
	w.addUser(account, ourUser(account, "g-a/b", org, "c", "pull")) // g-a-b-c
	w.addUser(account, earlierUser("g/a", org, "earlier"))
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	untagged := earlierUser("g/a", org, "untagged")
	untagged.Tags = nil
	w.addUser(account, untagged)
	w.run(
		usersOf("POST", "", `{"UserName": "u"}`, 409, userExists("u")),
		usersOf("POST", "", `{"UserName": "earlier"}`, 409, userExists("earlier")),
		usersOf("POST", "", `{"UserName": "untagged"}`, 409, userExists("untagged")),
		usersOf("POST", "", `{"UserName": "U"}`, 409, problemByAWS("user-exists", "The repository has the user u already. Upper and lower case make no difference.", "EntityAlreadyExists")),
		usersOf("POST", "", `{"UserName": "b-c"}`, 409, nameIsTaken("g-a-b-c")),
		usersOf("GET", "u", "", 200, shownUser("u", "pull")),
		exchange{method: "GET", path: base + "/g-a/b/users", status: 200, want: `["c"]`},
	)
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateUser", Code: "AccessDenied", Times: 1}) // IAM may deny it before it says so
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 409, userExists("u")))
	if strings.Contains(w.log.String(), `"level":"warning"`) {
		t.Errorf("a name that is taken is no reason for a warning:\n%s", w.log)
	}
}

func TestCreateUserWithoutTheBoundary(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateUser", Code: "NoSuchEntity", Message: "Scope ARN does not exist or is not attachable."})
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 403, problemByAWS("denied-by-aws", "AWS does not have the permissions boundary arn:aws:iam::012345678901:policy/ecr-api-users, "+
		"which the service's configuration names (users.boundary). Set it up in that account (config/aws/users-boundary.json).", "NoSuchEntity")),
		usersOf("GET", "", "", 200, `[]`))
}

// IAM does not know the new user at once: it denies to set its policy, and does not
// list it.
func TestCreateUserWhomIAMKnowsLate(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.SetIAMDelay(3e9)
	w.passTimeInIAM()
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")), usersOf("GET", "u", "", 200, shownUser("u", "push")))
}

// passTimeInIAM lets a second pass after each list of users, so that the delay of
// IAM ends.
func (w *world) passTimeInIAM() {
	w.after = func(c localaws.Call) {
		if c.Operation == "ListUsers" {
			w.later.Add(1)
		}
	}
}

func TestLostAnswersOfCreateUser(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		for _, operation := range []string{"iam:CreateUser", "iam:PutUserPolicy"} {
			for _, afterWork := range []bool{false, true} {
				t.Run(name+" "+operation, func(t *testing.T) {
					t.Parallel()
					w := newUsersWorld(t)
					w.loseAnswer(operation, fault, afterWork)
					body := `{"UserName": "u", "Tags": [{"Key": "k", "Value": "v"}]}`
					want := shownUser("u", "push", `{"Key": "spinup:org"`, `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`)
					w.run(usersOf("POST", "", body, 200, want), usersOf("GET", "u", "", 200, want))
				})
			}
		}
	}
}

// All answers get lost, and IAM does not know at once what it has done.
func TestAllAnswersOfCreateUserLost(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			fault.Operation, fault.AfterWork = "iam:CreateUser", true
			w.aws.Inject(fault)
			w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: "AccessDenied", Times: 2})
			w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
		})
	}
}

// unfinishedCreate returns the problem document of a create that AWS has refused
// and that has left something, or may have.
func unfinishedCreate(code, said string, applied, unknown []string, awsCode string) string {
	problem := failedChangeByAWS(code, said, applied, unknown, awsCode)
	_, advice, _ := strings.Cut(problem, "Look at the repository")
	advice, _, _ = strings.Cut("Look at the repository"+advice, `"`)
	return strings.Replace(problem, advice, "If the repository has the user, delete it. Then send the same request again.", 1)
}

// The answer to an attempt of a create gets lost, and then the create finds a user
// whom it has not made.
func TestLostCreateFindsAnotherUser(t *testing.T) {
	t.Parallel()
	exists, taken := "The repository has the user u already.", "IAM has a user g-a-u that is not the repository's, perhaps with other letters in upper case. Names of users are unique in an account: choose another."
	unknown := func(said string) string {
		return unfinishedCreate("user-exists", said, nil, []string{"User"}, "EntityAlreadyExists")
	}
	for name, test := range map[string]struct {
		change func(*localaws.User)
		before int64 // seconds between the user and the create
		want   string
	}{
		"made two seconds ago":     {func(*localaws.User) {}, 2, userExists("u")},
		"with another tag, before": {func(u *localaws.User) { u.Tags["k"] = "v" }, 60, userExists("u")},
		"with another tag, now":    {func(u *localaws.User) { u.Tags["k"] = "v" }, 0, unknown(exists)},
		"without a boundary, now":  {func(u *localaws.User) { u.Boundary = "" }, 0, unknown(exists)},
		"elsewhere":                {func(u *localaws.User) { u.Path = "/" }, 60, unknown(taken)},
		"the same, at this moment": {func(*localaws.User) {}, 0, ""}, // by all that IAM shows, it is the one that this create made
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			learnTime := func() { w.run(exchange{method: "GET", path: usersOfA, status: 200, want: "-"}) }
			learnTime()
			w.later.Add(60) // so a user of now cannot be older than the create, however slow this test is
			there := ourUser(account, "g/a", org, "u", "push")
			there.Tags["Name"] = "g-a-u"
			test.change(&there)
			w.addUser(account, there)
			if test.before > 0 {
				w.later.Add(test.before)
				learnTime()
			}
			w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, false)
			create := usersOf("POST", "", `{"UserName": "u"}`, 409, test.want)
			if test.want == "" {
				create.status, create.want = 200, shownUser("u", "push")
			}
			w.run(create)
		})
	}
}

// A user whom this process has just made is not taken for the one of another
// create, whose answer was lost.
func TestLostCreateOfAUserWhomAnotherRequestMade(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
	w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, false)
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 409, userExists("u")))
}

// The answers of a create are lost, and it cannot find out whether it has made the
// user. The next create, whose answer is lost too, does not take that user for its
// own, so a failure does not delete it.
func TestLostCreateAfterOneThatIsUnknown(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(exchange{method: "GET", path: usersOfA, status: 200, want: "-"}) // the service learns IAM's time
	w.later.Add(60)                                                        // the user seems to be made after both creates began, however slow this test is
	w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, true)
	mend := w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: "ServiceFailure", Status: 500})
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 500, unfinishedCreate("internal", internalError, nil, []string{"User"}, "ServiceFailure")))
	mend()
	w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, false)
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no", Times: 1})
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 409, unfinishedCreate("user-exists", "The repository has the user u already.", nil, []string{"User"}, "EntityAlreadyExists")))
	w.wantUsers("g-a-u")
}

// Another copy of the service has just deleted a user of that name, whom IAM still
// shows. A create that fails deletes what it has made all the same.
func TestUndoWhileIAMShowsAnEarlierUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/", Name: "g-a-u"})
	w.later.Add(60)
	w.aws.SetIAMDelay(2 * time.Second)
	w.must(w.iam().DeleteUser(&awsiam.DeleteUserInput{UserName: aws.String("g-a-u")}))
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no"})
	looks := 0
	w.after = func(c localaws.Call) {
		if c.Operation == "GetUser" {
			if looks++; looks > 1 {
				w.later.Add(1)
			}
		}
	}
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 400, problemByAWS("bad-request", "no", "InvalidInput")))
	if now := w.aws.UsersNow(account, "/"); len(now) > 0 {
		t.Errorf("there are the users %v", now)
	}
	if looks < 3 {
		t.Errorf("IAM was asked %d times", looks)
	}
}

// The user whom this process has just made is gone: somebody has deleted it. So the
// one that is there is the one of the create whose answer was lost.
func TestLostCreateOfAUserWhomSomebodyHasDeleted(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
	name := aws.String("g-a-u")
	w.must(w.iam().DeleteUserPolicy(&awsiam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("ecr-api")}))
	w.must(w.iam().DeleteUser(&awsiam.DeleteUserInput{UserName: name}))
	w.later.Add(60) // so the other one cannot be older than the create, however slow this test is
	w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, true)
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
}

// IAM still shows the user whom an earlier create has made and deleted.
func TestLostCreateAfterOneThatWasUndone(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no", Times: 1})
	w.after = func(c localaws.Call) { // from the deletion on, IAM is late
		if c.Operation == "DeleteUserPolicy" {
			w.aws.SetIAMDelay(5e8)
		}
	}
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 400, problemByAWS("bad-request", "no", "InvalidInput")))
	w.loseAnswer("iam:CreateUser", localaws.Fault{Drop: true}, true)
	var looked sync.Once
	w.after = func(c localaws.Call) {
		if c.Operation == "GetUser" {
			looked.Do(func() { w.later.Add(1) })
		}
	}
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
	if u := w.aws.UsersNow(account, "/")["g-a-u"]; u.Policies["ecr-api"] == "" {
		t.Errorf("the user has no policy: %v", u)
	}
}

// IAM still shows the user whom an earlier create has made and deleted. So a look
// at that one does not say that the new one is gone.
func TestUndoOfTwoCreates(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no"})
	w.after = func(c localaws.Call) { // from the first deletion on, IAM is late
		if c.Operation == "DeleteUserPolicy" {
			w.aws.SetIAMDelay(5e8)
		}
	}
	refused := usersOf("POST", "", `{"UserName": "u"}`, 400, problemByAWS("bad-request", "no", "InvalidInput"))
	w.run(refused)
	w.after = func(c localaws.Call) {
		if c.Operation == "GetUser" {
			w.later.Add(1)
		}
	}
	w.run(refused)
	if left := w.aws.UsersNow(account, "/"); len(left) > 0 {
		t.Errorf("users are left: %v", left)
	}
}

// Of several creates of one user at the same time, one succeeds.
func TestSeveralCreatesOfOneUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			status, _, _ := w.do(usersOf("POST", "", `{"UserName": "u"}`, 0, ""))
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	all.Wait()
	if statuses[http.StatusOK] != 1 || statuses[http.StatusConflict] != 3 {
		t.Errorf("statuses: %v", statuses)
	}
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "push")))
}

// A create that fails part-way leaves nothing.
func TestFailedCreateOfAUserIsUndone(t *testing.T) {
	t.Parallel()
	deleted := func(w *world) {
		w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a")}))
	}
	taken := func(w *world) {
		w.must(w.administrator().TagResource(&awsecr.TagResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:012345678901:repository/g/a"), Tags: awsTags(map[string]string{"spinup:org": "other"})}))
	}
	for name, test := range map[string]struct {
		fault localaws.Fault
		after func(*world) // the create of the user in IAM
		want  exchange
	}{
		"no policy": {localaws.Fault{Operation: "iam:PutUserPolicy", Code: "LimitExceeded", Message: "too long"}, nil, usersOf("POST", "", "", 429,
			problemByAWS("quota-reached", "A quota of AWS is reached in that account. Delete what is not needed, or have the quota raised. too long", "LimitExceeded"))},
		"no answer about the policy": {localaws.Fault{Operation: "iam:PutUserPolicy", Drop: true, AfterWork: true}, nil,
			usersOf("POST", "", "", 500, problemOf("internal", internalError))},
		"no repository any more": {localaws.Fault{Operation: "none"}, deleted, usersOf("POST", "", "", 404,
			problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException"))},
		"another org's repository": {localaws.Fault{Operation: "none"}, taken, usersOf("POST", "", "", 403, "-")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.aws.Inject(test.fault)
			w.aws.SetIAMDelay(2e9)
			var once sync.Once
			w.after = func(c localaws.Call) {
				if c.Operation == "ListUsers" || c.Operation == "GetUser" {
					w.later.Add(1)
				}
				if c.Operation == "CreateUser" && test.after != nil {
					once.Do(func() { test.after(w) })
				}
			}
			test.want.body = `{"UserName": "u"}`
			w.run(test.want)
			w.later.Add(10)
			if out, err := w.iam().ListUsers(&awsiam.ListUsersInput{}); err != nil || len(out.Users) > 0 {
				t.Errorf("users are left: %v %v", out, err)
			}
		})
	}
}

// IAM does not know the user yet. That does not mean that the user is gone. Then
// the answer to the deletion is lost.
func TestUndoOfACreateWaitsForTheUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.SetIAMDelay(2e9)
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no"})
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Drop: true, AfterWork: true, Times: 1})
	w.after = func(c localaws.Call) {
		if c.Operation == "GetUser" {
			w.later.Add(1)
		}
	}
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 400, problemByAWS("bad-request", "no", "InvalidInput")))
	if left := w.aws.UsersNow(account, "/"); len(left) > 0 {
		t.Errorf("users are left: %v", left)
	}
}

// Somebody deletes the new user before the undo does, and may make another one of
// the same name. That one stays as it is.
func TestUndoOfACreateKeepsTheNextUser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		when string // the operation after which that happens
		next bool
	}{
		"another one":                   {"PutUserPolicy", true},
		"another one, during the undo":  {"DeleteUserPolicy", true},
		"no other one, during the undo": {"GetUser", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Drop: true, Times: 1, When: func(c localaws.Call) bool { return c.Policy != "" && test.when == "DeleteUserPolicy" }})
			var done atomic.Bool
			w.after = func(c localaws.Call) {
				if c.Operation == test.when && !done.Swap(true) {
					w.deleteUserDirectly("g-a-u")
					if test.next {
						w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
					}
				}
				if c.Operation == "PutUserPolicy" {
					w.aws.Inject(localaws.Fault{Operation: "ecr:ListTagsForResource", Code: "InvalidParameterException", Message: "no"})
				}
			}
			w.run(usersOf("POST", "", `{"UserName": "u"}`, 400, problemByAWS("bad-request", "no", "InvalidParameterException")))
			want := map[bool]string{true: "g-a-u", false: ""}[test.next]
			if got := strings.Join(w.directUsers(), " "); got != want {
				t.Errorf("users: %q, want %q", got, want)
			}
			if out, err := w.iam().ListUserPolicies(&awsiam.ListUserPoliciesInput{UserName: aws.String("g-a-u")}); test.next && (err != nil || len(out.PolicyNames) != 1) {
				t.Errorf("the next user has no policy: %v %v", out, err)
			}
		})
	}
}

// If a create cannot be undone, the answer says what is there.
func TestFailedCreateOfAUserThatStays(t *testing.T) {
	t.Parallel()
	inUndo := func(c localaws.Call) bool { return strings.HasPrefix(c.Operation, "DeleteUser") }
	for name, test := range map[string]struct {
		fault            localaws.Fault
		deleted          bool // the repository
		applied, unknown []string
	}{
		"refused":                     {localaws.Fault{Operation: "iam:DeleteUser", Code: "AccessDenied"}, false, []string{"User"}, nil},
		"without answer":              {localaws.Fault{Operation: "iam:DeleteUser", Code: "ServiceFailure", Status: 500}, false, nil, []string{"User"}},
		"refused, without the policy": {localaws.Fault{Operation: "iam:DeleteUser", Code: "AccessDenied"}, true, []string{"User"}, nil},
		"refused, with the policy":    {localaws.Fault{Operation: "*", Code: "AccessDenied", When: inUndo}, true, []string{"User"}, []string{"Policy"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.aws.Inject(test.fault)
			e := usersOf("POST", "", `{"UserName": "u"}`, 400, unfinishedCreate("bad-request", "no", test.applied, test.unknown, "InvalidInput"))
			if test.deleted {
				w.after = func(c localaws.Call) {
					if c.Operation == "PutUserPolicy" {
						w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a")}))
					}
				}
				e.status, e.want = 404, unfinishedCreate("repository-not-found", noRepository, test.applied, test.unknown, "RepositoryNotFoundException")
			} else {
				w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no"})
			}
			w.run(e)
		})
	}
}

// A create goes on when its caller has hung up. The user is in the log line.
func TestCreateUserGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.hangUp(t, usersOf("POST", "", `{"UserName": "u"}`, 0, ""), 5e8)
	waitFor(t, "the create to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"CreateUser"`) })
	if !strings.Contains(w.log.String(), `"user":"u"`) {
		t.Errorf("the user is not in the log line:\n%s", w.log)
	}
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "push")))
}
