package ecr

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/google/go-cmp/cmp"
)

// authorizationOf is an answer of GetAuthorizationToken.
func authorizationOf(token, expiresAt string) string {
	return `{"authorizationData":[{"authorizationToken":"` + token + `","expiresAt":` + expiresAt + `,"proxyEndpoint":"https://here"}]}`
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Login{
		"AWS:a-password":    {Username: "AWS", Password: "a-password"},
		"AWS:a:pass==word:": {Username: "AWS", Password: "a:pass==word:"},
		"other:~!":          {Username: "other", Password: "~!"},
	} {
		client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, authorizationOf(base64.StdEncoding.EncodeToString([]byte(text)), "1607988858.25"))
		})
		got, err := client.Login(t.Context())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.ExpiresAt = time.Date(2020, 12, 14, 23, 34, 18, 250e6, time.UTC)
		if diff := cmp.Diff([]any{want.Username, want.Password, want.ExpiresAt}, []any{got.Username, got.Password, got.ExpiresAt}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// What is no password is an internal error, which shows nothing of the answer.
func TestAnswersThatAreNoLogin(t *testing.T) {
	t.Parallel()
	const marked = "bWFya2Vk" // in base64 too
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	good := encode("AWS:" + marked)
	for name, body := range map[string]string{
		"empty":                 ``,
		"nothing":               `{}`,
		"no list":               `{"authorizationData":"` + marked + `"}`,
		"a list of text":        `{"authorizationData":["` + marked + `"]}`,
		"null":                  `{"authorizationData":[null]}`,
		"none":                  `{"authorizationData":[]}`,
		"two":                   `{"authorizationData":[{"authorizationToken":"` + good + `","expiresAt":1},{"authorizationToken":"` + good + `","expiresAt":1}]}`,
		"no token":              `{"authorizationData":[{"expiresAt":1}]}`,
		"token that is a list":  `{"authorizationData":[{"authorizationToken":["` + good + `"],"expiresAt":1}]}`,
		"no expiry":             `{"authorizationData":[{"authorizationToken":"` + good + `"}]}`,
		"expiry that is text":   authorizationOf(good, `"`+good+`"`),
		"cut off":               strings.TrimSuffix(authorizationOf(good, "1"), "}"),
		"cut off in the token":  `{"authorizationData":[{"authorizationToken":"` + good,
		"name that is a secret": `{"authorizationData":[{"` + good + `"}]}`,
		"not base64":            authorizationOf("AWS:"+marked, "1"),
		"no colon":              authorizationOf(encode("AWS"+marked), "1"),
		"no user":               authorizationOf(encode(":"+marked), "1"),
		"no user, two colons":   authorizationOf(encode(":AWS:"+marked), "1"),
		"no password":           authorizationOf(encode("AWS:"), "1"),
		"space":                 authorizationOf(encode("AWS: "+marked), "1"),
		"line break":            authorizationOf(encode("AWS:"+marked+"\n"), "1"),
		"not ASCII":             authorizationOf(encode("AWS:é"+marked), "1"),
		"line break in base64":  authorizationOf(good[:8]+`\n`+good[8:], "1"),
		"no padding":            authorizationOf(strings.TrimRight(encode("AWS:"+marked+"1"), "="), "1"),
		"bits after the end":    authorizationOf("QVdTOmJXRnlhMlZrMR==", "1"),
		"URL's base64":          authorizationOf("QVdTOmJXRnlhMlZr-_8-", "1"),
	} {
		client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		got, err := client.Login(t.Context())
		if common.CodeOf(err) != common.Internal || got != nil {
			t.Errorf("%s: %v, want the code %s", name, err, common.Internal)
		}
		for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, marked) || strings.Contains(text, good) {
				t.Errorf("%s: the error shows it: %s", name, text)
			}
		}
	}
}

// A mistake in the code that prints it shows no password.
func TestAuthorizationIsNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = "marked"
	data := authorizationData{AuthorizationToken: aws.String(secret)}
	all := authorization{AuthorizationData: []authorizationData{data}}
	login := Login{Password: secret}
	for _, value := range []any{data, &data, all, &all, []any{all}, all.AuthorizationData, login, &login, []any{&login}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if printed := fmt.Sprintf(verb, value); !strings.Contains(printed, "[redacted]") {
				t.Errorf("%s of a %T: %s", verb, value, printed)
			}
		}
	}
}
