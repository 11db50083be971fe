//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const (
	account  = localaws.AdministratorAccount
	boundary = "arn:aws:iam::" + account + ":policy/limits/ecr-api-users"
)

// created is when a user or key is made at Noon: IAM's dates have no fraction.
var created = awstest.Noon.Truncate(time.Second)

// start returns an AWS with a managed policy that is a boundary.
func start(t *testing.T) *awstest.AWS {
	t.Helper()
	b := awstest.New(t)
	awstest.Must(t, b.AddManagedPolicy(account, "/limits/ecr-api-users", awstest.AllowAll))
	return b
}

func user(name string) *iam.CreateUserInput { return &iam.CreateUserInput{UserName: &name} }

func get(c *iam.IAM, name string) (*iam.User, error) {
	out, err := c.GetUser(&iam.GetUserInput{UserName: &name})
	return out.User, err
}

// is fails the test unless an answer is the one that is wanted.
func is[T any](t *testing.T, name string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func tag(key, value string) *iam.Tag { return &iam.Tag{Key: &key, Value: &value} }

func TestCreateUser(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	out, err := c.CreateUser(&iam.CreateUserInput{
		UserName: aws.String("First"), Path: aws.String("/spinup/org/group/name/"), PermissionsBoundary: aws.String(boundary),
		Tags: []*iam.Tag{tag("b", ""), tag("a", "1 + 2")},
	})
	awstest.Must(t, err)
	id := out.User.UserId
	if !strings.HasPrefix(*id, "AIDA") || len(*id) != 21 {
		t.Errorf("id %s", *id)
	}
	want := &iam.User{
		Path: aws.String("/spinup/org/group/name/"), UserName: aws.String("First"), UserId: id, CreateDate: &created,
		Arn: aws.String("arn:aws:iam::012345678901:user/spinup/org/group/name/First"),
		PermissionsBoundary: &iam.AttachedPermissionsBoundary{
			PermissionsBoundaryType: aws.String("PermissionsBoundaryPolicy"), PermissionsBoundaryArn: aws.String(boundary),
		},
		Tags: []*iam.Tag{tag("a", "1 + 2"), tag("b", "")},
	}
	is(t, "the answer", want, out.User)
	for _, name := range []string{"First", "fIRST"} {
		got, err := get(c, name)
		awstest.Must(t, err)
		is(t, name, want, got)
	}
	err = awstest.ErrorOf(c.CreateUser(user("FIRST")))
	awstest.WantError(t, "a user of that name", err, "EntityAlreadyExists", "User with name FIRST already exists.")

	_, err = c.CreateUser(user("second"))
	awstest.Must(t, err)
	got, err := get(c, "second")
	awstest.Must(t, err)
	is(t, "second", &iam.User{
		Path: aws.String("/"), UserName: aws.String("second"), UserId: got.UserId, CreateDate: &created,
		Arn: aws.String("arn:aws:iam::012345678901:user/second"),
	}, got)
	if *got.UserId == *id {
		t.Errorf("both users have the id %s", *id)
	}
}

func TestCreateUserRefusals(t *testing.T) {
	t.Parallel()
	c := start(t).IAM()
	long := func(n int) string { return strings.Repeat("a", n) }
	const invalid, input = "ValidationError", "InvalidInput"
	for _, test := range []struct {
		name       string
		change     func(*iam.CreateUserInput)
		code, text string
	}{
		{"longest name", func(in *iam.CreateUserInput) { in.SetUserName(long(64)) }, "", ""},
		{"name too long", func(in *iam.CreateUserInput) { in.SetUserName(long(65)) }, invalid,
			"1 validation error detected: Value '" + long(65) + "' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"name with a slash", func(in *iam.CreateUserInput) { in.SetUserName("a/b") }, invalid,
			"The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		{"all characters of names", func(in *iam.CreateUserInput) { in.SetUserName("_+=,.@-9") }, "", ""},
		{"longest path", func(in *iam.CreateUserInput) { in.SetPath("/" + long(510) + "/") }, "", ""},
		{"path too long", func(in *iam.CreateUserInput) { in.SetPath("/" + long(511) + "/") }, invalid, "at 'path'"},
		{"path with a space", func(in *iam.CreateUserInput) { in.SetPath("/a b/") }, invalid, "The specified value for path is invalid."},
		{"path without its end", func(in *iam.CreateUserInput) { in.SetPath("/a") }, invalid, "The specified value for path is invalid."},
		{"path without its beginning", func(in *iam.CreateUserInput) { in.SetPath("a/") }, invalid, "The specified value for path is invalid."},
		{"boundary that does not exist", func(in *iam.CreateUserInput) { in.SetPermissionsBoundary(boundary + "-2") }, "NoSuchEntity",
			"Scope ARN: " + boundary + "-2 does not exist or is not attachable."},
		{"boundary of another account", func(in *iam.CreateUserInput) {
			in.SetPermissionsBoundary("arn:aws:iam::210987654321:policy/limits/ecr-api-users")
		}, "NoSuchEntity", "does not exist"},
		{"boundary without its path", func(in *iam.CreateUserInput) {
			in.SetPermissionsBoundary("arn:aws:iam::012345678901:policy/ecr-api-users")
		}, "NoSuchEntity", "does not exist"},
		{"boundary by its name", func(in *iam.CreateUserInput) { in.SetPermissionsBoundary("/limits/ecr-api-users") }, "NoSuchEntity", "does not exist"},
		{"fifty tags", func(in *iam.CreateUserInput) { in.Tags = tags(50) }, "", ""},
		{"too many tags", func(in *iam.CreateUserInput) { in.Tags = tags(51) }, invalid,
			"at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"},
		{"tag key too long", func(in *iam.CreateUserInput) { in.Tags = []*iam.Tag{tag(long(129), "")} }, invalid, "at 'tags.1.member.key'"},
		{"tag value too long", func(in *iam.CreateUserInput) { in.Tags = []*iam.Tag{tag("a", long(257))} }, invalid, "at 'tags.1.member.value'"},
		{"tag with a star", func(in *iam.CreateUserInput) { in.Tags = []*iam.Tag{tag("a", "*")} }, invalid, "regular expression"},
		{"reserved tag", func(in *iam.CreateUserInput) { in.Tags = []*iam.Tag{tag("AWS:a", "")} }, input, "reserved for system use"},
		{"tag twice", func(in *iam.CreateUserInput) { in.Tags = []*iam.Tag{tag("a", ""), tag("A", "")} }, input,
			"Duplicate tag keys found. Please note that Tag keys are case insensitive."},
	} {
		in := user("user-" + strings.ReplaceAll(test.name, " ", "-"))
		test.change(in)
		awstest.WantError(t, test.name, awstest.ErrorOf(c.CreateUser(in)), test.code, test.text)
	}
}

func tags(n int) (all []*iam.Tag) {
	for i := range n {
		all = append(all, tag(fmt.Sprint(i), ""))
	}
	return all
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	for _, name := range []string{"c", "B", "a", "d"} {
		awstest.Must(t, b.AddUser(account, localaws.User{Path: "/team/", Name: name, Tags: map[string]string{"a": "b"}, Boundary: "limits/ecr-api-users"}))
	}
	awstest.Must(t, b.AddUser(account, localaws.User{Path: "/teams/", Name: "e"}))
	awstest.Must(t, b.AddUser(awstest.Other, localaws.User{Path: "/team/", Name: "f"}))
	for _, test := range []struct {
		prefix string
		size   int64
		pages  []string
	}{
		{"", 0, []string{"a B c d e"}},
		{"", 3, []string{"a B c", "d e"}},
		{"/team/", 0, []string{"a B c d"}},
		{"/team/", 2, []string{"a B", "c d"}},
		{"/team", 4, []string{"a B c d", "e"}},
		{"/none/", 0, []string{""}},
	} {
		in := &iam.ListUsersInput{}
		if test.prefix != "" {
			in.PathPrefix = &test.prefix
		}
		if test.size != 0 {
			in.MaxItems = &test.size
		}
		var pages []string
		awstest.Must(t, c.ListUsersPages(in, func(out *iam.ListUsersOutput, _ bool) bool {
			var names []string
			for _, u := range out.Users {
				names = append(names, *u.UserName)
			}
			pages = append(pages, strings.Join(names, " "))
			return true
		}))
		is(t, fmt.Sprint(test.prefix, test.size), test.pages, pages)
	}
	out, err := c.ListUsers(&iam.ListUsersInput{MaxItems: aws.Int64(1)})
	awstest.Must(t, err)
	is(t, "a page", &iam.ListUsersOutput{
		IsTruncated: aws.Bool(true), Marker: out.Marker,
		Users: []*iam.User{{ // without tags and boundary
			Path: aws.String("/team/"), UserName: aws.String("a"), UserId: out.Users[0].UserId, CreateDate: &created,
			Arn: aws.String("arn:aws:iam::012345678901:user/team/a"),
		}},
	}, out)
	for name, in := range map[string]*iam.ListUsersInput{
		"marker of nobody":      {Marker: aws.String("abc")},
		"marker of another one": {Marker: out.Marker, PathPrefix: aws.String("/team/")},
	} {
		awstest.WantError(t, name, awstest.ErrorOf(c.ListUsers(in)), "ValidationError", "Invalid Marker.")
	}
	awstest.WantError(t, "a page too large", awstest.ErrorOf(c.ListUsers(&iam.ListUsersInput{MaxItems: aws.Int64(1001)})),
		"ValidationError", "Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000")
}

// TestRegions shows that an account has the same users in every region, and
// that their ARNs have the partition of the region.
func TestRegions(t *testing.T) {
	t.Parallel()
	b := start(t)
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me", Boundary: "limits/ecr-api-users"}))
	for region, partition := range map[string]string{"eu-central-1": "aws", "cn-north-1": "aws-cn"} {
		c := iam.New(b.Session(region, credentials.NewStaticCredentials("key", "secret", "")))
		u, err := get(c, "me")
		awstest.Must(t, err)
		is(t, region, "arn:"+partition+":iam::012345678901:user/me", *u.Arn)
		is(t, region+" boundary", "arn:"+partition+":iam::012345678901:policy/limits/ecr-api-users", *u.PermissionsBoundary.PermissionsBoundaryArn)
	}
	other := iam.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil)))
	awstest.WantError(t, "in another account", awstest.ErrorOf(get(other, "me")), "NoSuchEntity", "")
}
