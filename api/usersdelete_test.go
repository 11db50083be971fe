package api

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

// addFullUser adds the user full of g/a, who has something of each kind. It
// returns the answer that shows it.
func (w *world) addFullUser() string {
	w.t.Helper()
	full := earlierUser("g/a", org, "full")
	full.Attached, full.Policies = []string{"other"}, map[string]string{"own": formerPolicy, "ecr-api": formerPolicy}
	w.addUser(account, full)
	return shownUser("full", "", `"Groups": []`, `"Groups": ["former"]`, `"AccessKeys": []`,
		`"AccessKeys": [`+shownKey(w.addKey(account, full.Name))+`]`)
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	want := w.addFullUser()
	w.addUser(account, ourUser(account, "g/a", org, "other", "pull"))
	w.run(
		usersOf("DELETE", "full", "", 200, want),
		usersOf("DELETE", "full", "", 404, noUser("full")),
		usersOf("GET", "", "", 200, `["other"]`),
		usersOf("DELETE", "other", "", 200, shownUser("other", "pull")),
	)
}

// The keys of a user go first.
func TestDeleteUserInOrder(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addFullUser()
	w.run(usersOf("DELETE", "full", "", 200, "-"))
	var changes []string
	for _, operation := range w.called() {
		if !reads.MatchString(operation) && operation != "sts:AssumeRole" {
			changes = append(changes, operation)
		}
	}
	if len(changes) != 6 || changes[0] != "iam:DeleteAccessKey" || changes[1] != "iam:RemoveUserFromGroup" || changes[5] != "iam:DeleteUser" {
		t.Errorf("changes: %v", changes)
	}
}

// Users who are not the repository's are not deleted.
func TestDeleteUserOfOthers(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addRepository(account, "g-a/b", org)
	w.addUser(account, ourUser(account, "g-a/b", org, "c", "pull"))
	w.addUser(account, localaws.User{Path: "/spinup/spindev/g/a/", Name: "g-a-small"})
	w.run(
		usersOf("DELETE", "b-c", "", 404, noUser("b-c")),
		usersOf("DELETE", "SMALL", "", 404, noUser("SMALL")),
		exchange{method: "DELETE", path: base + "/g-a/b/users/c", status: 200, want: "-"},
	)
}

// A member of a group that the service does not know stays as it is.
func TestDeleteUserInAnotherGroup(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	u := earlierUser("g/a", org, "u")
	u.Groups = []string{"former", "admins"}
	w.addUser(account, u)
	key := w.addKey(account, u.Name)
	w.run(
		usersOf("DELETE", "u", "", 409, problemOf("user-conflict",
			inOtherGroup("u"))),
		usersOf("GET", "u", "", 200, shownUser("u", "", `"Groups": []`, `"Groups": ["admins", "former"]`, `"AccessKeys": []`, `"AccessKeys": [`+shownKey(key)+`]`)),
	)
}

const (
	inTheWayAdvice = "Remove in IAM what is in the way, and send the same request again."
	defaultAdvice  = "Look at the repository, or send the same request again."
)

// IAM deletes no user who has a password. The rest is done.
func TestDeleteUserWithAPassword(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	u := ourUser(account, "g/a", org, "u", "pull")
	u.LoginProfile = true
	w.addUser(account, u)
	said := "IAM does not delete the user u: Cannot delete entity, must delete login profile first."
	w.run(
		usersOf("DELETE", "u", "", 409, strings.Replace(failedChangeByAWS("user-conflict", said, []string{"Policies"}, nil, "DeleteConflict"), defaultAdvice, inTheWayAdvice, 1)),
		usersOf("GET", "u", "", 200, shownUser("u", "")),
		usersOf("DELETE", "u", "", 409, problemByAWS("user-conflict", said, "DeleteConflict")),
	)
}

// deletingOperations are the changes that delete the user full.
var deletingOperations = []string{"iam:DeleteAccessKey", "iam:RemoveUserFromGroup", "iam:DetachUserPolicy", "iam:DeleteUserPolicy", "iam:DeleteUser"}

func TestLostAnswersOfDeleteUser(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		for _, operation := range deletingOperations {
			t.Run(name+" "+operation, func(t *testing.T) {
				t.Parallel()
				w := newUsersWorld(t)
				want := w.addFullUser()
				w.loseAnswer(operation, fault, true)
				w.run(usersOf("DELETE", "full", "", 200, want))
				want = w.addFullUser()
				w.loseAnswer(operation, fault, false)
				w.run(usersOf("DELETE", "full", "", 200, want))
				want = w.addFullUser()
				all := fault
				all.Operation, all.AfterWork = operation, true
				w.aws.Inject(all)
				w.run(usersOf("DELETE", "full", "", 200, want), usersOf("DELETE", "full", "", 404, noUser("full")))
			})
		}
	}
}

