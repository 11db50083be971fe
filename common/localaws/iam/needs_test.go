//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// The calls of the table below. They are made on the users that TestEnforcement
// adds.
var (
	getUser = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error { return awstest.ErrorOf(get(c, name)) }
	}
	create = func(path, boundary string, tags ...*iam.Tag) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			in := user("new").SetPath(path).SetTags(tags)
			if boundary != "" {
				in.SetPermissionsBoundary(boundary)
			}
			return awstest.ErrorOf(c.CreateUser(in))
		}
	}
	createOne = func(path string) func(*iam.IAM) error {
		return func(c *iam.IAM) error { return awstest.ErrorOf(c.CreateUser(user("one").SetPath(path))) }
	}
	tagIt = func(name string, tags ...*iam.Tag) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.TagUser(&iam.TagUserInput{UserName: &name, Tags: tags}))
		}
	}
	putPolicy = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error { return put(c, name, "p", awstest.AllowAll) }
	}
	deletePolicy = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.DeleteUserPolicy(&iam.DeleteUserPolicyInput{UserName: &name, PolicyName: aws.String("p")}))
		}
	}
	detach = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.DetachUserPolicy(&iam.DetachUserPolicyInput{UserName: &name, PolicyArn: aws.String(boundary)}))
		}
	}
	putBoundary = func(name, arn string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.PutUserPermissionsBoundary(&iam.PutUserPermissionsBoundaryInput{UserName: &name, PermissionsBoundary: &arn}))
		}
	}
	leave = func(group, user string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.RemoveUserFromGroup(&iam.RemoveUserFromGroupInput{GroupName: &group, UserName: &user}))
		}
	}
	makeKey = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error { return awstest.ErrorOf(createKey(c, name)) }
	}
	listAll = func(c *iam.IAM) error {
		return awstest.ErrorOf(c.ListUsers(&iam.ListUsersInput{PathPrefix: aws.String("/ours/")}))
	}
	groupsOf = func(name string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.ListGroupsForUser(&iam.ListGroupsForUserInput{UserName: &name}))
		}
	}
)

// allow returns a policy with one statement that allows an action. The
// condition may be empty.
func allow(action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Effect":"Allow","Action":"iam:` + action + `","Resource":"arn:aws:iam::012345678901:` + resource + `"` + condition + `}`
}

// TestEnforcement shows on which resources and with which condition keys a call
// is decided.
func TestEnforcement(t *testing.T) {
	t.Parallel()
	const (
		no, missing = "AccessDenied", "NoSuchEntity"
		bounded     = `{"StringEquals":{"iam:PermissionsBoundary":"` + boundary + `"}}`
		ourOrg      = `{"StringEquals":{"aws:ResourceTag/org":"ours"}}`
		ourOrgToo   = `{"StringEquals":{"iam:ResourceTag/org":"ours"}}`
		asked       = `{"StringEquals":{"aws:RequestTag/org":"ours"},"ForAllValues:StringEquals":{"aws:TagKeys":["org"]}}`
		untagged    = `{"Null":{"aws:ResourceTag/org":"true"}}`
	)
	org := tag("org", "ours")
	for name, test := range map[string]struct {
		policy string
		call   func(*iam.IAM) error
		code   string
	}{
		"its path":                       {allow("GetUser", "user/ours/*", ""), getUser("one"), ""},
		"its path, name in another case": {allow("GetUser", "user/ours/one", ""), getUser("ONE"), ""},
		"another path":                   {allow("GetUser", "user/ours/*", ""), getUser("other"), no},
		"missing user under a path":      {allow("GetUser", "user/ours/*", ""), getUser("none"), no},
		"missing user":                   {allow("GetUser", "user/none", ""), getUser("none"), missing},
		"resource tag":                   {allow("GetUser", "*", ourOrg), getUser("one"), ""},
		"resource tag of iam":            {allow("GetUser", "*", ourOrgToo), getUser("one"), ""},
		"resource tag of another":        {allow("GetUser", "*", ourOrg), getUser("other"), no},

		"create":                        {allow("CreateUser", "user/ours/new", ""), create("/ours/", ""), ""},
		"create in another path":        {allow("CreateUser", "user/ours/new", ""), create("/theirs/", ""), no},
		"create with tags":              {allow("CreateUser", "user/ours/new", ""), create("/ours/", "", org), no},
		"create with tags, allowed":     {allow("CreateUser", "user/ours/new", asked) + "," + allow("TagUser", "user/ours/new", asked), create("/ours/", "", org), ""},
		"create with another tag":       {allow("CreateUser", "user/ours/new", "") + "," + allow("TagUser", "user/ours/new", asked), create("/ours/", "", org, tag("a", "")), no},
		"create with the boundary":      {allow("CreateUser", "user/ours/new", bounded), create("/ours/", boundary), ""},
		"create with another boundary":  {allow("CreateUser", "user/ours/new", bounded), create("/ours/", boundary+"-2"), no},
		"create without a boundary":     {allow("CreateUser", "user/ours/new", bounded), create("/ours/", ""), no},
		"tags do not know the boundary": {allow("CreateUser", "*", "") + "," + allow("TagUser", "*", bounded), create("/ours/", boundary, org), no},
		"tags of a new user count":      {allow("CreateUser", "*", ourOrg) + "," + allow("TagUser", "*", ourOrgToo), create("/ours/", "", org), ""},
		"a new user has its tags":       {allow("CreateUser", "*", untagged) + "," + allow("TagUser", "*", ""), create("/ours/", "", org), no},
		"tagging a new user sees them":  {allow("CreateUser", "*", "") + "," + allow("TagUser", "*", untagged), create("/ours/", "", org), no},

		"create one that is there":        {allow("CreateUser", "*", ""), createOne("/ours/"), "EntityAlreadyExists"},
		"tags of one that is there count": {allow("CreateUser", "*", untagged), createOne("/ours/"), no},
		"tags of one elsewhere do not":    {allow("CreateUser", "*", untagged), createOne("/theirs/"), "EntityAlreadyExists"},

		"tag":             {allow("TagUser", "user/ours/*", asked), tagIt("one", org), ""},
		"tag another key": {allow("TagUser", "user/ours/*", asked), tagIt("one", tag("a", "")), no},
		"tag a tagged":    {allow("TagUser", "user/ours/*", untagged), tagIt("one", org), no},

		"put policy, bounded":      {allow("PutUserPolicy", "*", bounded), putPolicy("one"), ""},
		"put policy, unbounded":    {allow("PutUserPolicy", "*", bounded), putPolicy("other"), no},
		"delete policy, bounded":   {allow("DeleteUserPolicy", "*", bounded), deletePolicy("one"), missing},
		"delete policy, unbounded": {allow("DeleteUserPolicy", "*", bounded), deletePolicy("other"), no},
		"detach, bounded":          {allow("DetachUserPolicy", "*", bounded), detach("one"), missing},
		"detach, unbounded":        {allow("DetachUserPolicy", "*", bounded), detach("other"), no},
		"put boundary":             {allow("PutUserPermissionsBoundary", "*", bounded), putBoundary("other", boundary), ""},
		"put another boundary":     {allow("PutUserPermissionsBoundary", "*", bounded), putBoundary("one", boundary+"-2"), no},

		"list":                 {allow("ListUsers", "*", ""), listAll, no},
		"list all":             {`{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}`, listAll, ""},
		"leave":                {allow("RemoveUserFromGroup", "group/former/group", ""), leave("GROUP", "one"), ""},
		"leave another":        {allow("RemoveUserFromGroup", "group/former/group", ""), leave("staff", "one"), no},
		"leave a missing one":  {allow("RemoveUserFromGroup", "group/none", ""), leave("none", "one"), missing},
		"groups of a user":     {allow("ListGroupsForUser", "user/ours/one", ""), groupsOf("one"), ""},
		"key where it is ours": {allow("CreateAccessKey", "user/ours/*", ourOrg), makeKey("one"), ""},
		"key where it is not":  {allow("CreateAccessKey", "*", ourOrg), makeKey("other"), no},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			b := start(t)
			for _, group := range []string{"/former/group", "staff"} {
				awstest.Must(t, b.AddIAMGroup(account, group))
			}
			awstest.Must(t, b.AddUser(account, localaws.User{Path: "/ours/", Name: "one", Tags: map[string]string{"org": "ours"}, Boundary: "limits/ecr-api-users"}))
			awstest.Must(t, b.AddUser(account, localaws.User{Path: "/theirs/", Name: "other", Tags: map[string]string{"org": "theirs"}}))
			session := b.Assume(t, account, `{"Version":"2012-10-17","Statement":[`+test.policy+`]}`, nil)
			awstest.WantError(t, "the call", test.call(iam.New(b.Session(awstest.Here, session))), test.code, "")
		})
	}
}

