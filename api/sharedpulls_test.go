package api

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	gocmp "github.com/google/go-cmp/cmp"
)

// These tests pull over docker's own protocol from a repository that is shared
// by the service.

const (
	account3   = "321098765432"
	sharedRepo = "spindev-00001/shared"

	mayLogIn = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`
	mayPull  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
		{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:*:*:repository/*"}]}`
	mayNotPull = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"},
		{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","Resource":"*"}]}`
	mayDoAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// pullers are the roles that pull, by what they are.
var pullers = []struct {
	name        string
	role        localaws.Role
	sessionTags map[string]string
}{
	{"group shared with", appOf(account, "shared", org, "spindev-00002", mayLogIn), nil},
	{"group shared with, by the tags of its session", appOf(account, "plain", "", "", mayLogIn), groupTags(org, "spindev-00002")},
	{"group shared with, with a Deny of its own", appOf(account, "denied", org, "spindev-00002", mayNotPull), nil},
	{"group shared with, denied by the repository", appOf(account, "banned", org, "spindev-00002", mayLogIn), nil},
	{"group not shared with", appOf(account, "unshared", org, "spindev-00003", mayLogIn), nil},
	{"group whose name begins like one shared with", appOf(account, "longer", org, "spindev-000022", mayLogIn), nil},
	{"group shared with, the session is of another", appOf(account, "moved", org, "spindev-00002", mayLogIn), groupTags(org, "spindev-00003")},
	{"the owner's group, by its tags", appOf(account, "owner", org, "spindev-00001", mayLogIn), nil},
	{"another org's group of the same name", appOf(account, "other-org", otherOrg, "spindev-00002", mayLogIn), nil},
	{"group without an org", appOf(account, "no-org", "", "spindev-00002", mayLogIn), nil},
	{"another account that has copied the tags", appOf(account3, "copied", org, "spindev-00002", mayDoAll), nil},
	{"another account", appOf(account3, "plain", "", "", mayDoAll), nil},
	{"account shared with", appOf(account2, "plain", "", "", mayPull), nil},
	{"account shared with, not allowed by itself", appOf(account2, "not-allowed", "", "", mayLogIn), nil},
	{"account shared with, with a Deny of its own", appOf(account2, "denied", "", "", mayNotPull), nil},
	{"account shared with, denied by the repository", appOf(account2, "banned", "", "", mayPull), nil},
	{"group shared with, in an account shared with", appOf(account2, "shared", org, "spindev-00002", mayPull), nil},
}

// appOf returns the role of an application, with the tags of a group.
func appOf(account, name, org, group, permissions string) localaws.Role {
	return localaws.Role{Account: account, Name: "app-" + name, Trust: config.TrustPolicy, Permissions: []string{permissions}, Tags: groupTags(org, group)}
}

func groupTags(org, group string) map[string]string {
	tags := map[string]string{}
	if org != "" {
		tags["spinup:org"] = org
	}
	if group != "" {
		tags["spinup:spaceid"] = group
	}
	return tags
}

// newSharedWorld returns a world with all roles that pull and the repository with
// the image v1, and the URL of its registry.
func newSharedWorld(t *testing.T) (w *world, registry string) {
	t.Helper()
	roles := rolesOf(config.RolePolicy, account, account2)
	for _, p := range pullers {
		roles = append(roles, p.role)
	}
	w = newWorldWith(t, roles)
	w.addRepository(account, sharedRepo, org)
	w.addImage(account, sharedRepo, localaws.Image{Tags: []string{"v1"}, Files: map[string]string{"hello.txt": "hello"}, PushedAt: awsClock})
	server := httptest.NewServer(w.aws)
	t.Cleanup(server.Close)
	return w, server.URL
}

// pulled has the statuses of an attempt to pull the image and to push it.
type pulled struct{ manifest, layer, push int }

var (
	wholePull = pulled{200, 200, 403}
	noPull    = pulled{403, 403, 403}
)

// pull pulls the manifest of v1 and its layer, and pushes the manifest anew.
func (d dockerUser) pull(image stolenImage) pulled {
	d.t.Helper()
	path := "/v2/" + account + "/" + region + "/" + sharedRepo
	manifest, text := d.do("GET", path+"/manifests/v1", nil, "")
	if manifest == http.StatusOK && text != image.manifest {
		d.t.Errorf("the manifest is %s, want %s", text, image.manifest)
	}
	layer := d.download(path+"/blobs/"+image.layer, image.layer)
	push, _ := d.do("PUT", path+"/manifests/v2", asManifest, image.manifest)
	return pulled{manifest, layer, push}
}

// download gets a layer from where the registry says that it is.
func (d dockerUser) download(path, digest string) (status int) {
	d.t.Helper()
	r, err := http.NewRequest("GET", d.url+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.SetBasicAuth("AWS", d.password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); answer.StatusCode == http.StatusOK && got != digest {
		d.t.Errorf("the layer is %s, want %s", got, digest)
	}
	return answer.StatusCode
}

// pulls returns what comes of it if the group pulls by the service's
// credentials, and if each of the roles does.
func (w *world) pulls(t *testing.T, registry string) map[string]pulled {
	t.Helper()
	image, direct := w.imageV1(sharedRepo), w.direct()
	got := map[string]pulled{"the group": dockerUser{t, registry, w.passwordFor(sharedRepo, "pull")}.pull(image)}
	for _, p := range pullers {
		in := &sts.AssumeRoleInput{}
		for key, value := range p.sessionTags {
			in.Tags = append(in.Tags, &sts.Tag{Key: &key, Value: &value})
		}
		session := direct.assume("arn:aws:iam::"+p.role.Account+":role/"+p.role.Name, in)
		out, err := direct.ecr(region, session).GetAuthorizationToken(nil)
		if err != nil {
			t.Fatal(err)
		}
		login, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
		if err != nil {
			t.Fatal(err)
		}
		_, password, _ := strings.Cut(string(login), ":")
		got[p.name] = dockerUser{t, registry, password}.pull(image)
	}
	return got
}

// pullsOf returns the wanted pulls: all by the group and by these, and nothing by
// the others.
func pullsOf(names ...string) map[string]pulled {
	want := map[string]pulled{"the group": wholePull}
	for _, p := range pullers {
		want[p.name] = noPull
	}
	for _, name := range names {
		want[name] = wholePull
	}
	return want
}

// share shares the repository by the service.
func (w *world) share(groups, accounts []string) {
	w.t.Helper()
	w.run(exchange{method: "PUT", path: base + "/" + sharedRepo + "/sharing", status: 200, want: "-",
		body: jsonOf(map[string]any{"Groups": groups, "Accounts": accounts})})
}

// banned is a statement of somebody else.
const banned = `{"Sid":"banned","Effect":"Deny","Principal":{"AWS":["arn:aws:iam::012345678901:role/app-banned","arn:aws:iam::210987654321:role/app-banned"]},"Action":"ecr:*"}`

// Who pulls from a repository depends on with whom the service has shared it, and
// on what else its policy denies.
func TestPullsFromASharedRepository(t *testing.T) {
	t.Parallel()
	w, registry := newSharedWorld(t)
	want := func(when string, want map[string]pulled) {
		t.Helper()
		if diff := gocmp.Diff(want, w.pulls(t, registry), gocmp.AllowUnexported(pulled{})); diff != "" {
			t.Errorf("%s: pulls (-want +got):\n%s", when, diff)
		}
	}
	want("not shared", pullsOf())

	_, err := w.administrator().SetRepositoryPolicy(&awsecr.SetRepositoryPolicyInput{RepositoryName: aws.String(sharedRepo),
		PolicyText: aws.String(`{"Version":"2012-10-17","Statement":[` + banned + `]}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.share([]string{"spindev-00002"}, []string{})
	groups := []string{"group shared with", "group shared with, by the tags of its session"}
	want("shared with a group", pullsOf(groups...))

	w.share([]string{}, []string{account2})
	accounts := []string{"account shared with", "group shared with, in an account shared with"}
	want("shared with an account", pullsOf(accounts...))

	w.share([]string{"spindev-00002"}, []string{account2})
	want("shared with both", pullsOf(append(groups, accounts...)...))

	w.run(exchange{name: "not shared any more", method: "DELETE", path: base + "/" + sharedRepo + "/sharing", status: 200, want: "-"})
	want("not shared any more", pullsOf())
}
