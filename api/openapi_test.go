package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/test/openapi"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// The document has exactly the rows of the table, and says the same about them.
func TestOpenAPIDocumentIsTheTable(t *testing.T) {
	t.Parallel()
	type row struct {
		Name, Summary string
		Public        bool
	}
	want, got := map[string]row{}, map[string]row{}
	for _, rt := range routes {
		want[rt.String()] = row{rt.Name, rt.Summary, rt.Public}
	}
	for path, item := range document().Paths.Map() {
		for method, o := range item.Operations() {
			needed := document().Security
			if o.Security != nil {
				needed = *o.Security
			}
			got[method+" "+path] = row{o.OperationID, o.Summary, len(needed) == 0}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-table +document):\n%s", diff)
	}
}

// The document has the variables of each row's path, and the query parameters
// that its input declares.
func TestOpenAPIDocumentHasTheParametersOfRows(t *testing.T) {
	t.Parallel()
	for _, rt := range routes {
		want := []string{}
		for _, name := range varsIn(rt.Path) {
			want = append(want, "path "+name)
		}
		if rt.Endpoint.newInput != nil {
			if in, ok := rt.Endpoint.newInput().(queryInput); ok {
				for _, p := range in.queryParams() {
					want = append(want, "query "+p.name)
				}
			}
		}
		item := document().Paths.Value(rt.Path)
		if item == nil || item.GetOperation(rt.Method) == nil {
			t.Errorf("%s is not in the document", rt)
			continue
		}
		got := []string{}
		for _, p := range slices.Concat(item.Parameters, item.GetOperation(rt.Method).Parameters) {
			got = append(got, p.Value.In+" "+p.Value.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-row +document):\n%s", rt, diff)
		}
	}
}

// If two files of the document have the same key, neither value is lost
// silently.
func TestFilesOfTheOpenAPIDocumentAreMerged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, second, want, fault string }{
		{`{"z": 1, "paths": {"/b": {"put": 1}}}`, `{"a": [], "paths": {"/b": {"get": "<"}, "/a": {}}}`, `{"z":1,"paths":{"/a":{},"/b":{"put":1,"get":"<"}},"a":[]}`, ""},
		{`{"paths": {"/a": {"get": 1}}}`, `{"paths": {"/a": {"get": 1}}}`, "", `openapi/b.json: "paths" is in another file too: "/a" is in another file too: "get" is in another file too: not a JSON object`},
		{`{"tags": []}`, `{"tags": []}`, "", `openapi/b.json: "tags" is in another file too: not a JSON object`},
		{`{}`, `[]`, "", "openapi/b.json: not a JSON object"},
	} {
		merged, err := mergeJSON(fstest.MapFS{"openapi/a.json": {Data: []byte(c.first)}, "openapi/b.json": {Data: []byte(c.second)}})
		if fault := fmt.Sprint(err); err != nil && fault != c.fault || err == nil && c.fault != "" {
			t.Errorf("%s and %s: %v, want %s", c.first, c.second, err, c.fault)
			continue
		}
		if err == nil {
			var compact bytes.Buffer
			if err := json.Compact(&compact, merged); err != nil || compact.String() != c.want {
				t.Errorf("%s and %s: %s, %v, want %s", c.first, c.second, compact.String(), err, c.want)
			}
		}
	}
}

// The document has exactly the keys that requests may have.
func TestOpenAPIDocumentHasTheKeysOfRequests(t *testing.T) {
	t.Parallel()
	compare := func(name string, request any, got openapi3.Schemas) {
		want := parse(t, jsonOf(request)).(map[string]any)
		if name == "UpdateRepository" { // the service knows them only to refuse them
			delete(want, "EncryptionType")
			delete(want, "KmsKeyId")
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s (-request +document):\n%s", name, diff)
		}
	}
	compare("Tag", tagInput{}, document().Components.Schemas["TagInput"].Value.Properties)
	for _, rt := range protectedRows() {
		body := document().Paths.Value(rt.Path).GetOperation(rt.Method).RequestBody
		in := rt.Endpoint.newInput()
		if _, bodyless := in.(interface{ hasNoBody() }); bodyless != (body == nil) {
			t.Errorf("%s: the row takes no body: %t, the document has none: %t", rt, bodyless, body == nil)
		} else if !bodyless && !isForAWS(in) {
			compare(rt.Name, in, body.Value.Content["application/json"].Schema.Value.Properties)
		}
	}
}

