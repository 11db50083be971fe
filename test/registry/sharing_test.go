package registry

import (
	"net/http"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const (
	account3 = "321098765432"

	// trustAdministrator lets the administrator assume a role.
	trustAdministrator = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}}`
)

// appRoles are roles of applications that every world has beside those of the
// local AWS. They may do everything that the policy of a repository of another
// account lets them do, or only log in.
var appRoles = []localaws.Role{
	appRole(account, "spindev-00003-app", "spindev", "spindev-00003", logInOnly),
	appRole(account, "elsewhere-app", "another-org", "spindev-00002", logInOnly),
	appRole(account, "banned-app", "spindev", "spindev-00002", logInOnly),
	appRole(account3, "copied-app", "spindev", "spindev-00002", allowAll),
}

const logInOnly = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}`

func appRole(account, name, org, group, permissions string) localaws.Role {
	return localaws.Role{Account: account, Name: name, Trust: trustAdministrator, Permissions: []string{permissions},
		Tags: map[string]string{"spinup:org": org, "spinup:spaceid": group}}
}

// Those pull with whom the service has shared the repository, and nobody else.
func TestSharing(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		there := newImage(t, "from "+t.Name()+w.host, "amd64")
		w.logIn(t, c, w.credentials("push")).push(there, name+":v1")
		app := func(account, role string) *user {
			return w.logIn(t, c, passwordOf(t, w.session(account, role, nil)))
		}
		group, both := app(account, "spindev-00002-app"), app(account2, "spindev-00002-app")
		for _, u := range []*user{group, both} {
			u.wantRefused(c.pull, account, region, name+":v1")
		}

		_, err := ecr.New(w.aws).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String(name), PolicyText: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::` + account + `:role/banned-app"},"Action":"ecr:*"}}`)})
		must(t, err)
		w.request(http.MethodPut, "/"+name+"/sharing", `{"Groups": ["spindev-00002"], "Accounts": ["`+account2+`"]}`, nil)
		for _, u := range []*user{w.logIn(t, c, w.credentials("pull")), group, both} {
			u.wantPulled(there, name+":v1")
			u.wantRefused(c.push, account, region, name+":v2")
		}
		for _, u := range []*user{
			app(account, "spindev-00003-app"),
			app(account, "elsewhere-app"),
			app(account, "banned-app"),
			app(account3, "copied-app"),
		} {
			u.wantRefused(c.pull, account, region, name+":v1")
		}
		if got := w.images(); len(got) != 1 {
			t.Errorf("images: %+v, want only v1", got)
		}

		w.request(http.MethodDelete, "/"+name+"/sharing", "", nil)
		for _, u := range []*user{group, both} {
			u.wantRefused(c.pull, account, region, name+":v1")
		}
	})
}
