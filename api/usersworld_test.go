package api

import (
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

// usersPermissions are the permissions of the management role for users.
var usersPermissions = strings.ReplaceAll(config.UsersPolicy, "FORMER-GROUP", "former")

// formerPolicy is what the group of the earlier service's users allows.
const formerPolicy = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}`

// setUpUsers adds to the accounts of the roles what users need there, and what
// the earlier service has left.
func (w *world) setUpUsers(roles []localaws.Role) {
	w.t.Helper()
	done := map[string]bool{}
	for _, r := range roles {
		if done[r.Account] {
			continue
		}
		done[r.Account] = true
		w.must(nil, w.aws.AddManagedPolicy(r.Account, "ecr-api-users", config.UsersBoundary))
		w.must(nil, w.aws.AddManagedPolicy(r.Account, "other", formerPolicy))
		w.must(nil, w.aws.AddIAMGroup(r.Account, "former", formerPolicy))
		w.must(nil, w.aws.AddIAMGroup(r.Account, "admins", formerPolicy))
	}
}

// withoutUsers is an option for newWorld.
func withoutUsers(c *common.Config, _ *[]route) { c.Users = common.Users{} }

// addUser adds a user to IAM.
func (w *world) addUser(account string, u localaws.User) {
	w.t.Helper()
	w.must(nil, w.aws.AddUser(account, u))
}

// inOtherGroup is what is said of a user in the IAM group admins.
func inOtherGroup(user string) string {
	return "The user " + user + " is in the IAM group arn:aws:iam::012345678901:group/admins, which the service does not know. " +
		"Take it out of that group in IAM, and send the request again. If it is the group of the earlier service, " +
		"the service's configuration (users.formerGroup) must have its name with its path."
}

// addKey adds an access key to a user, and returns its id.
func (w *world) addKey(account, user string) string {
	w.t.Helper()
	id, _, err := w.aws.AddUserKey(account, user)
	w.must(id, err)
	return id
}

// Inline policies of users, with REPOSITORY, ACCOUNT and ORG in place of those.
const (
	pullPolicy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
		{"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
			"Resource": ["arn:aws:ecr:us-east-1:ACCOUNT:repository/REPOSITORY"], "Condition": {"StringEquals": {"aws:ResourceTag/spinup:org": ["ORG"]}}},
		{"Effect": "Deny", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
			"Resource": ["*"], "Condition": {"StringNotEquals": {"aws:ResourceTag/spinup:org": ["ORG"]}}},
		{"Effect": "Deny", "NotAction": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": ["*"]},
		{"Effect": "Deny", "NotAction": ["ecr:GetAuthorizationToken"], "NotResource": ["arn:aws:ecr:us-east-1:ACCOUNT:repository/REPOSITORY"]}]}`
	pushActions = `"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
		"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"`
)

// policyOfUser returns the inline policy of a user with that access.
func policyOfUser(account, repository, org, access string) string {
	text := pullPolicy
	if access == "push" {
		text = strings.ReplaceAll(text, `"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"`, pushActions)
	}
	return strings.NewReplacer("ACCOUNT", account, "REPOSITORY", repository, "ORG", org).Replace(text)
}

// ourUser returns a user as the service makes one.
func ourUser(account, repository, org, name, access string) localaws.User {
	u := earlierUser(repository, org, name)
	u.Groups = nil
	u.Boundary = "ecr-api-users"
	u.Policies = map[string]string{"ecr-api": policyOfUser(account, repository, org, access)}
	return u
}

// earlierUser returns a user as the earlier service has made it.
func earlierUser(repository, org, name string) localaws.User {
	group, short, _ := strings.Cut(repository, "/")
	full := group + "-" + short + "-" + name
	return localaws.User{
		Path: "/spinup/" + org + "/" + repository + "/", Name: full,
		Tags:   map[string]string{"Name": full, "spinup:org": org, "spinup:spaceid": group, "ResourceName": repository},
		Groups: []string{"former"},
	}
}
