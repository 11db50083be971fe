package api

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

var readsOfUser = []string{"iam:GetUser", "iam:GetUserPolicy", "iam:ListGroupsForUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"}

var _ = describe("ListUsers", rowTest{
	calls: []string{"ecr:ListTagsForResource", "iam:ListUsers"},
	variants: []exchange{
		{name: "one", method: "GET", path: base + "/g/plain/users", status: 200, want: `["full"]`},
		{name: "missing", method: "GET", path: base + "/g/missing/users", status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: map[string]rowTest{"to list users": {}},
})

var _ = describe("ShowUser", rowTest{
	given: func(w *world, account, repository, org string) {
		u := ourUser(account, repository, org, "builder", "push")
		w.addUser(account, u)
		w.must(nil, w.aws.AddUserKeyWithID(account, u.Name, sampleKey(account, repository)))
	},
	calls: append([]string{"ecr:ListTagsForResource"}, readsOfUser...),
	variants: []exchange{
		{name: "missing", method: "GET", path: base + "/g/plain/users/nobody", status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: map[string]rowTest{"to list users": {}, "to read users": {}},
})

var _ = describe("CreateUser", rowTest{
	bodies: []string{`{"UserName": "new"}`, `{"UserName": "reader", "Access": "pull", "Tags": [{"Key": "k", "Value": "v"}]}`},
	calls:  []string{"ecr:ListTagsForResource", "iam:CreateUser", "iam:PutUserPolicy"},
	variants: []exchange{
		// As in CreateRepository, this variant must be first.
		{name: "lost answer", method: "POST", path: base + "/g/plain/users", body: `{"UserName": "lost"}`, status: 200},
		{name: "plain", method: "POST", path: base + "/g/plain/users", body: `{"UserName": "new1", "Tags": [{"Key": "k", "Value": "v"}]}`, status: 200},
		{name: "taken", method: "POST", path: base + "/g/plain/users", body: `{"UserName": "full"}`, status: 409, want: userExists("full")},
		{name: "undone", method: "POST", path: base + "/g/plain/users", body: `{"UserName": "undone"}`, status: 400,
			want: problemByAWS("bad-request", "no", "InvalidInput")},
		{name: "missing", method: "POST", path: base + "/g/missing/users", body: `{"UserName": "new2"}`, status: 404},
	},
	may:   readTags,
	never: []right{denyOtherOrgs},
	changes: map[string]change{
		"iam:CreateUser":    {part: "User"},
		"iam:PutUserPolicy": {part: "Policy"},
	},
	further: map[string]rowTest{
		"to list users": {},
		"to create a user": {
			notCalled: map[string]string{
				"iam:DeleteUser":       "undoes a create that failed",
				"iam:DeleteUserPolicy": "undoes a create that failed",
				"iam:GetUser":          "finds the user after a lost answer",
				"iam:TagUser":          "demanded by AWS beside CreateUser with tags",
			},
		},
	},
})

// callsToDelete are the calls that delete a user as the service makes one, who has
// an access key.
var callsToDelete = append([]string{"iam:ListAttachedUserPolicies", "iam:ListUserPolicies", "iam:DeleteAccessKey", "iam:DeleteUserPolicy", "iam:DeleteUser"}, readsOfUser...)

// deletingSession is the entry of a session that deletes users.
var deletingSession = rowTest{notCalled: map[string]string{
	"iam:DetachUserPolicy":    "for policies that somebody has attached",
	"iam:RemoveUserFromGroup": "for users of the earlier service",
}}

var _ = describe("DeleteUser", rowTest{
	calls: append([]string{"ecr:ListTagsForResource"}, callsToDelete...),
	variants: []exchange{
		{name: "of the earlier service", method: "DELETE", path: base + "/g/plain/users/full", status: 200},
		{name: "missing", method: "DELETE", path: base + "/g/plain/users/nobody", status: 404},
	},
	may:   readTags,
	never: []right{denyOtherOrgs},
	changes: map[string]change{
		"iam:DeleteAccessKey":  {part: "AccessKeys"},
		"iam:DeleteUserPolicy": {part: "Policies"},
		"iam:DeleteUser":       {part: "User"},
	},
	further: map[string]rowTest{"to list users": {}, "to delete a user": deletingSession},
})

// addUserVariants adds what the variants of rows of users need.
func (w *world) addUserVariants() {
	w.t.Helper()
	full := earlierUser("g/plain", org, "full")
	full.Attached, full.Policies = []string{"other"}, map[string]string{"own": formerPolicy}
	w.addUser(account, full)
	w.addKey(account, full.Name)
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateUser", Times: 1, AfterWork: true, Drop: true})
	puts := 0
	w.aws.Inject(localaws.Fault{Operation: "iam:PutUserPolicy", Code: "InvalidInput", Message: "no", AfterWork: true, When: func(localaws.Call) bool {
		puts++
		return puts == 3 // of the variant "undone"
	}})
}

const usersOfA = base + "/g/a/users"

// usersOf returns a request about the users of g/a, or about one of them.
func usersOf(method, user, body string, status int, want string) exchange {
	return exchange{name: common.Clip(method+" "+user+" "+body, 100), method: method, path: strings.TrimSuffix(usersOfA+"/"+user, "/"), body: body, status: status, want: want}
}

// shownUser returns the answer about a user of g/a as the service makes one.
// The pairs replace parts of it.
func shownUser(name, access string, pairs ...string) string {
	answer := `{"UserName": "NAME", "Access": "ACCESS", "AccessKeys": [], "Groups": [], "Tags": [{"Key": "Name", "Value": "g-a-NAME"},
		{"Key": "ResourceName", "Value": "g/a"}, {"Key": "spinup:org", "Value": "spindev"}, {"Key": "spinup:spaceid", "Value": "g"}]}`
	answer = strings.NewReplacer("NAME", name, "ACCESS", access).Replace(answer)
	return strings.NewReplacer(append(pairs, `"Access": ""`, `"Access": null`)...).Replace(answer)
}

// shownKey returns a key as an answer shows it that was made by the clock of
// the local AWS, and never used.
func shownKey(id string) string {
	return `{"AccessKeyId": "` + id + `", "Status": "Active", "CreateDate": "2040-12-14T15:34:18Z", "LastUsedDate": null}`
}

func noUser(name string) string {
	return problemOf("user-not-found", "The repository has no user "+name+".")
}

// newUsersWorld returns a world with the repository g/a.
func newUsersWorld(t testing.TB, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.addRepository(account, "g/a", org)
	return w
}

// Only users whose path and name are those of the repository are its users.
func TestListUsers(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(usersOf("GET", "", "", 200, `[]`))
	for _, u := range []localaws.User{
		ourUser(account, "g/a", org, "deployer", "pull"), earlierUser("g/a", org, "builder"), ourUser(account, "g/a", org, "Runner", "pull"),
		{Path: "/spinup/spindev/g/a/deeper/", Name: "g-a-deeper"},
		{Path: "/spinup/spindev/g/ab/", Name: "g-a-b-c"},
		{Path: "/spinup/spindev/g/", Name: "g-a-above"},
		{Path: "/spinup/other/g/a/", Name: "g-a-others"},
		{Path: "/", Name: "g-a-nobodys"},
		{Path: "/spinup/spindev/g/a/", Name: "other"},
		{Path: "/spinup/spindev/g/a/", Name: "g-a-"},
		{Path: "/spinup/spindev/g/a/", Name: "G-A-capitals"},
	} {
		w.addUser(account, u)
	}
	w.addUser(account2, earlierUser("g/a", org, "elsewhere"))
	w.run(usersOf("GET", "", "", 200, `["Runner", "builder", "deployer"]`))
}

// IAM has more users than fit on a page.
func TestListManyUsers(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	var names []string
	for i := range 1001 {
		names = append(names, fmt.Sprintf("u%04d", i))
		w.addUser(account, earlierUser("g/a", org, names[i]))
	}
	w.run(usersOf("GET", "", "", 200, jsonOf(names)))
}

func TestShowUser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*localaws.User)
		want   string
	}{
		"as the service makes it":   {func(*localaws.User) {}, shownUser("u", "pull")},
		"to push":                   {func(u *localaws.User) { u.Policies = ourUser(account, "g/a", org, "u", "push").Policies }, shownUser("u", "push")},
		"of the earlier service":    {func(u *localaws.User) { *u = earlierUser("g/a", org, "u") }, shownUser("u", "", `"Groups": []`, `"Groups": ["former"]`)},
		"in two groups":             {func(u *localaws.User) { u.Groups = []string{"former", "admins"} }, shownUser("u", "", `"Groups": []`, `"Groups": ["admins", "former"]`)},
		"without a boundary":        {func(u *localaws.User) { u.Boundary = "" }, shownUser("u", "")},
		"under another boundary":    {func(u *localaws.User) { u.Boundary = "other" }, shownUser("u", "")},
		"without a policy":          {func(u *localaws.User) { u.Policies = nil }, shownUser("u", "")},
		"with the policy of others": {func(u *localaws.User) { u.Policies["ecr-api"] = formerPolicy }, shownUser("u", "")},
		"with the policy of another repository": {func(u *localaws.User) {
			u.Policies["ecr-api"] = policyOfUser(account, "g/b", org, "pull")
		}, shownUser("u", "")},
		"with the tag of another repository": {func(u *localaws.User) { u.Tags["ResourceName"] = "g/b" }, shownUser("u", "", `"g/a"`, `"g/b"`)},
		"with the tag of another org":        {func(u *localaws.User) { u.Tags["spinup:org"] = "other" }, shownUser("u", "", `"spindev"`, `"other"`)},
		"with the tag of another group":      {func(u *localaws.User) { u.Tags["spinup:spaceid"] = "h" }, shownUser("u", "", `"spinup:spaceid", "Value": "g"`, `"spinup:spaceid", "Value": "h"`)},
		"without tags":                       {func(u *localaws.User) { u.Tags = nil }, `{"UserName": "u", "Access": null, "AccessKeys": [], "Groups": [], "Tags": []}`},
		"with another Name":                  {func(u *localaws.User) { u.Tags["Name"] = "x" }, shownUser("u", "pull", `"g-a-u"`, `"x"`)},
		"with more tags":                     {func(u *localaws.User) { u.Tags["A"] = "x" }, shownUser("u", "pull", `"Tags": [`, `"Tags": [{"Key": "A", "Value": "x"}, `)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			u := ourUser(account, "g/a", org, "u", "pull")
			test.change(&u)
			w.addUser(account, u)
			w.run(usersOf("GET", "u", "", 200, test.want))
		})
	}
}

