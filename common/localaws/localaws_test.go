package localaws_test

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestNewNamesTheRole(t *testing.T) {
	t.Parallel()
	good := localaws.Role{Account: awstest.Other, Name: "r", Trust: awstest.TrustLocal, Permissions: []string{awstest.AllowAll}}
	for _, test := range []struct {
		change func(*localaws.Role)
		text   string
	}{
		{func(r *localaws.Role) { r.Account = "1" }, "role 1/r: the account"},
		{func(r *localaws.Role) { r.Name = "a/b" }, "role 210987654321/a/b: the name"},
		{func(r *localaws.Role) { r.Trust = "{" }, "role 210987654321/r: trust policy"},
		{func(r *localaws.Role) { r.Trust = awstest.AllowAll }, "trust policy: statement 1: has prohibited field Resource"},
		{func(r *localaws.Role) { r.Permissions = append(r.Permissions, awstest.TrustLocal) }, "permission policy 2: statement 1: policy document should not specify a principal"},
		{func(r *localaws.Role) { r.Tags = map[string]string{"a*": ""} }, `role 210987654321/r: the tag "a*" with the value "" has characters that a tag cannot have`},
		{func(r *localaws.Role) { r.Tags = map[string]string{"a": "*"} }, `the tag "a" with the value "*" has characters`},
		{func(r *localaws.Role) { r.Tags = map[string]string{"a": "", "A": ""} }, "is given twice"},
		{func(r *localaws.Role) { r.MaxSessionDuration = 3599 }, "MaxSessionDuration is not between 3600 and 43200"},
		{func(r *localaws.Role) { r.MaxSessionDuration = 43201 }, "MaxSessionDuration is not between 3600 and 43200"},
	} {
		r := good
		test.change(&r)
		_, err := localaws.New(localaws.Options{Roles: []localaws.Role{r}})
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("error %v, want one with %q", err, test.text)
		}
	}
	if _, err := localaws.New(localaws.Options{Roles: []localaws.Role{good, good}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a role given twice: error %v", err)
	}
}

func TestAddingToWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	for name, test := range map[string]struct {
		err  error
		text string
	}{
		"account":         {b.AddRepository("111111111111", awstest.Here, "group/two", nil), "no account"},
		"region":          {b.AddRepository(awstest.Other, "local", "group/two", nil), "no region"},
		"image's account": {b.AddImage("111111111111", awstest.Here, "group/one", localaws.Image{}), "no account"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Errorf("%s: error %v, want one with %q", name, test.err, test.text)
		}
	}
}
