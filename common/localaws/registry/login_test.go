package registry_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const notAuthorized = `401
Content-Length: 15
Content-Type: text/plain; charset=utf-8
Www-Authenticate: Basic realm="http://HOST/",service="ecr.amazonaws.com"

Not Authorized
`

func TestLogin(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	c.want("the password is good", c.send("GET", "/v2/", ""), "200\nContent-Length: 2\nContent-Type: application/json\n\n{}")
	if got := c.send("GET", "/v2/", "").header.Get("Docker-Distribution-Api-Version"); got != "registry/2.0" {
		t.Errorf("the version is %q", got)
	}
	c.want("without the slash", c.send("GET", "/v2", ""), "200\nContent-Length: 2\nContent-Type: application/json\n\n{}")
	c.want("HEAD", c.send("HEAD", "/v2/", ""), "200\nContent-Length: 2\nContent-Type: application/json\n\n")
	c.want("POST", c.send("POST", "/v2/", ""), `405
Allow: GET, HEAD
Content-Length: 87
Content-Type: application/json

{"errors":[{"code":"UNSUPPORTED","message":"this path takes GET, HEAD, not \"POST\""}]}`)

	for name, bad := range map[string]caller{
		"no password":       {},
		"another user":      {user: "aws", password: c.password},
		"forged password":   {user: "AWS", password: strings.Repeat("A", len(c.password))},
		"part of the right": {user: "AWS", password: c.password[1:]},
		"empty password":    {user: "AWS"},
	} {
		bad.t, bad.url = t, c.url
		for _, path := range []string{"/v2/", one + "/tags/list", "/v2/no/such/path", "/v2/012345678901/us-east-1/no/where/tags/list"} {
			got := bad.send("GET", path, "")
			got.header.Set("Www-Authenticate", strings.ReplaceAll(got.header.Get("Www-Authenticate"), strings.TrimPrefix(b.URL, "http://"), "HOST"))
			c.want(name+", "+path, got, notAuthorized)
		}
	}
	bearer := c.send("GET", "/v2/", "", "Authorization: Bearer "+c.password)
	c.wantStatus("another scheme", bearer, 401)
	if calls := operations(b.Calls()); calls != nil {
		t.Errorf("the operations %v", calls)
	}
}

func TestExpiredPassword(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	session, administrator := login(t, b, awstest.Here, b.Assume(t, awstest.Other, "", nil)), login(t, b, awstest.Here, nil)
	const expired = "Your authorization token has expired. Reauthenticate and try again."
	b.Advance(time.Hour - time.Second)
	session.wantStatus("before the session ends", session.send("GET", "/v2/", ""), 200)
	b.Advance(time.Second)
	session.wantError("after the session", session.send("GET", "/v2/", ""), 403, "DENIED", expired)
	session.wantError("after the session", session.send("GET", "/v2/210987654321/us-east-1/no/where/tags/list", ""), 403, "DENIED", expired)
	b.Advance(11*time.Hour - time.Second)
	administrator.wantStatus("before twelve hours", administrator.send("GET", "/v2/", ""), 200)
	b.Advance(time.Second)
	administrator.wantError("after twelve hours", administrator.send("GET", "/v2/", ""), 403, "DENIED", expired)
}

func TestForgottenSession(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	c := login(t, b, awstest.Here, b.Assume(t, awstest.Other, "", nil))
	b.ForgetSessions(awstest.Other)
	c.wantStatus("forgotten", c.send("GET", "/v2/", ""), 401)
}

// A password is good in its own region only, under both forms of names.
func TestPasswordOfAnotherRegion(t *testing.T) {
	t.Parallel()
	b, here := start(t)
	awstest.Must(t, b.AddRepository(localaws.AdministratorAccount, "eu-west-1", "group/one", nil))
	there := login(t, b, "eu-west-1", nil)
	const denied = "Your authorization token is for the region eu-west-1, not for us-east-1."
	there.wantError("path", there.send("GET", one+"/tags/list", ""), 403, "DENIED", denied)
	there.wantError("path, what is not here", there.send("GET", "/v2/012345678901/us-east-1/no/where/tags/list", ""), 403, "DENIED", denied)
	there.wantStatus("the right region", there.send("GET", "/v2/012345678901/eu-west-1/group/one/tags/list", ""), 200)
	there.host = "012345678901.dkr.ecr.us-east-1.amazonaws.com"
	there.wantError("host", there.send("GET", "/v2/", ""), 403, "DENIED", denied)
	there.wantError("host", there.send("GET", "/v2/group/one/tags/list", ""), 403, "DENIED", denied)
	there.host = "012345678901.dkr.ecr.eu-west-1.amazonaws.com"
	there.wantStatus("the right host", there.send("GET", "/v2/group/one/tags/list", ""), 200)
	here.host = "012345678901.dkr.ecr.us-east-1.amazonaws.com"
	here.wantStatus("the other way round", here.send("GET", "/v2/group/one/tags/list", ""), 200)
}

// Another account's repositories look all the same, also those that are not
// there.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	c := login(t, b, awstest.Here, b.Assume(t, awstest.Other, "", nil))
	for _, test := range []struct{ method, path, action string }{
		{"GET", "/tags/list", "ListImages"},
		{"GET", "/tags/list?n=0", "ListImages"},
		{"GET", "/manifests/v1", "BatchGetImage"},
		{"DELETE", "/manifests/v1", "BatchDeleteImage"},
		{"PUT", "/manifests/v1", "PutImage"},
		{"GET", "/referrers/" + unknown, "BatchGetImage"},
		{"GET", "/blobs/" + unknown, "GetDownloadUrlForLayer"},
		{"POST", "/blobs/uploads/", "InitiateLayerUpload"},
		{"POST", "/blobs/uploads/?digest=" + unknown, "InitiateLayerUpload"},
		{"POST", "/blobs/uploads/?mount=" + unknown + "&from=012345678901/us-east-1/group/one", "InitiateLayerUpload"},
		{"GET", "/blobs/uploads/x", "UploadLayerPart"},
		{"PATCH", "/blobs/uploads/x", "UploadLayerPart"},
		{"PUT", "/blobs/uploads/x?digest=" + unknown, "CompleteLayerUpload"},
		{"DELETE", "/blobs/uploads/x", "UploadLayerPart"},
	} {
		for _, name := range []string{"group/one", "no/where"} {
			body := ""
			if test.action == "PutImage" {
				body = image
			}
			c.wantError(test.method+" "+test.path, c.send(test.method, "/v2/012345678901/us-east-1/"+name+test.path, body), 403, "DENIED",
				"User: arn:aws:sts::210987654321:assumed-role/ecr-api/test is not authorized to perform: ecr:"+test.action+
					" on resource: arn:aws:ecr:us-east-1:012345678901:repository/"+name+" because no resource-based policy allows the ecr:"+test.action+" action")
		}
	}
}

// The realm has the scheme by which the client has come.
func TestLoginOverTLS(t *testing.T) {
	t.Parallel()
	s, err := localaws.New(localaws.Options{})
	awstest.Must(t, err)
	r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
	r.Host, r.TLS = "012345678901.dkr.ecr.us-east-1.amazonaws.com", new(tls.ConnectionState)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if want, got := `Basic realm="https://012345678901.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"`, w.Header().Get("Www-Authenticate"); w.Code != 401 || got != want {
		t.Errorf("%d %s, want 401 %s", w.Code, got, want)
	}
}
