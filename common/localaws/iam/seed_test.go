package iam_test

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestSeedsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	awstest.Must(t, b.AddIAMGroup(account, "group"))
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	add := func(u localaws.User) error { return b.AddUser(account, u) }
	key := func(account, user string) error {
		_, _, err := b.AddUserKey(account, user)
		return err
	}
	awstest.Must(t, key(account, "me"))
	awstest.Must(t, key(account, "ME"))
	for _, test := range []struct {
		err  error
		text string
	}{
		{b.AddManagedPolicy("111111111111", "p", awstest.AllowAll), `there is no account "111111111111"`},
		{b.AddManagedPolicy(account, "limits/ecr-api-users", awstest.AllowAll), "there is a policy limits/ecr-api-users in 012345678901"},
		{b.AddManagedPolicy(account, "p", "{}"), "policy p: there is no statement"},
		{b.AddManagedPolicy(account, "p", strings.Replace(awstest.AllowAll, "{", `{"Id":"`+strings.Repeat("i", 6144)+`",`, 1)), "policy p has more than 6144 characters"},
		{b.AddManagedPolicy(account, "a b", awstest.AllowAll), "policy a b: the name"},
		{b.AddIAMGroup("111111111111", "g"), `there is no account "111111111111"`},
		{b.AddIAMGroup(account, "/path/Group"), "there is a group /path/Group in 012345678901"},
		{b.AddIAMGroup(account, "g", "{}"), "group g: there is no statement"},
		{b.AddIAMGroup(account, "g/"), "group g/: the name"},
		{b.AddUser("111111111111", localaws.User{Name: "u"}), `there is no account "111111111111"`},
		{add(localaws.User{Name: "ME"}), "there is a user ME in 012345678901"},
		{add(localaws.User{Name: "a/b"}), "user a/b: the name"},
		{add(localaws.User{Name: strings.Repeat("u", 65)}), "the name"},
		{add(localaws.User{Name: "u", Path: "path"}), "user u: the path path does not begin and end with a slash"},
		{add(localaws.User{Name: "u", Tags: map[string]string{"a": "", "A": ""}}), "user u: InvalidInput: Duplicate tag keys"},
		{add(localaws.User{Name: "u", Boundary: "none"}), "user u: there is no policy none"},
		{add(localaws.User{Name: "u", Attached: []string{"none"}}), "user u: there is no policy none"},
		{add(localaws.User{Name: "u", Groups: []string{"none"}}), "user u: there is no group none"},
		{add(localaws.User{Name: "u", Policies: map[string]string{"p": "{}"}}), "user u: policy p: there is no statement"},
		{key("111111111111", "me"), `there is no account "111111111111"`},
		{key(account, "none"), "there is no user none in 012345678901"},
		{key(account, "me"), "the user me has 2 keys"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Errorf("%v, want %s", test.err, test.text)
		}
	}
}
