package common

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("p/", 44) + strings.Repeat("n", 128)
	for text, want := range map[string]Users{
		`{}`:                            {},
		`{"boundary": ""}`:              {},
		`{"boundary": "ecr-api-users"}`: {Boundary: "ecr-api-users"},
		`{"boundary": "a/b/c_+=,.@-1", "formerGroup": "spinup/ECR.1"}`:         {Boundary: "a/b/c_+=,.@-1", FormerGroup: "spinup/ECR.1"},
		`{"boundary": "arn:aws:iam::012345678901:policy/p", "formerGroup":""}`: {Boundary: "arn:aws:iam::012345678901:policy/p"},
		`{"boundary": "arn:aws-us-gov:iam::012345678901:policy/a/p"}`:          {Boundary: "arn:aws-us-gov:iam::012345678901:policy/a/p"},
		`{"boundary": "` + long + `"}`:                                         {Boundary: long},
	} {
		c, err := ParseConfig(document(t, keys{"users": json.RawMessage(text)}), nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, c.Users); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestBadUsers(t *testing.T) {
	t.Parallel()
	const (
		badName  = "users.boundary is not a policy name (letters, digits and + = , . @ _ - /), with its path but without a / before it"
		badARN   = `users.boundary is not the ARN of a policy of your own, like "arn:aws:iam::012345678901:policy/ecr-api-users"`
		badGroup = "users.formerGroup is not a group name (letters, digits and + = , . @ _ - /), with its path but without a / before it"
		noUsers  = "users.formerGroup goes with users.boundary, without which there are no users"
		badOrg   = "org has a space or a /, which cannot be with users.boundary: it is in the paths of users"
		tooLong  = "users.boundary is over 216 characters"
	)
	boundary := func(name string) keys { return keys{"users": map[string]any{"boundary": name}} }
	for _, test := range []struct {
		changes keys
		want    string
	}{
		{keys{"users": "ecr-api-users"}, "users must be an object"},
		{keys{"users": nil}, "users must be an object"},
		{keys{"users": map[string]any{"boundary": 1, "formerGroup": "g"}}, "users.boundary must be a string"},
		{keys{"users": map[string]any{"boundary": "b", "formerGroup": []int{}}}, "users.formerGroup must be a string"},
		{keys{"users": map[string]any{"Boundary": "b"}}, "users.Boundary is not a known key"},
		{keys{"users": json.RawMessage(`{"boundary": "b", "boundary": "c"}`)}, "users.boundary is given twice"},
		{boundary("no policy"), badName},
		{boundary("p*"), badName},
		{boundary("/p"), badName},
		{boundary("p/"), badName},
		{boundary("a//p"), badName},
		{boundary("${aws:username}"), badName},
		{boundary("p\n"), badName},
		{boundary(strings.Repeat("p", 129)), badName},
		{boundary("arn:aws:iam::aws:policy/AdministratorAccess"), badARN},
		{boundary("arn:aws:iam::12345678901:policy/p"), badARN},
		{boundary("arn:aws:iam::*:policy/p"), badARN},
		{boundary("arn:*:iam::012345678901:policy/p"), badARN},
		{boundary("arn:aws:iam::012345678901:policy/*"), badARN},
		{boundary("arn:aws:iam::012345678901:policy/"), badARN},
		{boundary("arn:aws:iam::012345678901:role/p"), badARN},
		{boundary("arn:aws:iam:us-east-1:012345678901:policy/p"), badARN},
		{boundary("arn:aws:iam::012345678901:policy/p\n"), badARN},
		{boundary("arn:aws:iam::012345678901:policy/" + strings.Repeat("a/", 2)), badARN},
		{boundary("arn:aws:iam::012345678901:policy/" + strings.Repeat("a/", 91) + "bc"), tooLong},
		{boundary(strings.Repeat("a/", 108) + "b"), tooLong},
		{keys{"users": map[string]any{"boundary": "b", "formerGroup": "a b"}}, badGroup},
		{keys{"users": map[string]any{"boundary": "b", "formerGroup": "/g"}}, badGroup},
		{keys{"users": map[string]any{"boundary": "b", "formerGroup": "*"}}, badGroup},
		{keys{"users": map[string]any{"boundary": "b", "formerGroup": strings.Repeat("a/", 108) + "g"}},
			"users.formerGroup is over 216 characters"},
		{keys{"users": map[string]any{"formerGroup": "g"}}, noUsers},
		{keys{"users": map[string]any{"boundary": "", "formerGroup": "g"}}, noUsers},
		{keys{"users": map[string]any{"boundary": "b"}, "org": "a b"}, badOrg},
		{keys{"users": map[string]any{"boundary": "b"}, "org": "a/b"}, badOrg},
	} {
		_, err := ParseConfig(document(t, test.changes), nil)
		if diff := cmp.Diff("bad configuration: "+test.want, messageWithoutPositions(err)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.changes, diff)
		}
	}
}

func TestUsersInAccounts(t *testing.T) {
	t.Parallel()
	const own, other = "012345678901", "210987654321"
	for _, test := range []struct {
		users              Users
		partition, account string
		boundary, group    string
		on                 bool
	}{
		{Users{}, "aws", own, "", "", false},
		{Users{"b", ""}, "aws", own, "arn:aws:iam::012345678901:policy/b", "", true},
		{Users{strings.Repeat("b", 216), ""}, "aws-us-gov", own, "arn:aws-us-gov:iam::012345678901:policy/" + strings.Repeat("b", 216), "", true},
		{Users{"a/b", "c/g"}, "aws-cn", other, "arn:aws-cn:iam::210987654321:policy/a/b", "arn:aws-cn:iam::210987654321:group/c/g", true},
		{Users{"arn:aws:iam::012345678901:policy/a/b", "g"}, "aws", own,
			"arn:aws:iam::012345678901:policy/a/b", "arn:aws:iam::012345678901:group/g", true},
		{Users{"arn:aws:iam::012345678901:policy/b", ""}, "aws", other, "", "", false},
		{Users{"arn:aws:iam::012345678901:policy/b", ""}, "aws-cn", own, "", "", false},
	} {
		boundary, on := test.users.BoundaryIn(test.partition, test.account)
		if boundary != test.boundary || on != test.on {
			t.Errorf("boundary of %v in %s: %q, %v, want %q, %v", test.users, test.account, boundary, on, test.boundary, test.on)
		}
		if len(boundary) > 256 {
			t.Errorf("boundary of %d characters", len(boundary))
		}
		if group := test.users.FormerGroupIn(test.partition, test.account); group != test.group {
			t.Errorf("group of %v in %s: %q, want %q", test.users, test.account, group, test.group)
		}
	}
}
