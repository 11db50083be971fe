package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
	"github.com/google/go-cmp/cmp"
)

var deleteA = exchange{method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")}

// directUsers returns the names of all users that IAM has in the first account.
func (w *world) directUsers() []string {
	w.t.Helper()
	out, err := w.iam().ListUsers(nil)
	w.must(out, err)
	names := []string{}
	for _, u := range out.Users {
		names = append(names, *u.UserName)
	}
	return names
}

func (w *world) wantUsers(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), w.directUsers()); diff != "" {
		w.t.Errorf("users (-want +got):\n%s", diff)
	}
}

// The users of a repository go with it, and no others.
func TestDeleteRepositoryWithUsers(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addFullUser()
	for _, name := range []string{"u1", "u2", "u3", "u4", "u5", "u6"} {
		w.addUser(account, ourUser(account, "g/a", org, name, "pull"))
		w.addKey(account, "g-a-"+name)
	}
	w.addUser(account, ourUser(account, "g/b", org, "u", "pull"))
	w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/deeper/", Name: "g-a-deeper"})
	w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/", Name: "strange"})
	w.run(deleteA)
	w.wantUsers("g-a-deeper", "g-b-u", "strange")
}

// Another org's repository is not deleted, nor are its users.
func TestDeleteRepositoryOfOthersWithUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", otherOrg)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 403, want: "-"},
		exchange{method: "DELETE", path: base + "/g/missing", status: 404, want: "-"},
	)
	w.wantUsers("g-a-u")
}

const deleteTheRest = "Send the same request again: it deletes the rest."

// If a user cannot be deleted, the repository stays. The answer says why, and
// which users are gone.
func TestDeleteRepositoryWhoseUserStays(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "a", "pull"))
	u := earlierUser("g/a", org, "u")
	u.Groups = []string{"admins"}
	w.addUser(account, u)
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 409, want: advise(failedChange("user-conflict", "The user u could not be deleted: "+
			inOtherGroup("u"), []string{"User a"}, nil), deleteTheRest)},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
		usersOf("GET", "", "", 200, `["u"]`),
	)
}

// The answer does not name a user whom somebody else has deleted meanwhile.
func TestDeleteRepositoryWhoseUserSomebodyDeletes(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	for _, name := range []string{"a", "b"} {
		w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/", Name: "g-a-" + name})
	}
	u := earlierUser("g/a", org, "u")
	u.Groups = []string{"admins"}
	w.addUser(account, u)
	var once sync.Once
	w.after = func(c localaws.Call) {
		if c.Operation == "ListUsers" {
			once.Do(func() { w.must(w.iam().DeleteUser(&awsiam.DeleteUserInput{UserName: aws.String("g-a-b")})) })
		}
	}
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 409, want: advise(failedChange("user-conflict", "The user u could not be deleted: "+
		inOtherGroup("u"), []string{"User a"}, nil), deleteTheRest)})
	w.wantUsers("g-a-u")
}

// Parts of users have the names of the users.
func TestDeleteRepositoryWhoseUserIsHalfDeleted(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.addKey(account, "g-a-u")
	mend := w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "ServiceFailure", Status: 500})
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 500,
			want: advise(failedChangeByAWS("internal", internalError, []string{"AccessKeys of u", "Policies of u"}, []string{"User u"}, "ServiceFailure"), deleteTheRest)},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
	)
	mend()
	w.run(deleteA)
	w.wantUsers()
}

// There is not enough time for all users. Those whose deletion has begun are gone,
// and the others have all that they had.
func TestDeleteRepositoryWithoutTimeForAllUsers(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 15 * time.Second })
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("u%02d", i)
		names = append(names, name)
		w.addUser(account, ourUser(account, "g/a", org, name, "pull"))
	}
	mend := w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Delay: time.Second})
	status, _, body := w.do(exchange{method: "DELETE", path: base + "/g/a"})
	mend()
	var said struct{ Applied, Unknown []string }
	w.must(nil, json.Unmarshal([]byte(body), &said))
	left := w.directUsers()
	for _, user := range left {
		out, err := w.iam().ListUserPolicies(&awsiam.ListUserPoliciesInput{UserName: &user})
		w.must(nil, err)
		if len(out.PolicyNames) != 1 {
			t.Errorf("%s is half deleted", user)
		}
	}
	gone := slices.DeleteFunc(names, func(name string) bool { return slices.Contains(left, "g-a-"+name) })
	var parts []string
	for _, name := range gone {
		parts = append(parts, "User "+name)
	}
	if status != 504 || len(gone) == 0 || len(left) == 0 || said.Unknown != nil || !slices.Equal(said.Applied, parts) {
		t.Errorf("%d users are left, and the answer is %d %s", len(left), status, body)
	}
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")}, deleteA)
	w.wantUsers()
}

