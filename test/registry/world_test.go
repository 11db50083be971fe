// Package registry tests the registry of the local AWS with the programs that
// people use: crane, skopeo, buildah, oras and docker. A program that is not
// there is left out, and the tests say so. check.sh gets all of them.
package registry

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

const (
	account  = "012345678901"
	account2 = "210987654321"
	region   = "us-east-1"
	group    = "spindev-00001"
	name     = group + "/dasher" // of the repository that every world has
	other    = group + "/dancer" // another one

	adminRole = "OrganizationAccountAccessRole"
)

// world is a local AWS with a service in front of it. Each test has its own.
type world struct {
	t       *testing.T
	host    string // of the registry
	service string // URL of the repositories of an account in the service
	token   string // for the service
	aws     *session.Session

	mu    sync.Mutex
	calls []localaws.Call
}

// newWorld starts a world with two repositories.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	c, err := local.Config()
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.host = listener.Addr().String()
	c.Account.Endpoint = "http://" + w.host
	aws, err := localaws.New(localaws.Options{Roles: append(local.Roles(), appRoles...), Watch: w.watch, RegistryHost: w.host})
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	must(t, aws.AddManagedPolicy(account, c.Users.Boundary, config.UsersBoundary))
	serve(t, listener, aws)
	w.aws = w.as("any", "any", "")

	hash, err := bcrypt.GenerateFromPassword([]byte(c.Token[0].Secret), bcrypt.MinCost)
	must(t, err)
	w.token = string(hash)
	log := logrus.New()
	log.SetOutput(io.Discard)
	service, err := api.New(api.Options{Config: c, Log: log})
	must(t, err)
	w.service = httpServer(t, service) + "/v1/ecr/" + account + "/repositories"
	w.create(name)
	w.create(other)
	return w
}

func (w *world) watch(c localaws.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
}

// refused returns the operations of ECR that the local AWS has refused, in the
// form "PutImage".
func (w *world) refused() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, c := range w.calls {
		if c.ErrorCode == "AccessDeniedException" && !slices.Contains(names, c.Operation) {
			names = append(names, c.Operation)
		}
	}
	return names
}

func serve(t *testing.T, l net.Listener, aws *localaws.Server) {
	t.Helper()
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: common.GuardLocal(aws)}}
	server.Start()
	t.Cleanup(server.Close)
}

func httpServer(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// as returns a session of the SDK with these credentials.
func (w *world) as(key, secret, token string) *session.Session {
	w.t.Helper()
	s, err := session.NewSession(&aws.Config{
		Region: aws.String(region), Endpoint: aws.String("http://" + w.host), MaxRetries: aws.Int(0),
		Credentials: credentials.NewStaticCredentials(key, secret, token), HTTPClient: &http.Client{Transport: &http.Transport{}},
	})
	must(w.t, err)
	return s
}

// allowAll is a policy that allows everything.
const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// withheld returns a policy that allows everything but an action.
func withheld(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"` + action + `","Resource":"*"}]}`
}

// password returns a password for a session in an account, with the rights of
// the administrator and a policy of its own.
func (w *world) password(account, policy string) string {
	w.t.Helper()
	return passwordOf(w.t, w.session(account, adminRole, &policy))
}

// in returns a session with the rights of the administrator in an account.
func (w *world) in(account string) *session.Session {
	w.t.Helper()
	return w.session(account, adminRole, nil)
}

// session returns a session of a role, with a policy of its own unless it is nil.
func (w *world) session(account, role string, policy *string) *session.Session {
	w.t.Helper()
	out, err := sts.New(w.aws).AssumeRole(&sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + role), RoleSessionName: aws.String("me"), Policy: policy,
	})
	must(w.t, err)
	c := out.Credentials
	return w.as(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// passwordOf returns a password for the session.
func passwordOf(t *testing.T, s *session.Session) string {
	t.Helper()
	out, err := ecr.New(s).GetAuthorizationToken(nil)
	must(t, err)
	login, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	must(t, err)
	_, password, _ := strings.Cut(string(login), ":")
	return password
}

// credentials returns a password from the service for the first repository.
func (w *world) credentials(access string) string {
	w.t.Helper()
	var answer struct{ Password string }
	w.request(http.MethodPost, "/"+name+"/credentials", `{"Access": "`+access+`"}`, &answer)
	return answer.Password
}

// create adds a repository by the service.
func (w *world) create(name string) {
	w.t.Helper()
	_, own, _ := strings.Cut(name, "/")
	w.request(http.MethodPost, "/"+group, `{"RepositoryName": "`+own+`"}`, nil)
}

// listed is what a test looks at of an image in the service's list.
type listed struct {
	ImageDigest            string
	ImageManifestMediaType string
	ArtifactMediaType      string
	ImageSizeInBytes       int64
	ImageTags              []string
}

// images returns the images of the first repository as the service lists them,
// by digest.
func (w *world) images() map[string]listed {
	w.t.Helper()
	var list []listed
	w.request(http.MethodGet, "/"+name+"/images", "", &list)
	images := map[string]listed{}
	for _, i := range list {
		images[i.ImageDigest] = i
	}
	return images
}

// digest returns the digest of the image with a tag in the first repository.
func (w *world) digest(tag string) string {
	w.t.Helper()
	for digest, i := range w.images() {
		if slices.Contains(i.ImageTags, tag) {
			return digest
		}
	}
	w.t.Fatalf("no image has the tag %s", tag)
	return ""
}

// manifest returns the manifest of an image in the first repository.
func (w *world) manifest(digest string) []byte {
	w.t.Helper()
	out, err := ecr.New(w.aws).BatchGetImage(&ecr.BatchGetImageInput{
		RepositoryName: aws.String(name), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: &digest}},
	})
	must(w.t, err)
	if len(out.Images) != 1 {
		w.t.Fatalf("%s: %v", digest, out.Failures)
	}
	return []byte(*out.Images[0].ImageManifest)
}

// request sends a request to the service and reads its answer into a value.
func (w *world) request(method, path, body string, into any) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.service+path, strings.NewReader(body))
	must(w.t, err)
	r.Header.Set("X-Auth-Token", w.token)
	answer, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(w.t, err)
	if answer.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: status %d: %s", method, path, answer.StatusCode, text)
	}
	if into != nil {
		must(w.t, json.Unmarshal(text, into))
	}
}