// A client must accept what a later version or AWS adds, so answers may have
// more keys than the document. Requests may not, unless they are for AWS: the
// service refuses them.
func TestOpenAPIDocumentLetsOnlyAnswersHaveMoreKeys(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(openAPIDocument())
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range routes {
		operation := document.Paths.Value(rt.Path).GetOperation(rt.Method)
		if body := operation.RequestBody; body != nil {
			wantClosed(t, rt.Name, body.Value.Content, !isForAWS(rt.Endpoint.newInput()))
		}
		for _, response := range operation.Responses.Map() {
			wantClosed(t, rt.Name, response.Value.Content, false)
		}
	}
}

// isForAWS tells whether the body of a request is a document of AWS's, to which
// AWS may add keys.
func isForAWS(in any) bool {
	switch in.(type) {
	case *lifecycleInput, *previewInput:
		return true
	}
	return false
}

// wantClosed checks whether the objects of a body may have other keys than those
// in the document. A schema without a type is a condition on some properties of an
// object.
func wantClosed(t *testing.T, where string, content openapi3.Content, want bool) {
	for _, mediaType := range content {
		if mediaType.Schema == nil {
			continue
		}
		err := mediaType.Schema.WalkSubtree(func(_ string, s *openapi3.SchemaRef) error {
			keys, more := slices.Sorted(maps.Keys(s.Value.Properties)), s.Value.AdditionalProperties.Has
			if closed := more != nil && !*more; keys != nil && s.Value.Type != nil && closed != want {
				t.Errorf("%s: the object with the keys %v is closed: %t", where, keys, closed)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// The service takes the bodies that fit the document, and no others.
func TestRequestsOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tags := func(list string) string { return `"Tags": ` + list }
	except := func(list string) string {
		return `"ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ` + list
	}
	tooMany := tags(manyTags(51))
	for i, c := range []struct {
		members string
		fit     bool
	}{
		{``, true},
		{`"ScanOnPush": "true"`, true}, {`"ScanOnPush": "false"`, true}, {`"ScanOnPush": true`, true}, {`"ScanOnPush": false`, true},
		{`"ScanOnPush": null`, false}, {`"ScanOnPush": "yes"`, false}, {`"ScanOnPush": 1`, false}, {`"ScanOnPush": ""`, false},
		{`"ImageTagMutability": "IMMUTABLE"`, true}, {`"ImageTagMutability": null`, true},
		{`"ImageTagMutability": ""`, false}, {`"ImageTagMutability": 1`, false},
		{`"ImageTagMutability": "MUTABLE_WITH_EXCLUSION"`, false}, {except(`null`), false}, {except(`[]`), false}, {except(`"a"`), false},
		{except(`["latest"]`), true}, {except(`["0aZ._*-", "*", "**", "a*b*c", "*"]`), true}, {except(`["1", "2", "3", "4", "5", "6"]`), false},
		{except(`["a", ""]`), false}, {except(`["a", null]`), false}, {except(`["a", 1]`), false}, {except(`["a*b*c*"]`), false}, {except(`["é"]`), false}, {except(`["a\n"]`), false},
		{except(`["` + strings.Repeat("a", 127) + `*"]`), true}, {except(`["` + strings.Repeat("a", 128) + `*"]`), false},
		{`"ImageTagMutabilityExclusionFilters": ["a"]`, false}, {`"ImageTagMutabilityExclusionFilters": []`, false}, {`"ImageTagMutabilityExclusionFilters": null`, true},
		{`"ImageTagMutability": "MUTABLE", "ImageTagMutabilityExclusionFilters": ["a"]`, false}, {`"ImageTagMutability": null, "ImageTagMutabilityExclusionFilters": ["a"]`, false},
		{`"ImageTagMutability": "IMMUTABLE", "ImageTagMutabilityExclusionFilters": []`, false}, {`"ImageTagMutability": "IMMUTABLE", "ImageTagMutabilityExclusionFilters": null`, true},
		{tags(`null`), true}, {tags(`[]`), true}, {tags(`{}`), false}, {tags(`[null]`), false}, {tags(`["k"]`), false},
		{tags(`[{"Key": "k"}]`), false}, {tags(`[{"Value": "v"}]`), false}, {tags(`[{"Key": "k", "Value": "v", "More": 1}]`), false},
		{tags(`[{"Key": "k", "Value": null}]`), false}, {tags(`[{"Key": null, "Value": "v"}]`), false},
		{tags(tagsOf("", "v")), false}, {tags(tagsOf("k", "")), true}, {tags(tagsOf("é字 1\u00a0+-=._:/@", "é字 1\u00a0+-=._:/@")), true},
		{tags(tagsOf("k,", "v")), false}, {tags(tagsOf("k", "v*")), false}, {tags(tagsOf("k\n", "v")), false}, {tags(tagsOf("k", "\tv")), false},
		{tags(tagsOf(strings.Repeat("é", 128), strings.Repeat("字", 256))), true},
		{tags(tagsOf(strings.Repeat("é", 129), "v")), false}, {tags(tagsOf("k", strings.Repeat("字", 257))), false},
		{tags(tagsOf("aWs:k", "v")), false}, {tags(tagsOf("k", "AWS:")), false}, {tags(tagsOf("aws", " aws:v")), true},
		{tags(manyTags(47)), true}, {tooMany, false},
		{`"More": 1`, false},
	} {
		name := fmt.Sprint("g/a", i)
		w.addRepository(account, name, org)
		w.wantFit("CreateRepository", exchange{method: "POST", path: base + "/g"}, strings.TrimSuffix(fmt.Sprintf(`{"RepositoryName": "b%d", %s`, i, c.members), ", ")+`}`, c.fit)
		if c.members != tooMany { // the document cannot count the tags after an update
			w.wantFit("UpdateRepository", exchange{method: "PUT", path: base + "/" + name}, `{`+c.members+`}`, c.fit)
		}
	}
}

// Only create takes these.
func TestCreatesOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	for body, fit := range map[string]bool{
		`{}`: false, `[]`: false, `{"RepositoryName": null}`: false, `{"RepositoryName": ""}`: false,
		`{"RepositoryName": ".."}`: false, `{"RepositoryName": "a/b"}`: false, `{"RepositoryName": "a_b-c.d"}`: true,
		`{"RepositoryName": "a", "EncryptionType": "KMS"}`: true, `{"RepositoryName": "a", "EncryptionType": null}`: true,
		`{"RepositoryName": "a", "EncryptionType": "KMS_DSSE"}`: false, `{"RepositoryName": "a", "EncryptionType": ""}`: false,
		`{"RepositoryName": "a", "KmsKeyId": ""}`: true, `{"RepositoryName": "a", "KmsKeyId": null}`: true, `{"RepositoryName": "a", "KmsKeyId": 1}`: false,
	} {
		newWorld(t).wantFit("CreateRepository", exchange{method: "POST", path: base + "/g"}, body, fit)
	}
}

// wantFit checks whether a body fits the document, and whether the service takes
// it.
func (w *world) wantFit(operation string, e exchange, body string, want bool) {
	w.t.Helper()
	rt := routes[slices.IndexFunc(routes, func(rt route) bool { return rt.Name == operation })]
	schema := document().Paths.Value(rt.Path).GetOperation(rt.Method).RequestBody.Value.Content["application/json"].Schema.Value
	misfit := schema.VisitJSON(parse(w.t, body), openapi3.EnableJSONSchema2020())
	e.body = body
	status, _, answer := w.do(e)
	if (misfit == nil) != want || (status == 200) != want || !want && status != 400 {
		w.t.Errorf("%s %.200s: the document says %v, the service %d %s; want it to fit: %t", operation, body, misfit, status, answer, want)
	}
}

func TestOpenAPIDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, header, body := w.do(exchange{method: "GET", path: "/v1/ecr/openapi.json", header: map[string]string{"X-Auth-Token": ""}})
	if status != 200 || header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %v", status, header)
	}
	served, err := openapi.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{served.Info.Title, served.Info.Version, served.OpenAPI}
	if diff := cmp.Diff([]string{"ecr-api", "v1", "3.1.0"}, got); diff != "" {
		t.Errorf("what is served (-want +got):\n%s", diff)
	}
}

// The service answers the example requests of the document with its example
// answers.
func TestExamplesOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	const (
		repositories = "/v1/ecr/{account}/repositories"
		group        = repositories + "/{group}"
		repository   = group + "/{name}"
	)
	w := newWorld(t)
	for _, name := range example(t, "GET", repositories).([]any) {
		w.addRepository(account, name.(string), org)
	}
	w.runExample("GET", repositories)
	w.runExample("GET", group)
	w.runExample("POST", group)
	w.runExample("GET", repository)
	w.addImage(account, "spindev-00001/my-awesome-repository", localaws.Image{
		Tags: []string{"latest"}, Size: 16093514, PushedAt: time.Date(2040, 12, 14, 15, 56, 11, 0, time.UTC),
		Digest: "sha256:ac81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2",
		Scan: &localaws.Scan{
			CompletedAt:     time.Date(2040, 12, 14, 16, 2, 36, 0, time.UTC),
			SourceUpdatedAt: time.Date(2040, 11, 4, 1, 21, 9, 0, time.UTC),
		},
	})
	w.runExample("GET", repository+"/images")
	w.runExample("DELETE", repository+"/images/{image}")
	w.addImage(account, "spindev-00001/my-awesome-repository", localaws.Image{
		PushedAt: time.Date(2040, 11, 14, 15, 56, 11, 0, time.UTC), Digest: "sha256:bc81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2",
	})
	w.runExample("PUT", repository+"/lifecycle")
	w.runExample("GET", repository+"/lifecycle")
	w.runExample("POST", repository+"/lifecycle/preview")
	w.runExample("GET", repository+"/lifecycle/preview")
	w.runExample("DELETE", repository+"/lifecycle")
	w.runExample("PUT", repository)
	w.runExample("DELETE", repository)
	w.runExample("GET", "/v1/ecr/ping")
}

