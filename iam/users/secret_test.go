package users

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
)

const secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"

// Nothing of an answer that may have a secret is in the error about it, whatever
// the status, and the call is made once.
func TestErrorsHaveNothingOfASecretAnswer(t *testing.T) {
	t.Parallel()
	const key = `<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>
		<SecretAccessKey>` + secret + `</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>`
	cut, _, _ := strings.Cut(key, "</Secret")
	for _, test := range []struct {
		status int
		body   string
	}{
		{200, secret}, {200, cut}, {200, strings.Replace(key, secret, "&"+secret, 1)},
		{200, `<html><body>` + secret + `</body></html>`}, {302, key}, {500, key}, {500, secret}, {502, `<` + secret + `>`},
	} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		t.Cleanup(server.Close)
		s, err := session.NewSession(aws.NewConfig().WithRegion("us-east-1").WithEndpoint(server.URL).WithHTTPClient(server.Client()).
			WithCredentials(credentials.NewStaticCredentials("a", "b", "")))
		if err != nil {
			t.Fatal(err)
		}
		sign := func(r *request.Request) { r.Config.Credentials = s.Config.Credentials }
		maker := keyMaker{Client: New(s).Client(Place{Path: "/a/", Prefix: "a-"}, sign, sign), user: "b"}
		k, tries, err := maker.try(t.Context())
		if err == nil || !tries.Unsure || calls != 1 {
			t.Errorf("%d %s: key %v after %d calls, unsure %t: %v", test.status, test.body, k, calls, tries.Unsure, err)
		}
		if said := fmt.Sprintf("%v %+v %#v %v", err, err, err, tries.Failure); strings.Contains(said, secret[1:]) || strings.Contains(said, "77 4a 61 6c") {
			t.Errorf("%d %s: the error is %s", test.status, test.body, said)
		}
	}
}

// A key is not printed, by itself or in what has it.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	k := NewAccessKey{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: secret}
	for _, value := range []any{k, &k, UpdatedUser{AccessKey: &k}, &UpdatedUser{AccessKey: &k}, []NewAccessKey{k}, map[string]any{"k": k}} {
		if said := fmt.Sprintf("%v %+v %#v %s %q", value, value, value, value, value); strings.Contains(said, secret) {
			t.Errorf("%T is printed: %s", value, said)
		}
	}
}
