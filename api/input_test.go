package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBodyOfARequestThatTakesNone(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	for _, body := range []string{`{"Status": "Inactive"}`, `[]`, `{`, `x`} {
		w.run(exchange{name: body, method: "POST", path: builderKeys, body: body, status: 400, want: "-"})
	}
	long := strings.Repeat(" ", 1<<20+1)
	w.run(
		exchange{method: "POST", path: builderKeys, body: long, status: 413, want: "-"},
		exchange{method: "POST", path: builderKeys, body: " {} ", status: 200, want: "-"},
		exchange{method: "GET", path: base + "/g/a", body: `{"Status": "Inactive"}`, status: 200, want: "-"},
		exchange{method: "GET", path: base + "/g/a", body: long, status: 200, want: "-"},
		exchange{method: "DELETE", path: base + "/g/a", body: `not JSON`, status: 200, want: "-"},
	)
}

func TestBadInputIsRefusedBeforeAWS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const (
		create   = base + "/g"
		update   = base + "/g/a"
		badName  = "The name must be of letters, digits, '.', '_' and '-', and not '.' or '..'."
		badGroup = "The group must be of letters, digits, '.', '_' and '-', and not '.' or '..'."
		badBody  = "RepositoryName must be of letters, digits, '.', '_' and '-', and not '.' or '..'."
		noBody   = "A JSON object is needed as the body."
		scan     = "ScanOnPush must be true or false."
		noPath   = "There is nothing at this path. The README lists the endpoints."
		noRoom   = "Group and name may have 256 characters together, with the slash between them."
		modes    = "ImageTagMutability must be MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION."
		noAccnt  = "account not found: name it by its twelve digits or a configured alias"
	)
	post := func(body, detail string) exchange {
		return exchange{name: "POST " + body, method: "POST", path: create, body: body, status: 400, want: problemOf("bad-request", detail)}
	}
	put := func(body, detail string) exchange {
		return exchange{name: "PUT " + body, method: "PUT", path: update, body: body, status: 400, want: problemOf("bad-request", detail)}
	}
	except := func(list string) string {
		return `{"ImageTagMutability": "MUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ` + list + `}`
	}
	get := func(path, code, detail string) exchange {
		return exchange{method: "GET", path: path, status: statusByCode[code], want: problemOf(code, detail)}
	}
	w.run(
		post(``, noBody), post("  \n", noBody), post(`null`, noBody), put(``, noBody), put(`null`, noBody),
		post(`{`, "The body is not JSON: it ends too early."),
		post(`{"RepositoryName": "a"`, "The body is not JSON: it ends too early."),
		post(`{RepositoryName: "a"}`, "The body is not JSON: invalid character 'R' at start of value, at byte 2."),
		post(`{"RepositoryName": "a"} x`, "The body is not JSON: invalid character 'x' after top-level value, at byte 25."),
		post(`{"RepositoryName": "a"}{}`, "The body is not JSON: invalid character '{' after top-level value, at byte 24."),
		post(`[]`, "The body must be a JSON object, not an array."),
		post(`"a"`, "The body must be a JSON object, not a string."),
		post(`{"RepositoryName": 1}`, "RepositoryName must be a string, not a number."),
		post(`{"RepositoryName": "a", "Tags": {}}`, "Tags must be an array, not an object."),
		post(`{"RepositoryName": "a", "Tags": ["x"]}`, "Tags[0] must be an object, not a string."),
		post(`{"RepositoryName": "a", "Tags": [{"Key": 1}]}`, "Tags[0].Key must be a string, not a number."),
		post(`{"RepositoryName": "a", "ImageTagMutability": true}`, "ImageTagMutability must be a string, not a bool."),
		post(`{"RepositoryName": "a", "ScanOnPsuh": "true"}`, `"ScanOnPsuh" is not a key of this request.`),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Valeu": "v"}]}`, `"Valeu" is not a key of this request.`),
		post(`{"RepositoryName": "a", "Tags": [], "tags": []}`, `"tags" is given twice.`),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Key": "l"}]}`, `Tags[0].Key is given twice.`),
		post("{\"RepositoryName\": \"a\xff\"}", "The body is not UTF-8."),
		post(`{"RepositoryName": "\ud800"}`, "The body is not JSON: invalid surrogate pair `\\ud800\"}` in string, at byte 21."),
		post(`{"Repository_Name": "a"}`, `"Repository_Name" is not a key of this request.`),
		post(`{"REPOSITORYNAME": "a", "repositoryname": "b"}`, `"repositoryname" is given twice.`),
		post(`{}`, "RepositoryName is needed."),
		post(`{"RepositoryName": null}`, "RepositoryName is needed."),
		post(`{"RepositoryName": ""}`, "RepositoryName is needed."),
		post(`{"RepositoryName": "a/b"}`, badBody), post(`{"RepositoryName": "*"}`, badBody), post(`{"RepositoryName": ".."}`, badBody),
		post(`{"RepositoryName": "ä"}`, badBody), post(`{"RepositoryName": "a\n"}`, badBody), post(`{"RepositoryName": "a b"}`, badBody),
		post(`{"RepositoryName": "`+strings.Repeat("a", 255)+`"}`, noRoom),
		post(`{"RepositoryName": "a", "ScanOnPush": "yes"}`, scan), post(`{"RepositoryName": "a", "ScanOnPush": null}`, scan),
		post(`{"RepositoryName": "a", "ScanOnPush": 1}`, scan), post(`{"RepositoryName": "a", "ScanOnPush": 1e999}`, scan),
		post(`{"`+strings.Repeat("a", 1000)+`": 1}`, `"`+strings.Repeat("a", 100)+`" is not a key of this request.`),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "Spinup:Org`+strings.Repeat(" ", 1000)+`", "Value": "x"}]}`,
			`The tag key "Spinup:Org`+strings.Repeat(" ", 90)+`" is too like one that the service sets.`), post(`{"RepositoryName": "a", "ScanOnPush": "True"}`, scan), put(`{"ScanOnPush": ""}`, scan),
		post(`{"RepositoryName": "a", "ImageTagMutability": "mutable"}`, modes),
		put(`{"ImageTagMutability": ""}`, modes),
		post(`{"RepositoryName": "a", "ImageTagMutability": "MUTABLE_WITH_EXCLUSION"}`, `ImageTagMutability MUTABLE_WITH_EXCLUSION needs ImageTagMutabilityExclusionFilters, such as ["latest", "dev-*"].`),
		put(`{"ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": []}`, `ImageTagMutability IMMUTABLE_WITH_EXCLUSION needs ImageTagMutabilityExclusionFilters, such as ["latest", "dev-*"].`),
		put(`{"ImageTagMutability": "IMMUTABLE", "ImageTagMutabilityExclusionFilters": ["a"]}`, "ImageTagMutabilityExclusionFilters goes with MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION, not IMMUTABLE."),
		put(`{"ImageTagMutabilityExclusionFilters": ["a"]}`, "ImageTagMutabilityExclusionFilters needs ImageTagMutability in the same request."),
		post(`{"RepositoryName": "a", "ImageTagMutabilityExclusionFilters": []}`, "ImageTagMutabilityExclusionFilters needs ImageTagMutability in the same request."),
		put(except(`["1", "2", "3", "4", "5", "6"]`), "ImageTagMutabilityExclusionFilters has over 5 patterns."),
		put(except(`["a", ""]`), "ImageTagMutabilityExclusionFilters[1] is empty."),
		put(except(`["a", null]`), "ImageTagMutabilityExclusionFilters[1] must be a string, not null."),
		put(except(`[[]]`), "ImageTagMutabilityExclusionFilters[0] must be a string, not an array."),
		put(except(`["a", {}]`), "ImageTagMutabilityExclusionFilters[1] must be a string, not an object."),
		put(except(`[true]`), "ImageTagMutabilityExclusionFilters[0] must be a string, not a bool."),
		put(except(`["a", b]`), "The body is not JSON: invalid character 'b' at start of value, at byte 94."),
		put(except(`["a", "b", "c/d"]`), "ImageTagMutabilityExclusionFilters[2] must be of letters, digits, '.', '_', '-' and '*'."),
		put(except(`["`+strings.Repeat("a", 129)+`"]`), "ImageTagMutabilityExclusionFilters[0] has 129 characters, and may have 128."),
		put(except(`["a", "*b*c*"]`), "ImageTagMutabilityExclusionFilters[1] has '*' 3 times, and may have it 2 times."),
		put(except(`["a", 1]`), "ImageTagMutabilityExclusionFilters[1] must be a string, not a number."),
		put(except(`"a"`), "ImageTagMutabilityExclusionFilters must be an array, not a string."),
		post(`{"RepositoryName": "a", "EncryptionType": "KMS_DSSE"}`, "EncryptionType must be AES256 or KMS."),
		post(`{"RepositoryName": "a", "EncryptionType": "AES256", "KmsKeyId": "k"}`, "KmsKeyId goes with EncryptionType KMS, not AES256."),
		post(`{"RepositoryName": "a", "KmsKeyId": "`+strings.Repeat("é", 2049)+`"}`, "KmsKeyId has 2049 characters, and may have 2048."),
		post(`{"RepositoryName": "a", "KmsKeyId": ["k"]}`, "KmsKeyId must be a string, not an array."),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Value": "v"}, {"Key": {}}]}`, "Tags[1].Key must be a string, not an object."),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "k", "Value": [1]}]}`, "Tags[1].Value must be a string, not an array."),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Value": "v"}`, "The body is not JSON: it ends too early."),
		put(`{"EncryptionType": null}`, "The encryption of a repository is fixed at creation: leave EncryptionType and KmsKeyId out."),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}`, `Tags has the key "k" twice.`),
		put(`{"Tags": [{"Key": "Name", "Value": "1"}, {"Key": "Name", "Value": "1"}]}`, `Tags has the key "Name" twice.`),
		put(`{"Tags": [{"Value": "1"}]}`, "Tags[0] has no Key."),
		put(`{"Tags": [{"Key": "k"}]}`, `Tags[0] has no Value. An empty one is "".`),
		put(`{"Tags": [{"Key": "k", "Value": null}]}`, `Tags[0] has no Value. An empty one is "".`),
		post(`{"RepositoryName": "a", "ScanOnPush": "false", "\u017fcanOnPush": "true"}`, "\"\u017fcanOnPush\" is given twice."),
		put(`{"Tags": [{"Key": "Spinup:Org", "Value": "x"}]}`, `The tag key "Spinup:Org" is too like one that the service sets.`),
		post(`{"RepositoryName": "a", "Tags": [{"Key": "spinup:spaceid ", "Value": "x"}]}`, `The tag key "spinup:spaceid " is too like one that the service sets.`),

		get(base+"/a%2Fb", "bad-request", badGroup), get(base+"/%2a", "bad-request", badGroup), get(base+"/a*", "bad-request", badGroup), get(base+"/a%3F", "bad-request", badGroup),
		get(base+"/%2E%2E", "bad-request", badGroup), get(base+"/.", "bad-request", badGroup), get(base+"/a%00", "bad-request", badGroup), get(base+"/a%20b", "bad-request", badGroup),
		get(base+"/%C3%A4", "bad-request", badGroup), get(base+"/%24%7Baws:username%7D", "bad-request", badGroup),
		get(base+"/g/a%2Fb", "bad-request", badName), get(base+"/g/%2e", "bad-request", badName), get(base+"/g/b%3Fc/images", "bad-request", badName), get(base+"/g/a:latest", "bad-request", badName),
		get(base+"/"+strings.Repeat("g", 256), "bad-request", noRoom), get(base+"/g/"+strings.Repeat("a", 255), "bad-request", noRoom),
		get("/v1/ecr/12345678901/repositories", "account-unknown", noAccnt), get("/v1/ecr/0123456789012/repositories", "account-unknown", noAccnt),
		get("/v1/ecr/main/repositories", "account-unknown", noAccnt), get("/v1/ecr/01234567890%2A/repositories/g/a", "account-unknown", noAccnt),

		get("/v1/ecr", "path-unknown", noPath), get("/v1/ecr/ping/", "path-unknown", noPath), get("/v1/ecr/nothing", "path-unknown", noPath),
		get("//v1/ecr/ping", "path-unknown", noPath), get("/v1//ecr/ping", "path-unknown", noPath), get("/v1/ecr/x/../ping", "path-unknown", noPath), get(base+"/..", "path-unknown", noPath),
		get(base+"/g/../images", "path-unknown", noPath), get(base+"/", "path-unknown", noPath), get(base+"//a", "path-unknown", noPath), get(base+"/g/a/", "path-unknown", noPath), get(base+"/g/a/b", "path-unknown", noPath),
	)
	if diff := cmp.Diff([]string(nil), w.called()); diff != "" {
		t.Errorf("calls to AWS (-want +got):\n%s", diff)
	}
}

func TestBodyOverOneMiB(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pad := func(n int) string { // a body of n bytes
		body := `{"RepositoryName": "a"}`
		return strings.Repeat(" ", n-len(body)) + body
	}
	w.run(
		exchange{name: "1 MiB and a byte", method: "POST", path: base + "/g", body: pad(1<<20 + 1), status: 413, want: problemOf("body-too-large", "The body is over 1048576 bytes.")},
		exchange{name: "1 MiB", method: "POST", path: base + "/g", body: pad(1 << 20), status: 200, want: shown("g/a")},
	)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for path, allow := range map[string]string{
		"/v1/ecr/ping":       "GET, HEAD",
		"/v1/ecr/version":    "GET, HEAD",
		"/v1/ecr/metrics":    "GET, HEAD",
		"/metrics":           "GET, HEAD",
		base:                 "GET, HEAD",
		base + "/g":          "GET, HEAD, POST",
		base + "/g/a":        "DELETE, GET, HEAD, PUT",
		base + "/g/a/images": "DELETE, GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(allow, method) && method != "HEAD" {
				continue
			}
			status, header, body := w.do(exchange{method: method, path: path, body: "{"})
			switch {
			case method == "HEAD":
				if status != 200 || body != "" || header.Get("Content-Type") == "" {
					t.Errorf("HEAD %s: %d, %q, %v", path, status, body, header)
				}
			case status != http.StatusMethodNotAllowed || header.Get("Allow") != allow:
				t.Errorf("%s %s: %d, Allow: %q; want 405, %q", method, path, status, header.Get("Allow"), allow)
			}
		}
	}
}

// ECR itself checks names, so the answer has ECR's own message.
func TestInputThatECRRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(
		exchange{name: "upper case", method: "POST", path: base + "/spindev-00001", body: `{"RepositoryName": "myAwesomeRepository"}`, status: 400,
			want: problemByAWS("bad-request", "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "+
				`'[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`, "InvalidParameterException")},
	)
}