// What is removed in a later round is no longer unknown.
func TestDeletionInSeveralRounds(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.addKey(account, "g-a-u")
	w.addKey(account, "g-a-u")
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "ConcurrentModification", Times: 1})
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "InvalidInput", Message: "no"})
	w.run(usersOf("DELETE", "u", "", 400, ofUser(failedChangeByAWS("bad-request", "no", []string{"AccessKeys", "Policies"}, nil, "InvalidInput"))))
}

// Somebody sets a policy after those of the user are gone, and it cannot be deleted.
// So the policies are not as they were, nor gone.
func TestDeletionOfAUserWhoGetsAPolicy(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	var deletions atomic.Int64
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUserPolicy", Code: "Throttling", When: func(localaws.Call) bool { return deletions.Add(1) > 1 }})
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteUserPolicy" && deletions.Load() == 1 {
			w.must(w.iam().PutUserPolicy(&awsiam.PutUserPolicyInput{
				UserName: aws.String("g-a-u"), PolicyName: aws.String("more"), PolicyDocument: aws.String(policyForEverything(iam.Scope{}).String()),
			}))
		}
	}
	w.run(usersOf("DELETE", "u", "", 429, ofUser(failedChangeByAWS("throttled", throttledDetail, nil, []string{"Policies"}, "Throttling"))))
}

// IAM has never shown the access key, which is deleted before the deletion of the
// user fails. So nothing shows it any more.
func TestFailedDeletionOfAUserWithAnUnseenKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"), changeAnswers(t, withoutKeys))
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "InvalidInput", Message: "no"})
	w.run(
		usersOf("DELETE", "builder", "", 400, ofUser(failedChangeByAWS("bad-request", "no", []string{"AccessKeys", "Policies"}, nil, "InvalidInput"))),
		usersOf("GET", "builder", "", 200, shownUser("builder", "")),
	)
}

// A deletion that fails at any step says what is done. Sent again, it deletes the
// rest.
func TestFailedDeletionOfAUser(t *testing.T) {
	t.Parallel()
	done := []string{"AccessKeys", "Groups", "Policies"}
	for operation, test := range map[string]struct {
		applied []string
		unsure  string // the part of which nothing is known without an answer
	}{
		"iam:DeleteAccessKey":     {nil, "AccessKeys"},
		"iam:RemoveUserFromGroup": {done[:1], "Groups"},
		"iam:DeleteUser":          {done, "User"},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newUsersWorld(t)
			w.addFullUser()
			mend := w.aws.Inject(localaws.Fault{Operation: operation, Code: "InvalidInput", Message: "no"})
			want := ofUser(failedChangeByAWS("bad-request", "no", test.applied, nil, "InvalidInput"))
			if test.applied == nil {
				want = problemByAWS("bad-request", "no", "InvalidInput")
			}
			w.run(usersOf("DELETE", "full", "", 400, want))
			mend()
			mend = w.aws.Inject(localaws.Fault{Operation: operation, Code: "ServiceFailure", Status: 500})
			w.run(usersOf("DELETE", "full", "", 500, ofUser(failedChangeByAWS("internal", internalError, nil, []string{test.unsure}, "ServiceFailure"))))
			mend()
			w.run(usersOf("DELETE", "full", "", 200, "-"), usersOf("DELETE", "full", "", 404, noUser("full")))
		})
	}
}

// The second read of the user, after a conflict, fails. The deletion before may
// have done its work.
func TestDeleteUserWhoCannotBeReadAgain(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	u := ourUser(account, "g/a", org, "u", "pull")
	u.LoginProfile = true
	w.addUser(account, u)
	var begun atomic.Bool
	fails := localaws.Fault{Code: "ServiceFailure", Status: 500}
	deletion, read := fails, fails
	deletion.Operation, deletion.Times = "iam:DeleteUser", 1
	deletion.When = func(localaws.Call) bool { begun.Store(true); return true }
	read.Operation = "iam:GetUserPolicy"
	read.When = func(localaws.Call) bool { return begun.Load() }
	w.aws.Inject(deletion)
	w.aws.Inject(read)
	w.run(usersOf("DELETE", "u", "", 500, ofUser(failedChangeByAWS("internal", internalError, []string{"Policies"}, []string{"User"}, "ServiceFailure"))))
}

