package roles

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

// answering is a transport that answers all requests alike.
type answering struct {
	status int
	body   string
	asked  int
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked++
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body)), Header: http.Header{}, Request: r}, nil
}

// If something other than AWS answers for STS, callers get an internal error,
// and the log says where to look.
func TestSomethingOtherThanSTSAnswers(t *testing.T) {
	t.Parallel()
	const at = " at aws.local: look at account.endpoint and HTTPS_PROXY"
	for name, test := range map[string]struct {
		answering
		want  string
		tries int
	}{
		"without a body":     {answering{status: 403}, "something other than AWS answered (HTTP 403)" + at, 1},
		"a page":             {answering{status: 404, body: "<html><body>no</body></html>"}, "something other than AWS answered (HTTP 404)" + at, 4},
		"a page, and well":   {answering{status: 200, body: "<html><body>log in</body></html>"}, "something other than AWS answered (HTTP 200)" + at, 1},
		"half a result":      {answering{status: 200, body: "<a><AssumeRoleResult><Credentials/></AssumeRoleResult></a>"}, "something other than AWS answered (HTTP 200)" + at, 1},
		"a proxy that fails": {answering{status: 502}, "something other than AWS answered (HTTP 502)" + at, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.session.Config.HTTPClient.Transport = &test.answering
				err := w.list(w.listSession(account))
				if code := common.CodeOf(err); code != common.Internal {
					t.Errorf("code %q", code)
				}
				if diff := cmp.Diff("internal error: "+test.want, err.Error()); diff != "" {
					t.Errorf("the error in the log (-want +got):\n%s", diff)
				}
				if test.asked != test.tries {
					t.Errorf("it was asked %d times, want %d", test.asked, test.tries)
				}
			})
		})
	}
}