// The keys of a user are shown from the oldest on.
func TestShowUserWithKeys(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	first := w.addKey(account, "g-a-u")
	w.later.Add(1)
	second := shownKey(w.addKey(account, "g-a-u"))
	second = strings.Replace(second, "15:34:18", "15:34:19", 1)
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "pull", `"AccessKeys": []`, `"AccessKeys": [`+shownKey(first)+`, `+second+`]`)))
}

// AWS denies to tell when a key was last used, if it does not know the key. The
// user is there all the same, and is not read again.
func TestShowUserWithAKeyThatAWSDoesNotKnow(t *testing.T) {
	t.Parallel()
	const operation = "iam:GetAccessKeyLastUsed"
	for name, test := range map[string]struct {
		prepare func(w *world) (keys string)
		calls   []string // of the same reads, beside those that show a user with a key
		status  int
	}{
		"a new one": {func(w *world) string {
			w.aws.Inject(localaws.Fault{Operation: operation, Code: "AccessDenied"})
			return shownKey(w.addKey(account, "g-a-u"))
		}, []string{"iam:ListAccessKeys"}, 200},
		"one of this service": {func(w *world) string {
			status, _, body := w.do(usersOf("POST", "u/keys", "", 0, ""))
			k := w.madeOf(status, body)
			w.later.Add(60)
			w.aws.Inject(localaws.Fault{Operation: operation, Code: "NoSuchEntity"})
			return shownKey(k.AccessKeyID)
		}, []string{"iam:ListAccessKeys"}, 200},
		"one that is gone meanwhile": {func(w *world) string {
			id := w.addKey(account, "g-a-u")
			w.later.Add(60)
			var once sync.Once
			w.after = func(c localaws.Call) {
				if c.Operation == "ListAccessKeys" {
					once.Do(func() {
						w.must(w.iam().DeleteAccessKey(&awsiam.DeleteAccessKeyInput{UserName: aws.String("g-a-u"), AccessKeyId: &id}))
					})
				}
			}
			return ""
		}, []string{"iam:DeleteAccessKey", "iam:ListAccessKeys"}, 200},
		"an old one": {func(w *world) string {
			w.addKey(account, "g-a-u")
			w.later.Add(60)
			w.aws.Inject(localaws.Fault{Operation: operation, Code: "AccessDenied"})
			return ""
		}, []string{"iam:ListAccessKeys"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
			want := shownUser("u", "pull", `"AccessKeys": []`, `"AccessKeys": [`+test.prepare(w)+`]`)
			if test.status == 403 {
				want = deniedInIAM("GetAccessKeyLastUsed")
			}
			w.forget()
			w.run(usersOf("GET", "u", "", test.status, want))
			wantCalls := slices.Sorted(slices.Values(append(append([]string{"ecr:ListTagsForResource"}, readsOfUser...), test.calls...)))
			got := slices.DeleteFunc(w.called(), func(call string) bool { return strings.HasPrefix(call, "sts:") })
			if slices.Sort(got); !slices.Equal(got, wantCalls) {
				t.Errorf("calls: %v, want %v", got, wantCalls)
			}
		})
	}
}

