package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"golang.org/x/crypto/bcrypt"
)

// A wiretap is a proxy between the service and AWS. It keeps the secrets of
// every session and the passwords for docker, and it can break AWS's answers.
type wiretap struct {
	aws       string
	mu        sync.Mutex
	secrets   map[string]bool
	passwords map[string]bool // which are secrets too
	cut       bool
}

var issued = regexp.MustCompile(`<(SecretAccessKey|SessionToken)>([^<]+)<`)

func (tap *wiretap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, tap.aws+r.URL.Path, r.Body)
	if err != nil {
		panic(err)
	}
	request.Header = r.Header.Clone()
	request.ContentLength = r.ContentLength
	request.Host = r.Host
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	tap.mu.Lock()
	defer tap.mu.Unlock()
	for _, m := range issued.FindAllSubmatch(body, -1) {
		tap.secrets[string(m[2])] = true
	}
	if m := issuedToken.FindSubmatch(body); m != nil {
		login, _ := base64.StdEncoding.DecodeString(string(m[1]))
		_, password, _ := strings.Cut(string(login), ":")
		for _, secret := range []string{string(m[1]), password} {
			tap.secrets[secret], tap.passwords[secret] = true, true
		}
	}
	if tap.cut {
		body = bytes.Replace(body, []byte("</Credentials>"), []byte("</Credential>"), 1)
		body = bytes.Replace(body, []byte("</AccessKey>"), []byte("</Key>"), 1)
		body = bytes.TrimSuffix(body, []byte("}"))
	}
	for k, v := range response.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(response.StatusCode)
	w.Write(body)
}

func (tap *wiretap) set(cut bool) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.cut = cut
}

// withoutPassword returns an answer with credentials without the two values that
// are there to tell the caller a secret, which AWS must have issued as passwords.
func (tap *wiretap) withoutPassword(t *testing.T, body string) string {
	t.Helper()
	tap.mu.Lock()
	defer tap.mu.Unlock()
	for _, value := range []*regexp.Regexp{passwordTold, authTold} {
		found := value.FindAllStringSubmatch(body, -1)
		if len(found) != 1 || !tap.passwords[found[0][1]] {
			t.Fatalf("%s matches %d passwords", value, len(found))
		}
		body = value.ReplaceAllString(body, "")
	}
	return body
}

// withoutKey returns an answer without the secret of an access key, which AWS must
// have issued. It tells whether there was one.
func (tap *wiretap) withoutKey(t *testing.T, body string) (rest string, told bool) {
	t.Helper()
	tap.mu.Lock()
	defer tap.mu.Unlock()
	found := keyTold.FindAllStringSubmatch(body, -1)
	if len(found) > 1 || len(found) == 1 && !tap.secrets[found[0][1]] {
		t.Fatalf("%d secrets of access keys, or one that AWS has not issued", len(found))
	}
	return keyTold.ReplaceAllString(body, ""), len(found) == 1
}

var (
	keyTold      = regexp.MustCompile(`"SecretAccessKey":"([^"]*)"`)
	passwordTold = regexp.MustCompile(`"Password":"([^"]*)"`)
	authTold     = regexp.MustCompile(`"auth":"([^"]*)"`)
)

func TestNoOutputHoldsASecret(t *testing.T) {
	t.Parallel()
	const (
		markedKey    = "marked-pre-shared-key-3c1f"
		markedSecret = "marked-secret-access-key-7d2e"
		markedWrong  = "marked-wrong-key-91ab"
	)
	tap := &wiretap{secrets: map[string]bool{}, passwords: map[string]bool{}}
	server := httptest.NewServer(tap)
	t.Cleanup(server.Close)
	w := newWorld(t, func(c *common.Config, _ *[]route) {
		tap.aws, c.Account.Endpoint = c.Account.Endpoint, server.URL
		c.Token = common.Keys{{Name: "default", Secret: markedKey}}
		c.Account.Secret = markedSecret
		c.LogLevel = "trace"
	})
	w.addRepository(account, "g/others", "another-org")
	good, wrong := hash(t, markedKey, bcrypt.MinCost), hash(t, markedWrong, bcrypt.MinCost)

	keys := 0
	reset := updateOf(`{"resetkey": true}`, 0, "")
	var output strings.Builder
	send := func(e exchange, token string) {
		w.aws.AddRepository(account, region, "g/a", ourTags("g/a")) // an error means that it is there
		w.aws.AddUser(account, ourUser(account, "g/a", org, "builder", "pull"))
		e.header = map[string]string{"X-Auth-Token": token}
		status, header, body := w.do(e)
		if status == 200 && strings.HasSuffix(e.path, "/credentials") {
			body = tap.withoutPassword(t, body)
		}
		var told bool
		if body, told = tap.withoutKey(t, body); told {
			keys++
			if status != 200 || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s tells a secret with status %d: %v", e.path, status, header)
			}
		}
		fmt.Fprintln(&output, status, header, body)
	}
	all := func() {
		for _, e := range requestsByOperation(t) {
			for _, token := range []string{good, wrong, markedKey, markedWrong, "$2a$31" + good[6:]} {
				send(e, token)
			}
		}
		for _, e := range aboutRepository(t, values{"group": "g", "name": "others"}) {
			send(e, good)
		}
		send(ask("push"), good)
		send(reset, good)
		for _, path := range []string{"/v1/ecr/ping", "/v1/ecr/version", "/v1/ecr/metrics", "/metrics", "/nothing", "/v1/ecr/111111111111/repositories"} {
			send(exchange{method: "GET", path: path}, good)
			send(exchange{method: "GET", path: path}, markedKey)
			send(exchange{method: "PATCH", path: path + "?token=" + markedKey}, wrong)
		}
		send(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": ` + markedKey + `}`}, good)
	}
	all()
	for operation := range requestsByOperation(t) {
		for _, f := range []localaws.Fault{{Code: "ExpiredTokenException", Times: 1}, {Code: "AccessDeniedException"}, {Code: "UnrecognizedClientException"}} {
			f.Operation = operation
			remove := w.aws.Inject(f)
			send(requestsByOperation(t)[operation], good)
			remove()
		}
	}
	fresh := 0
	tap.set(true)
	for _, e := range requestsByOperation(t) {
		e.path = strings.Replace(e.path, "/g", fmt.Sprintf("/fresh%d", fresh), 1) // so that the service needs a new session
		fresh++
		send(e, good)
	}
	tap.set(false)
	next := *w.service.settings.Load().config
	next.Token = append(next.Token, common.Key{Name: "next", Secret: markedWrong})
	if _, err := w.service.Reload(&next); err != nil {
		t.Fatal(err)
	}
	all()
	if keys < 3 {
		t.Errorf("%d access keys were told", keys)
	}

	tap.mu.Lock()
	defer tap.mu.Unlock()
	if len(tap.secrets) < 10 || len(tap.passwords) < 10 {
		t.Fatalf("the wiretap has seen only %d secrets and %d passwords", len(tap.secrets), len(tap.passwords))
	}
	secrets := []string{markedKey, markedSecret, markedWrong, good, wrong}
	for s := range tap.secrets {
		secrets = append(secrets, s)
	}
	for name, text := range map[string]string{"an answer": output.String(), "the log": w.log.String()} {
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s holds the secret %s: ...%s", name, s, text[max(0, i-200):i+len(s)])
			}
		}
	}
}
