package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

var (
	listSession = rowTest{may: []right{{do: []string{"iam:ListUsers"}}}}
	readsOfUser = []string{"iam:GetUser", "iam:GetUserPolicy", "iam:ListGroupsForUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"}
)

var _ = describe("ListUsers", rowTest{
	calls: []string{"ecr:ListTagsForResource", "iam:ListUsers"},
	variants: []exchange{
		{name: "none", method: "GET", path: base + "/g/plain/users", status: 200, want: `[]`},
		{name: "missing", method: "GET", path: base + "/g/missing/users", status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: map[string]rowTest{"to list users": listSession},
})

var _ = describe("ShowUser", rowTest{
	given: func(w *world, account, repository, org string) {
		u := ourUser(account, repository, org, "builder", "push")
		w.addUser(account, u)
		w.addKey(account, u.Name)
	},
	calls: append([]string{"ecr:ListTagsForResource"}, readsOfUser...),
	variants: []exchange{
		{name: "missing", method: "GET", path: base + "/g/plain/users/nobody", status: 404},
	},
	may:   readTags,
	never: []right{denyOtherOrgs},
	further: map[string]rowTest{
		"to list users":  listSession,
		"to read a user": {may: []right{{do: readsOfUser, where: []string{theUser}}}},
	},
})

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
		"with more tags": {func(u *localaws.User) { u.Tags["A"] = "x" }, shownUser("u", "pull", `"Tags": [`, `"Tags": [{"Key": "A", "Value": "x"}, `)},
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

// A wait for IAM ends with the time of the request.
func TestShowUserWhomIAMShowsNowhere(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 2 * time.Second })
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: "AccessDenied"})
	w.run(usersOf("GET", "u", "", 403, problemByAWS("denied-by-aws", "AWS denied iam:GetUser to the role of that account. Give the role the permissions for users "+
		"(config/aws/users-policy.json), and look for a policy that denies them.", "AccessDenied")))
}