// All users of a repository are read in one session.
func TestShowUsersInOneSession(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	for _, name := range []string{"u", "v"} {
		w.addUser(account, ourUser(account, "g/a", org, name, "pull"))
	}
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "pull")))
	w.forget()
	w.run(usersOf("GET", "v", "", 200, shownUser("v", "pull")))
	if called := w.called(); slices.Contains(called, "sts:AssumeRole") {
		t.Errorf("the second user needed another session: %v", called)
	}
}

// A user who has the name in IAM, and is not of the repository, is somebody
// else's.
func TestUsersOfOthersAreNotShown(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addRepository(account, "g-a/b", org)
	w.addUser(account, ourUser(account, "g-a/b", org, "c", "pull"))
	w.addRepository(account, "g/a-b", org) // of which the user would have the same name
	w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/", Name: "g-a-small"})
	for path, name := range map[string]string{"/g/a/users/b-c": "b-c", "/g/a-b/users/c": "c", "/g/a/users/SMALL": "SMALL", "/g/a/users/nobody": "nobody"} {
		w.run(exchange{method: "GET", path: base + path, status: 404, want: noUser(name)})
	}
	w.run(exchange{method: "GET", path: base + "/g-a/b/users/c", status: 200, want: "-"})
}

// The earlier service took every name that IAM takes. So such a user can be listed,
// and all else. A new one has a plain name.
func TestUserWithANameOfTheEarlierService(t *testing.T) {
	t.Parallel()
	const name, escaped = "ci+x@y,z=1", "ci%2Bx%40y%2Cz%3D1"
	w := newUsersWorld(t)
	w.addUser(account, earlierUser("g/a", org, name))
	key := w.addKey(account, "g-a-"+name)
	withKeys := func(access, groups, keys string) string {
		return shownUser(name, access, `"Groups": []`, `"Groups": [`+groups+`]`, `"AccessKeys": []`, `"AccessKeys": [`+keys+`]`)
	}
	w.run(
		usersOf("GET", "", "", 200, jsonOf([]string{name})),
		usersOf("GET", name, "", 200, withKeys("", `"former"`, shownKey(key))),
		usersOf("GET", escaped, "", 200, withKeys("", `"former"`, shownKey(key))),
		usersOf("PUT", escaped, `{"Access": "pull"}`, 200, withKeys("pull", "", shownKey(key))),
		usersOf("PUT", name+"/keys/"+key, `{"Status": "Inactive"}`, 200, strings.Replace(shownKey(key), "Active", "Inactive", 1)),
		usersOf("DELETE", name+"/keys/"+key, "", 200, strings.Replace(shownKey(key), "Active", "Inactive", 1)),
	)
	w.run(usersOf("POST", name+"/keys", "", 200, "-"), usersOf("PUT", name, `{"resetkey": true}`, 200, "-"), usersOf("DELETE", name, "", 200, "-"))
	if line := w.lastLine(t); line["user"] != name {
		t.Errorf("the log line has the user %v, want %s", line["user"], name)
	}
	w.run(
		usersOf("GET", "", "", 200, `[]`),
		usersOf("POST", "", `{"UserName": "`+name+`"}`, 400, problemOf("bad-request", "UserName must be of letters, digits, '.', '_' and '-', and not '.' or '..'.")),
	)
}