// IAM shows a user for a while who was deleted. The service does not, and makes
// another one of that name as soon as it can.
func TestDeletedUserWhomIAMStillShows(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addFullUser()
	w.aws.SetIAMDelay(2e9)
	w.run(
		usersOf("DELETE", "full", "", 200, "-"),
		usersOf("GET", "", "", 200, "[]"),
		usersOf("GET", "full", "", 404, noUser("full")),
		usersOf("DELETE", "full", "", 404, noUser("full")),
	)
	w.after = func(c localaws.Call) {
		if c.Operation == "ListUsers" {
			w.later.Add(1)
		}
	}
	w.run(usersOf("POST", "", `{"UserName": "full"}`, 200, shownUser("full", "push")))
	w.later.Add(10)
	w.run(usersOf("GET", "full", "", 200, shownUser("full", "push")))
}

// A user who is half deleted gets no key before somebody says what it may do.
func TestKeyOfAUserWhosePolicyWasJustDeleted(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.run(usersOf("POST", "", `{"UserName": "builder"}`, 200, "-"))
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "InvalidInput", Message: "no", Times: 1})
	w.run(
		usersOf("DELETE", "builder", "", 400, "-"),
		usersOf("GET", "builder", "", 200, shownUser("builder", "")),
		exchange{method: "POST", path: builderKeys, status: 409, want: problemOf("user-conflict",
			"The user builder has no policy of this service, so nobody knows what it may do. Set its Access in an update, and send the request again.")},
		updateOf(`{"Access": "push"}`, 200, shownUser("builder", "push")),
		exchange{method: "POST", path: builderKeys, status: 200, want: "-"},
	)
}

// The key that IAM does not show yet is deleted too.
func TestDeleteUserWhoseKeyIAMDoesNotShow(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.aws.SetIAMDelay(2e9)
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	var lists atomic.Int64
	w.after = func(c localaws.Call) {
		if c.Operation == "ListAccessKeys" && lists.Add(1) == 2 {
			w.later.Add(10)
		}
	}
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUserPolicy", Code: "InvalidInput", Message: "no"})
	w.run(exchange{method: "DELETE", path: builderPath, status: 400, want: ofUser(failedChangeByAWS("bad-request", "no", []string{"AccessKeys"}, nil, "InvalidInput"))})
	if keys := w.aws.UsersNow(account, "/")["g-a-builder"].Keys; len(keys) > 0 {
		t.Errorf("the keys are %v", keys)
	}
}

// Somebody else deletes the user at the same time. That is this request's work
// only if it may have done it.
func TestUserWhomSomebodyElseDeletes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  localaws.Fault
		status int
	}{
		"no attempt": {localaws.Fault{Operation: "none"}, 404},
		"an attempt": {localaws.Fault{Drop: true}, 200},
	} {
		for _, before := range []string{"iam:DeleteUserPolicy", "iam:DeleteUser"} {
			t.Run(name+" "+before, func(t *testing.T) {
				t.Parallel()
				status := test.status
				if before == "iam:DeleteUserPolicy" { // no attempt to delete the user itself
					status = 404
				}
				w := newUsersWorld(t)
				w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
				fault := test.fault
				if fault.Operation == "" {
					fault.Operation = before
				}
				fault.Times, fault.When = 1, func(c localaws.Call) bool { return c.Policy != "" } // not the administrator
				w.aws.Inject(localaws.Fault{Operation: before, Code: "none", When: func(c localaws.Call) bool {
					if c.Policy != "" {
						w.deleteUserDirectly("g-a-u")
					}
					return false
				}})
				w.aws.Inject(fault)
				w.run(usersOf("DELETE", "u", "", status, "-"))
			})
		}
	}
}

// deleteUserDirectly deletes a user with the policy of the service.
func (w *world) deleteUserDirectly(name string) {
	w.iam().DeleteUserPolicy(&awsiam.DeleteUserPolicyInput{UserName: aws.String(name), PolicyName: aws.String("ecr-api")}) // it may be gone
	w.iam().DeleteUser(&awsiam.DeleteUserInput{UserName: aws.String(name)})
}

// An attempt deletes the user, and its answer gets lost. Before the next attempt
// somebody makes another user of the same name. That one stays.
func TestLostDeleteKeepsTheNextUser(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	u := ourUser(account, "g/a", org, "u", "pull")
	w.addUser(account, u)
	w.loseAnswer("iam:DeleteUser", localaws.Fault{Drop: true}, true)
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteUser" {
			w.addUser(account, ourUser(account, "g/a", org, "u", "push"))
		}
	}
	w.run(usersOf("DELETE", "u", "", 200, shownUser("u", "pull")), usersOf("GET", "u", "", 200, shownUser("u", "push")))
}

// Somebody gives the user a key while it is deleted.
func TestDeleteUserWhoGetsAKey(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	var once sync.Once
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "none", When: func(localaws.Call) bool {
		once.Do(func() { w.addKey(account, "g-a-u") })
		return false
	}})
	w.run(usersOf("DELETE", "u", "", 200, shownUser("u", "pull")), usersOf("DELETE", "u", "", 404, noUser("u")))
}