// A deletion that is refused is answered as in the example.
func TestExampleOfARefusedDeletion(t *testing.T) {
	t.Parallel()
	const path = "/v1/ecr/{account}/repositories/{group}/{name}/images/{image}"
	const part, index = "sha256:ac81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2", "sha256:7d43b0b2c7bb02df0f1e1c8d5c1b7cb8fd7e93d1b1fbf2cb0e7e20f6f1b5ac11"
	examples := document().Paths.Value(path).GetOperation("DELETE").Responses.Value("409").Value.Content["application/problem+json"].Examples
	want := func(name string) string {
		body := maps.Clone(examples[name].Value.Value.(map[string]any))
		body["requestId"] = "test"
		if body["awsRequestId"] != nil {
			body["awsRequestId"] = "aws"
		}
		return jsonOf(body)
	}
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: part, Tags: []string{"latest"}})
	w.addIndexOf("g/a", index, []string{"latest", "v1"}, part)
	w.run(deleteOf(part, 409, want("part of an index")))

	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, false)
	w.after = func(c localaws.Call) {
		if c.Operation == "BatchDeleteImage" {
			w.addImage(account, "g/a", localaws.Image{Digest: "sha256:bc81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2", Tags: []string{"latest"}})
		}
	}
	w.run(deleteOf("latest", 409, want("tag moved")))
}