// The name of a user has no character that has a meaning in a path or in the ARN
// of a policy.
func TestNamesOfUsersInPaths(t *testing.T) {
	t.Parallel()
	const fit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+=,@"
	for c := range rune(0x250) {
		if _, err := readUser("a"+string(c)+"b", nil); (err == nil) != strings.ContainsRune(fit, c) {
			t.Errorf("%q: %v", c, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a\n"} {
		if _, err := readUser(name, nil); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// A name that IAM would not take is refused before AWS is called.
func TestNamesOfUsersThatAreTooLong(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	longest := strings.Repeat("u", 60)
	w.run(usersOf("GET", longest, "", 404, noUser(longest)))
	w.forget()
	w.run(usersOf("GET", longest+"u", "", 400, problemOf("bad-request",
		"The user's name in IAM would have 65 characters, and may have 64: group, name of the repository and name of the user, with a - between them.")))
	if called := w.called(); len(called) > 0 {
		t.Errorf("AWS was called: %v", called)
	}
}

// Where the configuration has no users, their rows say so, and AWS is not called.
func TestUsersOff(t *testing.T) {
	t.Parallel()
	off := map[string]func(*common.Config, *[]route){
		"everywhere": withoutUsers,
		"in the account": func(c *common.Config, _ *[]route) {
			c.Users.Boundary = "arn:aws:iam::" + account2 + ":policy/ecr-api-users"
		},
		"in another partition": func(c *common.Config, _ *[]route) {
			c.Users.Boundary = "arn:aws-cn:iam::" + account + ":policy/ecr-api-users"
		},
	}
	for name, option := range off {
		w := newUsersWorld(t, option)
		for _, rt := range protectedRows() {
			if !rt.Users {
				continue
			}
			for _, e := range entryOf(t, rt).requests(rt, inG) {
				e.name, e.status = name+": "+e.name, 404
				e.want = problemOf("users-off", "There are no users in this account: the service's configuration (users.boundary) has none. Whoever runs the service can add them.")
				w.run(e)
			}
		}
		if called := w.called(); len(called) > 0 {
			t.Errorf("%s: AWS was called: %v", name, called)
		}
	}
}

// The boundary may be named by its ARN, with a path.
func TestUsersUnderABoundaryByItsARN(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) {
		c.Users.Boundary = "arn:aws:iam::" + account + ":policy/limits/users"
	})
	w.must(nil, w.aws.AddManagedPolicy(account, "/limits/users", formerPolicy))
	u := ourUser(account, "g/a", org, "u", "pull")
	u.Boundary = "limits/users"
	w.addUser(account, u)
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "pull")))
}

// IAM denies a call about a user whom it does not know yet. The list of users
// decides, and the call is made again.
func TestShowUserWhomIAMKnowsOnlyInTheList(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AccessDenied", "NoSuchEntity"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
			w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: code, Times: 2})
			w.run(usersOf("GET", "u", "", 200, shownUser("u", "pull")))
		})
	}
}

// A denial that lasts is meant, if the user is in the list.
func TestShowUserWhomIAMDenies(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: "AccessDenied"})
	w.run(usersOf("GET", "u", "", 403, deniedInIAM("GetUser")))
	if n := count(w.called(), "iam:GetUser"); n != 4 {
		t.Errorf("GetUser was called %d times, want 4", n)
	}
}

// deniedInIAM returns the problem document of an operation that AWS denies.
func deniedInIAM(operation string) string {
	return problemByAWS("denied-by-aws", "AWS denied iam:"+operation+" to the role of that account. Give the role the permissions for users "+
		"(config/aws/users-policy.json), and look for a policy that denies them.", "AccessDenied")
}
