package api

import (
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

// makeNewUser makes the user u by the service, and then again in IAM, which shows
// it after that delay. So to the service it is the one that it has just made.
func (w *world) makeNewUser(delay time.Duration) {
	w.t.Helper()
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
	name := aws.String("g-a-u")
	made, err := w.iam().GetUser(&awsiam.GetUserInput{UserName: name})
	w.must(made, err)
	w.must(w.iam().DeleteUserPolicy(&awsiam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("ecr-api")}))
	w.must(w.iam().DeleteUser(&awsiam.DeleteUserInput{UserName: name}))
	w.aws.SetIAMDelay(delay)
	w.must(w.iam().CreateUser(&awsiam.CreateUserInput{
		UserName: name, Path: made.User.Path, Tags: made.User.Tags, PermissionsBoundary: made.User.PermissionsBoundary.PermissionsBoundaryArn,
	}))
}

// IAM shows a new user late, also in the list. The service waits for that.
func TestNewUserWhomIAMShowsLate(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.makeNewUser(3 * time.Second)
	w.forget()
	w.passTimeInIAM()
	w.run(usersOf("GET", "u", "", 200, shownUser("u", "push")))
	if n := count(w.called(), "iam:ListUsers"); n != 3 {
		t.Errorf("the users were listed %d times, want 3", n)
	}
}

// The users of a repository are those too that the list of IAM does not have yet.
// One whom somebody else has deleted is not, once IAM has listed it.
func TestListNewUsers(t *testing.T) {
	t.Parallel()
	var late atomic.Bool
	entries := regexp.MustCompile(`(?s)<member>.*</member>`)
	w := newUsersWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "ListUsers" && late.Load() {
			return entries.ReplaceAllString(body, "")
		}
		return body
	}))
	late.Store(true)
	w.run(
		usersOf("POST", "", `{"UserName": "u"}`, 200, "-"),
		usersOf("POST", "", `{"UserName": "b"}`, 200, "-"),
		usersOf("GET", "", "", 200, `["b", "u"]`),
	)
	late.Store(false)
	w.run(usersOf("GET", "", "", 200, `["b", "u"]`))
	w.deleteUserDirectly("g-a-u")
	w.run(
		usersOf("GET", "", "", 200, `["b"]`),
		usersOf("GET", "u", "", 404, noUser("u")),
		usersOf("DELETE", "b", "", 200, "-"),
		usersOf("GET", "", "", 200, `[]`),
	)
	late.Store(true)
	w.run(usersOf("POST", "", `{"UserName": "c"}`, 200, "-"), exchange{method: "DELETE", path: base + "/g/a", status: 200, want: "-"})
	if left := w.aws.UsersNow(account, "/"); len(left) > 0 {
		t.Errorf("users are left: %v", left)
	}
}

// A wait for IAM ends with the time of the request. Then the user is not missing,
// since the service has just made it.
func TestNewUserWhomIAMShowsNowhere(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 3 * time.Second })
	w.makeNewUser(time.Hour)
	const notYet = "AWS does not know the user u yet, though it was made a moment ago: try again."
	w.run(
		usersOf("GET", "u", "", 504, problemOf("timeout", notYet)),
		usersOf("POST", "u/keys", "", 504, problemOf("timeout", notYet+" Nothing was changed.")),
		usersOf("DELETE", "u", "", 504, problemOf("timeout", notYet+" Nothing was changed.")),
	)
}

// That is so too if IAM lists the user already, and the time is over before a
// denial can be taken for what is meant.
func TestNewUserWhomIAMOnlyLists(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 3 * time.Second })
	w.run(usersOf("POST", "", `{"UserName": "u"}`, 200, shownUser("u", "push")))
	w.aws.Inject(localaws.Fault{Operation: "iam:GetUser", Code: "AccessDenied"})
	w.run(usersOf("GET", "u", "", 504, problemOf("timeout", "AWS does not know the user u yet, though it was made a moment ago: try again.")))
}

func TestNewAccessKeyThatIAMShowsNowhere(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 3 * time.Second })
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	w.aws.SetIAMDelay(time.Hour)
	status, _, body := w.do(usersOf("POST", "u/keys", "", 0, ""))
	k := w.madeOf(status, body)
	w.run(usersOf("DELETE", "u/keys/"+k.AccessKeyID, "", 504,
		problemOf("timeout", "AWS does not know the access key "+k.AccessKeyID+" yet, though it was made a moment ago: try again. Nothing was changed.")))
}

// Part of AWS lists a new key, and another does not know it.
func TestNewAccessKeyThatIAMOnlyLists(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, ourUser(account, "g/a", org, "u", "pull"))
	status, _, body := w.do(usersOf("POST", "u/keys", "", 0, ""))
	k := w.madeOf(status, body)
	w.aws.Inject(localaws.Fault{Operation: "iam:UpdateAccessKey", Code: "NoSuchEntity"})
	w.run(usersOf("PUT", "u/keys/"+k.AccessKeyID, `{"Status": "Inactive"}`, 504,
		problemOf("timeout", "AWS does not know the access key "+k.AccessKeyID+" yet, though it was made a moment ago: try again. Nothing was changed.")))
}
