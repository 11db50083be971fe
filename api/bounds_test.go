package api

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

const (
	longestProblem = 8 << 10
	longestLine    = 16 << 10
)

// wantBounded sends a request and checks that its text makes neither the answer
// nor the log line long.
func (w *world) wantBounded(e exchange) {
	w.t.Helper()
	before := len(w.log.String())
	status, _, body := w.do(e)
	if status != e.status || len(body) > longestProblem {
		w.t.Errorf("%s %.60s %.60s: status %d, want %d, and %d bytes: %.200s", e.method, e.path, e.body, status, e.status, len(body), body)
	}
	if line := w.log.String()[before:]; len(line) > longestLine || strings.Count(line, "\n") > 1 {
		w.t.Errorf("%s %.60s %.60s: %d bytes in the log: %.200s", e.method, e.path, e.body, len(line), line)
	}
}

// A long body makes neither an answer nor a log line of that size. For one
// character it is 1 MiB, for the others 64 KiB, which takes less time.
func TestLongBodiesMakeShortAnswersAndLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for character, size := range map[string]int{"\x7f": 1 << 20, "a": 64 << 10, `\u0001`: 64 << 10, `\x7f`: 64 << 10, `\"`: 64 << 10, "\u2028": 64 << 10, "\U0010ffff": 64 << 10} {
		long := strings.Repeat(character, (size-200)/len(character))
		half := long[:len(character)*(len(long)/2/len(character))]
		for _, body := range []string{
			`{"` + long + `": 1}`,
			`{"` + half + `": 1, "` + half + `": 2}`,
			`{"` + long + `"`,
			`{"` + long,
			`{"Tags": {"` + long + `": 1}}`,
			`{"Tags": [{"` + long + `": 1}]}`,
			`{"Tags": [{"` + half + `": 1, "` + half + `": 2}]}`,
			`{"Tags": [{"Key": "` + long + `"}]}`,
			`{"Tags": [{"Key": "k", "Value": "` + long + `"}]}`,
			`{"Tags": [{"Key": "` + half + `", "Value": ""}, {"Key": "` + half + `", "Value": ""}]}`,
			`{"Tags": [{"Key": "` + long + `", "Value": ""}]}`,
			`{"ScanOnPush": "` + long + `"}`,
			`{"ScanOnPush": {"` + long + `": 1}}`,
			`{"ImageTagMutability": "` + long + `"}`,
			`{"ImageTagMutability": "MUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ["` + long + `"]}`,
			`{"EncryptionType": "` + long + `"}`,
			`{"KmsKeyId": "` + long + `"}`,
			`{"RepositoryName": "` + long + `"}`,
			long,
		} {
			w.wantBounded(exchange{method: "PUT", path: base + "/g/a", body: body, status: 400})
			w.wantBounded(exchange{method: "POST", path: base + "/g", body: body, status: 400})
			if !strings.Contains(body, "RepositoryName") {
				named := strings.Replace(body, "{", `{"RepositoryName": "b", `, 1)
				w.wantBounded(exchange{method: "POST", path: base + "/g", body: named, status: 400})
			}
		}
	}
}

// A request's head may have 16 KiB.
func TestLongPathsMakeShortAnswersAndLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, character := range []string{"a", "%7f", "%22", "%01"} {
		long := strings.Repeat(character, 15<<10/len(character))
		status := 400
		w.wantBounded(exchange{method: "GET", path: base + "/" + long, status: status})
		w.wantBounded(exchange{method: "DELETE", path: base + "/g/" + long, status: status})
		w.wantBounded(exchange{method: "GET", path: base + "?" + long, status: status})
		w.wantBounded(exchange{method: "GET", path: base + "?" + long + "%", status: status})
		w.wantBounded(exchange{method: "GET", path: "/v1/ecr/" + long + "/repositories", status: 404})
		w.wantBounded(exchange{method: "GET", path: "/" + long, status: 404})
		w.wantBounded(exchange{method: "GET", path: base, header: map[string]string{"X-Auth-Token": long}, status: 403})
	}
}

// AWS may repeat what a caller has sent.
func TestLongWordsOfAWSMakeShortAnswersAndLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for code, status := range map[string]int{"InvalidParameterException": 400, "LimitExceededException": 429, "AccessDeniedException": 403, "ServerException": 500} {
		mend := w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: code, Message: strings.Repeat("\x01", 64<<10)})
		w.wantBounded(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`, status: status})
		mend()
	}
}