// example returns the example of a good answer in the document.
func example(t testing.TB, method, path string) any {
	t.Helper()
	for _, content := range document().Paths.Value(path).GetOperation(method).Responses.Value("200").Value.Content {
		return content.Example
	}
	t.Fatalf("%s %s has no example", method, path)
	return nil
}

func (w *world) runExample(method, path string) {
	w.t.Helper()
	item := document().Paths.Value(path)
	operation := item.GetOperation(method)
	e := exchange{method: method, path: path, status: 200, want: "-"}
	for _, p := range item.Parameters {
		e.path = strings.Replace(e.path, "{"+p.Value.Name+"}", p.Value.Example.(string), 1)
	}
	if operation.RequestBody != nil {
		e.body = jsonOf(operation.RequestBody.Value.Content["application/json"].Example)
	}
	status, header, body := w.do(e)
	if status != 200 {
		w.t.Errorf("%s %s: status %d: %s", method, path, status, body)
		return
	}
	got := any(body)
	if header.Get("Content-Type") == "application/json" {
		got = parse(w.t, strings.ReplaceAll(body, "2040-", "2020-")) // the clock of the tests' AWS is ahead
	}
	if diff := cmp.Diff(example(w.t, method, path), got); diff != "" {
		w.t.Errorf("%s %s (-example +answer):\n%s", method, path, diff)
	}
}