// If the users cannot be listed, the repository stays.
func TestDeleteRepositoryWhoseUsersAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "iam:ListUsers", Code: "AccessDenied"})
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 403, want: problemByAWS("denied-by-aws", "The repository was not deleted, because its users are not known: "+
			"AWS denied iam:ListUsers to the role of that account. Give the role the permissions for users (config/aws/users-policy.json), and look for a policy that denies them. "+
			"Where there are no users, leave users.boundary out of the service's configuration.", "AccessDenied")},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
	)
}

// An answer that is not IAM's does not say that there are no users.
func TestDeleteRepositoryAfterAForeignAnswer(t *testing.T) {
	t.Parallel()
	for _, foreign := range []string{"ListUsers", "GetUser"} {
		t.Run(foreign, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation == foreign {
					return "<html></html>"
				}
				return body
			}))
			w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
			w.run(
				exchange{method: "DELETE", path: base + "/g/a", status: 500, want: with(problemOf("internal", internalError), `"awsRequestId": "aws"`)},
				exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")},
			)
			w.wantUsers("g-a-u")
		})
	}
}

// whenDeleted runs a function once, after the repository was deleted and before
// the answer to that.
func (w *world) whenDeleted(do func()) {
	var once sync.Once
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteRepository" {
			once.Do(do)
		}
	}
}

// A user that was created after the users were listed goes too.
func TestDeleteRepositoryThatGetsAUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.whenDeleted(func() { w.addUser(account, ourUser(account, "g/a", org, "late", "pull")) })
	w.run(deleteA)
	w.wantUsers()
}

// Somebody makes the repository again, and a user of that one. The user stays.
func TestDeleteRepositoryThatIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, owner := range map[string]string{"by us": org, "by another org": otherOrg} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.whenDeleted(func() {
				w.later.Add(1)
				w.addRepository(account, "g/a", owner)
				w.addUser(account, ourUser(account, "g/a", org, "next", "pull"))
			})
			w.run(deleteA)
			w.wantUsers("g-a-next")
		})
	}
}

// A user that came in between cannot be deleted. The repository is gone.
func TestDeleteRepositoryThatLeavesAUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "early", "pull"))
	w.whenDeleted(func() {
		w.addUser(account, ourUser(account, "g/a", org, "late", "pull"))
		w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "InvalidInput", Message: "no"})
	})
	want := failedChangeByAWS("bad-request", "The user late could not be deleted: no", []string{"Repository", "User early", "Policies of late"}, nil, "InvalidInput")
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 400, want: strings.Replace(want, "Look at the repository, or correct the request and send it again.",
		"Create a repository of the same name and delete it: that deletes the users which are left.", 1)})
	w.wantUsers("g-a-late")
}

// Where there are no users, IAM is not called.
func TestDeleteRepositoryWhereUsersAreOff(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, withoutUsers)
	w.run(deleteA)
	want := []string{"sts:AssumeRole", "ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecr:DeleteRepository"}
	got := w.called()
	if len(got) != len(want) || strings.Contains(strings.Join(got, " "), "iam:") {
		t.Errorf("calls: %v, want %v", got, want)
	}
}

// A create of a user and the deletion of its repository at the same time leave no
// user without a repository.
func TestCreateUserWhileTheRepositoryIsDeleted(t *testing.T) {
	t.Parallel()
	for range 5 {
		w := newUsersWorld(t)
		var both sync.WaitGroup
		both.Go(func() { w.do(usersOf("POST", "", `{"UserName": "u"}`, 0, "")) })
		both.Go(func() { w.run(deleteA) })
		both.Wait()
		w.wantUsers()
	}
}
