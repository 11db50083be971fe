package iam_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// Tests compare answers with what IAM has. So that must not wait until it is seen.
func TestUsersNow(t *testing.T) {
	t.Parallel()
	b := start(t)
	const document = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}`
	is(t, "policy", nil, b.AddManagedPolicy(localaws.AdministratorAccount, "bounds/mine", document))
	is(t, "group", nil, b.AddIAMGroup(localaws.AdministratorAccount, "/of/all", document))
	given := localaws.User{
		Path: "/a/b/", Name: "Robot", Tags: map[string]string{"k": "v"}, Boundary: "bounds/mine",
		Policies: map[string]string{"own": document}, Attached: []string{"bounds/mine"}, Groups: []string{"all"}, LoginProfile: true,
	}
	is(t, "user", nil, b.AddUser(localaws.AdministratorAccount, given))
	is(t, "other", nil, b.AddUser(localaws.AdministratorAccount, localaws.User{Path: "/a/", Name: "other"}))
	id, secret, err := b.AddUserKey(localaws.AdministratorAccount, "robot")
	is(t, "key", nil, err)
	b.SetIAMDelay(time.Hour)
	_, err = b.IAM().CreateUser(user("late").SetPath("/a/b/c/"))
	is(t, "late", nil, err)

	want := map[string]localaws.UserNow{
		"Robot": {User: given, Keys: []localaws.KeyNow{{ID: id, Secret: secret, Status: "Active"}}},
		"late":  {User: localaws.User{Path: "/a/b/c/", Name: "late", Tags: map[string]string{}, Policies: map[string]string{}}},
	}
	got := b.UsersNow(localaws.AdministratorAccount, "/a/b/")
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(localaws.UserNow{}, "ID", "Created")); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}
