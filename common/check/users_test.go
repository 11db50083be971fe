package check

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
)

// Users are no failure, unless the role may not list them.
func TestUsers(t *testing.T) {
	t.Parallel()
	const (
		mayList = "the role may list them; only a change tells whether arn:aws:iam::210987654321:policy/ecr-api-users exists, and whether the role may do the rest"
		mayNot  = "iam: ListUsers denied, so repositories cannot be deleted there: give the role the permissions for users (config/aws/users-policy.json), or leave users.boundary out of the configuration"
		without = "good; docker credentials: set up; image scanning: basic"
	)
	given := func(permissions ...string) localaws.Role {
		return localaws.Role{Account: other, Name: "ecr-api", Trust: awstest.TrustLocal,
			Permissions: append(permissions, config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy)}
	}
	for name, test := range map[string]struct {
		boundary string
		role     localaws.Role
		fault    localaws.Fault
		want     string
	}{
		"none":             {"", given(config.UsersPolicy), localaws.Fault{}, without},
		"set up":           {"ecr-api-users", given(config.UsersPolicy), localaws.Fault{}, without + "; users: " + mayList},
		"an ARN":           {"arn:aws:iam::210987654321:policy/ecr-api-users", given(config.UsersPolicy), localaws.Fault{}, without + "; users: " + mayList},
		"not set up":       {"ecr-api-users", given(), localaws.Fault{}, mayNot},
		"an ARN elsewhere": {"arn:aws:iam::012345678901:policy/ecr-api-users", given(config.UsersPolicy), localaws.Fault{}, without + "; users: off (users.boundary is a policy of another account or partition)"},
		"IAM fails": {"ecr-api-users", given(config.UsersPolicy), localaws.Fault{Operation: "iam:ListUsers", Code: "InvalidInput", Message: "no"},
			without + "; users: not known: iam: ListUsers failed: InvalidInput: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := awstest.New(t, test.role)
			if test.fault.Code != "" {
				aws.Inject(test.fault)
			}
			c := configFor(aws.URL)
			c.Users = common.Users{Boundary: test.boundary}
			failure := ""
			if test.want == mayNot {
				failure = "1 of 1 accounts cannot be used"
			}
			wantRun(t, c, []string{other}, "identity: "+identity+"\n210987654321: "+test.want+"\n", failure)
		})
	}
}

func TestUsersInAnotherPartition(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t, role(awstest.TrustLocal, awstest.AllowAll))
	c := configFor(aws.URL)
	c.Users = common.Users{Boundary: "arn:aws-cn:iam::210987654321:policy/ecr-api-users"}
	wantRun(t, c, []string{other}, "warning: users.boundary is a policy of the partition aws-cn, and the service is in aws: there are no users in any account\n"+
		"identity: "+identity+"\n210987654321: good; docker credentials: set up; image scanning: basic; users: off (users.boundary is a policy of another account or partition)\n", "")
}

// The check asks for one user of the org at most, in a session that may do nothing
// else.
func TestSessionOfTheCheckOfUsers(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t, role(awstest.TrustLocal, awstest.AllowAll))
	c := configFor(aws.URL)
	c.Users = common.Users{Boundary: "ecr-api-users"}
	wantRun(t, c, []string{other}, "identity: "+identity+"\n210987654321: good; docker credentials: set up; image scanning: basic; "+
		"users: the role may list them; only a change tells whether arn:aws:iam::210987654321:policy/ecr-api-users exists, and whether the role may do the rest\n", "")
	for _, call := range aws.Calls() {
		if call.Service == "iam" {
			want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:ListUsers"],"Resource":["*"]}]}`
			if diff := cmp.Diff("ListUsers "+want, call.Operation+" "+call.Policy); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Error("IAM was not called")
}

// A boundary that no account has turns users off everywhere.
func TestWarningOfTheBoundary(t *testing.T) {
	t.Parallel()
	const arn, nowhere = "arn:aws:iam::210987654321:policy/users", ": there are no users in any account"
	for name, test := range map[string]struct {
		boundary, account string // account: the only one; "" is any
		want              []string
	}{
		"none":              {"", "012345678901", nil},
		"a name":            {"users", "012345678901", nil},
		"any account":       {arn, "", nil},
		"a known account":   {arn, "210987654321", nil},
		"another account":   {arn, "012345678901", []string{"users.boundary is a policy of the account 210987654321, which is not in accounts" + nowhere}},
		"another partition": {"arn:aws-cn:iam::210987654321:policy/users", "", []string{"users.boundary is a policy of the partition aws-cn, and the service is in aws" + nowhere}},
	} {
		c := configFor("")
		c.Users.Boundary, c.Accounts = test.boundary, nil
		if test.account != "" {
			c.Accounts = map[string]string{"main": test.account}
		}
		if diff := cmp.Diff(test.want, Warnings(c, "")); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", name, diff)
		}
	}
}