// The comparison with the document finds answers that differ.
func TestAnswersThatDifferFromTheOpenAPIDocumentAreNoticed(t *testing.T) {
	t.Parallel()
	const json, problemJSON = "application/json", "application/problem+json"
	repository := jsonOf(example(t, "GET", "/v1/ecr/{account}/repositories/{group}/{name}"))
	images := jsonOf(example(t, "GET", "/v1/ecr/{account}/repositories/{group}/{name}/images"))
	edited := func(document, old, new string) string {
		if !strings.Contains(document, old) {
			t.Fatalf("no %s in %s", old, document)
		}
		return strings.Replace(document, old, new, 1)
	}
	const none = `"ImageScanFindingsSummary":null`
	noScan := edited(images, images[strings.Index(images, `"ImageScanFindingsSummary"`):strings.Index(images, `,"ImageScanStatus"`)], none)
	for _, c := range []struct {
		name, method, path string
		status             int
		contentType, body  string
		header             string // in addition to X-Request-Id
		want               string // part of the complaint; empty for none
	}{
		{"repository", "GET", "/g/a", 200, json, repository, "", ""},
		{"key lost", "GET", "/g/a", 200, json, edited(repository, `"KmsKeyId":"",`, ``), "", `missing property 'KmsKeyId'`},
		{"key added", "GET", "/g/a", 200, json, edited(repository, `"KmsKeyId":"",`, `"KmsKeyId":"","More":1,`), "", `additional properties 'More' not allowed`},
		{"null", "GET", "/g/a", 200, json, edited(repository, `"KmsKeyId":""`, `"KmsKeyId":null`), "", "/KmsKeyId"},
		{"time", "GET", "/g/a", 200, json, edited(repository, `18Z`, `18.5Z`), "", "/CreatedAt"},
		{"key of a tag", "GET", "/g/a", 200, json, edited(repository, `"Key":`, `"key":`), "", "/Tags/0"},
		{"boolean", "GET", "/g/a", 200, json, edited(repository, `"ScanOnPush":"true"`, `"ScanOnPush":true`), "", "/ScanOnPush"},
		{"images", "GET", "/g/a/images", 200, json, images, "", ""},
		{"no scan", "GET", "/g/a/images", 200, json, noScan, "", ""},
		{"null for tags", "GET", "/g/a/images", 200, json, edited(images, `["latest"]`, "null"), "", "/0/ImageTags"},
		{"part of a scan", "GET", "/g/a/images", 200, json, edited(images, `"Status":"COMPLETE"`, `"More":1`), "", "/0/ImageScanStatus"},
		{"null for a list", "GET", "/g", 200, json, "null", "", "got null, want array"},
		{"content type", "GET", "/g/a", 200, "text/plain", repository, "", "text/plain"},
		{"status", "GET", "/g/a", 201, json, repository, "", "status is not supported"},
		{"problem", "GET", "/g/a", 404, problemJSON, problemOf("repository-not-found", "no"), "", ""},
		{"parts of a change", "PUT", "/g/a", 500, problemJSON, edited(problemOf("internal", "no"), `{`, `{"applied":["a"],"unknown":["b"],`), "", ""},
		{"problem as JSON", "GET", "/g/a", 404, json, problemOf("repository-not-found", "no"), "", "application/json"},
		{"problem with more", "GET", "/g/a", 404, problemJSON, edited(problemOf("repository-not-found", "no"), `{`, `{"more":1,`), "", "additional properties 'more' not allowed"},
		{"pong", "GET", "ping", 200, "text/plain; charset=utf-8", "pong", "", ""},
		{"not pong", "GET", "ping", 200, "text/plain", "pang", "", "value must be 'pong'"},
		{"error of a public path", "GET", "ping", 403, problemJSON, problemOf("token-refused", "no"), "", "status is not supported"},
		{"a problem without code", "GET", "/g/a", 404, problemJSON, edited(problemOf("repository-not-found", "no"), `"code": "repository-not-found", `, ""), "", "missing property 'code'"},
		{"quota without Retry-After", "GET", "/g/a", 429, problemJSON, problemOf("quota-reached", "no"), "", ""},
		{"with Retry-After", "GET", "/g/a", 429, problemJSON, problemOf("throttled", "no"), "Retry-After: 5", ""},
		{"without Retry-After", "GET", "/g/a", 503, problemJSON, problemOf("too-many-requests", "no"), "", `"Retry-After" missing`},
		{"Retry-After that is no number", "GET", "/g/a", 429, problemJSON, problemOf("throttled", "no"), "Retry-After: soon", `"Retry-After"`},
		{"no request id", "GET", "/g/a", 404, problemJSON, problemOf("repository-not-found", "no"), "X-Request-Id:", `"X-Request-Id" missing`},
		{"HEAD", "HEAD", "/g/a", 200, json, "", "", ""},
		{"HEAD, status", "HEAD", "/g/a", 204, json, "", "", "status is not supported"},
		{"HEAD, header", "HEAD", "/g/a", 503, problemJSON, "", "", `"Retry-After" missing`},
		{"HEAD, content type", "HEAD", "/g/a", 404, json, "", "", "application/json"},
		{"other method", "PATCH", "/g/a", 405, problemJSON, problemOf("method-not-allowed", "no"), "Allow: DELETE, GET", ""},
		{"other method without Allow", "PATCH", "/g/a", 405, problemJSON, problemOf("method-not-allowed", "no"), "", `"Allow" missing`},
		{"other method done", "PATCH", "/g/a", 200, json, repository, "", "status is not supported"},
		{"unknown path", "GET", "/g/a/b/c", 404, problemJSON, problemOf("repository-not-found", "no"), "", ""},
		{"unknown path found", "GET", "/g/a/b/c", 200, json, "[]", "", "status is not supported"},
	} {
		path := "http://127.0.0.1" + base + c.path
		if c.path == "ping" {
			path = "http://127.0.0.1/v1/ecr/ping"
		}
		request, err := http.NewRequest(c.method, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Content-Type": {c.contentType}, "X-Request-Id": {"test"}}
		if name, value, ok := strings.Cut(c.header, ":"); ok {
			header.Del(name)
			if value != "" {
				header.Set(name, strings.TrimSpace(value))
			}
		}
		got := ""
		err = document().Check(&http.Response{Request: request, StatusCode: c.status, Header: header, Body: io.NopCloser(strings.NewReader(c.body))})
		if err != nil {
			got = err.Error()
		}
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