// TestAuthorizedResources shows the resources in refusals.
func TestAuthorizedResources(t *testing.T) {
	t.Parallel()
	b := start(t)
	awstest.Must(t, b.AddUser(account, localaws.User{Path: "/ours/", Name: "One"}))
	id, _, err := b.AddUserKey(account, "One")
	awstest.Must(t, err)
	c := iam.New(b.Session(awstest.Here, b.Assume(t, account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:None","Resource":"*"}}`, nil)))
	lastUse := func(id string) func(*iam.IAM) error {
		return func(c *iam.IAM) error {
			return awstest.ErrorOf(c.GetAccessKeyLastUsed(&iam.GetAccessKeyLastUsedInput{AccessKeyId: &id}))
		}
	}
	for _, test := range []struct {
		call             func(*iam.IAM) error
		action, resource string
	}{
		{getUser("one"), "GetUser", "arn:aws:iam::012345678901:user/ours/One"},
		{getUser("none"), "GetUser", "arn:aws:iam::012345678901:user/none"},
		{create("/ours/", ""), "CreateUser", "arn:aws:iam::012345678901:user/ours/new"},
		{listAll, "ListUsers", "*"},
		{lastUse(id), "GetAccessKeyLastUsed", "arn:aws:iam::012345678901:user/ours/One"},
		{lastUse("AKIA0000000000000000"), "GetAccessKeyLastUsed", "arn:aws:iam::012345678901:user/"},
		{leave("none", "one"), "RemoveUserFromGroup", "arn:aws:iam::012345678901:group/none"},
	} {
		awstest.WantError(t, test.action, test.call(c), "AccessDenied",
			"is not authorized to perform: iam:"+test.action+" on resource: "+test.resource+" because no session policy allows")
	}
}

// TestNoUserName shows whom a call without a name is about.
func TestNoUserName(t *testing.T) {
	t.Parallel()
	b := start(t)
	whole := localaws.User{Name: "me", Policies: map[string]string{"p": awstest.AllowAll}}
	out, err := signedBy(t, b, whole).GetUser(&iam.GetUserInput{})
	awstest.Must(t, err)
	is(t, "the caller", "me", *out.User.UserName)
	role := iam.New(b.Session(awstest.Here, b.Assume(t, account, "", nil)))
	awstest.WantError(t, "a role", awstest.ErrorOf(role.GetUser(&iam.GetUserInput{})), "ValidationError",
		"Must specify userName when calling with non-User credentials")
	awstest.WantError(t, "the administrator", awstest.ErrorOf(b.IAM().GetUser(&iam.GetUserInput{})), "NoSuchEntity",
		"The user with name administrator cannot be found.")
}