// A user is deleted right after it was created, when IAM does not know it yet.
func TestDeleteUserWhomIAMKnowsLate(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.aws.SetIAMDelay(3e9)
	w.passTimeInIAM()
	w.run(
		usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")),
		usersOf("DELETE", "u", "", 200, shownUser("u", "push")),
		usersOf("DELETE", "u", "", 404, "-"),
	)
	w.later.Add(10)
	w.run(usersOf("GET", "", "", 200, `[]`))
}

// A user is deleted right after it got a key, which IAM does not show yet. IAM
// says for some seconds that it does not know the key, and that it is in the way.
func TestDeleteUserWithANewKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.aws.SetIAMDelay(time.Hour)
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	key := w.aws.UsersNow(account, "/")["g-a-builder"].Keys[0].ID
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "NoSuchEntity", Status: 404, Times: 5})
	w.run(usersOf("DELETE", "builder", "", 200, shownUser("builder", "pull", `"AccessKeys": []`, `"AccessKeys": [`+shownKey(key)+`]`)))
	if left := w.aws.UsersNow(account, "/"); len(left) > 0 {
		t.Errorf("users are left: %v", left)
	}
}

func TestDeleteUserGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addFullUser()
	w.hangUp(t, usersOf("DELETE", "full", "", 0, ""), 5e8)
	waitFor(t, "the deletion to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteUser"`) })
	w.run(usersOf("GET", "", "", 200, `[]`))
}

// No answer comes to any attempt of a change of a user.
func TestUserChangesWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for operation, want := range map[string]exchange{
		"iam:CreateUser": usersOf("POST", "", `{"UserName": "u"}`, 500, strings.Replace(failedChange("internal", internalError, nil, []string{"User"}),
			defaultAdvice, "If the repository has the user, delete it. Then send the same request again.", 1)),
		"iam:PutUserPolicy":    usersOf("POST", "", `{"UserName": "u"}`, 500, problemOf("internal", internalError)),
		"iam:DeleteAccessKey":  usersOf("DELETE", "builder", "", 500, ofUser(failedChange("internal", internalError, nil, []string{"AccessKeys"}))),
		"iam:DeleteUserPolicy": usersOf("DELETE", "builder", "", 500, ofUser(failedChange("internal", internalError, []string{"AccessKeys"}, []string{"Policies"}))),
		"iam:DeleteUser":       usersOf("DELETE", "builder", "", 500, ofUser(failedChange("internal", internalError, []string{"AccessKeys", "Policies"}, []string{"User"}))),
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.aws.Inject(localaws.Fault{Operation: operation, Drop: true})
			w.run(want)
		})
	}
}

// Each action of the sessions that create and delete users is needed.
func TestEveryActionOfSessionsForUsersIsNeeded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CreateUser", "DeleteUser", "ShowUser"} {
		rt := rowNamed(name)
		for session, policy := range rt.Further {
			for i, s := range policy(exampleScope).Statement {
				if s.Effect != "Allow" {
					continue
				}
				for _, action := range s.Action {
					t.Run(name+", "+session+" without "+action, func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, withoutFurther(name, session, i, action))
						w.setUpVariants()
						if len(w.failing(rt)) == 0 && !w.failsOnUsual(rt) {
							t.Error("the row works without it")
						}
					})
				}
			}
		}
	}
}

// withoutFurther is an option for newWorld that takes an action out of the policy
// of a further session.
func withoutFurther(row, session string, statement int, action string) func(*common.Config, *[]route) {
	return changeRows(func(rt *route) {
		if rt.Name != row {
			return
		}
		policy := rt.Further[session]
		rt.Further = maps.Clone(rt.Further)
		rt.Further[session] = func(s iam.Scope) iam.Policy { return without(policy(s), statement, action) }
	})
}

// failsOnUsual tells whether the row's usual request fails.
func (w *world) failsOnUsual(rt route) bool {
	w.addFullRepository(account, "g/a", org)
	w.later.Add(60) // AWS knows the user's key everywhere
	e := entryOf(w.t, rt).usual(rt)
	status, _, _ := w.do(e)
	return status != e.status
}

// ofUser returns the problem document of a failed change of a user: it says to look
// at the user, and not at the repository.
func ofUser(problem string) string { return advise(problem, lookAtUser) }

// advise returns the problem document with another advice than the usual one.
func advise(problem, advice string) string {
	return strings.NewReplacer("Look at the repository, or correct the request and send it again.", advice, defaultAdvice, advice).Replace(problem)
}
