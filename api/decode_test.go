package api

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestManyTagsInABody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tooMany := problemOf("bad-request", "Tags has over 100 tags, and may have 50.")
	w.run(
		exchange{name: "create with 101", method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + manyTags(101) + `}`, status: 400, want: tooMany},
		exchange{name: "update with 101", method: "PUT", path: base + "/g/a", body: `{"Tags": ` + manyTags(101) + `}`, status: 400, want: tooMany},
		exchange{name: "create with 100", method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + manyTags(100) + `}`, status: 400,
			want: problemOf("bad-request", "The repository would have 103 tags, those of the service included. It may have 50.")},
	)
}

// To decode a body takes little more memory than its strings, however many
// values and keys it has.
func TestBodyTakesLittleMemory(t *testing.T) { // not parallel: it measures
	const size = 1<<20 - 100
	var keys strings.Builder
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, `"%x":1,`, i)
	}
	manyKeys := "{" + strings.TrimSuffix(keys.String(), ",") + "}"
	for _, body := range []string{
		`{"Tags": [{}` + strings.Repeat(",{}", size/3) + `]}`,
		`{"Tags": [null` + strings.Repeat(",null", size/5) + `]}`,
		`{"Tags": ` + manyKeys + `}`,
		`{"Tags": [` + manyKeys + `]}`,
		`{"Tags": [{"Key": ` + manyKeys + `}]}`,
		`{"Tags": [{"Value": ` + manyKeys + `}]}`,
		`{"Tags": [{"Key": "` + strings.Repeat("k", size/2) + `", "Value": "` + strings.Repeat("v", size/2) + `"}]}`,
		`{"ScanOnPush": ` + manyKeys + `}`,
		`{"ImageTagMutability": ` + manyKeys + `}`,
		`{"ImageTagMutabilityExclusionFilters": [""` + strings.Repeat(`,""`, size/3) + `]}`,
		`{"ImageTagMutabilityExclusionFilters": ` + manyKeys + `}`,
		`{"ImageTagMutabilityExclusionFilters": [` + manyKeys + `]}`,
		`{"EncryptionType": ` + manyKeys + `}`,
		`{"KmsKeyId": ` + manyKeys + `}`,
		`{"KmsKeyId": [` + manyKeys + `]}`,
		`{"RepositoryName": ` + manyKeys + `}`,
		`{"RepositoryName": "` + strings.Repeat("a", size) + `"}`,
		`{"KmsKeyId": "` + strings.Repeat(`\u0001`, size/6) + `"}`,
		`{"Other": ` + manyKeys + `}`,
		manyKeys,
		`[` + manyKeys + `]`,
		strings.Repeat("[", size),
		strings.Repeat(`{"Tags":`, size/8),
	} {
		for _, rt := range rowsWithBody() {
			in := rt.Endpoint.newInput()
			if _, none := in.(interface{ hasNoBody() }); none {
				continue
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = decodeJSON([]byte(body), in)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 4*size { // the copy of the body is part of it
				t.Errorf("%s %.30s...: %d bytes", rt, body, took)
			}
		}
	}
}

// rowsWithBody are the protected rows that take a body. All others read a query
// at most, and that has 16 KiB with the rest of the request's head.
func rowsWithBody() []route {
	return slices.DeleteFunc(protectedRows(), func(rt route) bool {
		_, none := rt.Endpoint.newInput().(interface{ hasNoBody() })
		return none
	})
}

// No key of a body is a list or a map that can grow with the body, unless it
// decodes itself, as tagInputs does.
func TestInputsDoNotGrow(t *testing.T) {
	t.Parallel()
	for _, rt := range rowsWithBody() {
		wantBound(t, rt.Name, reflect.TypeOf(rt.Endpoint.newInput()).Elem())
	}
}

func wantBound(t *testing.T, where string, of reflect.Type) {
	if reflect.PointerTo(of).Implements(reflect.TypeFor[json.UnmarshalerFrom]()) {
		return
	}
	switch of.Kind() {
	case reflect.Struct:
		for i := range of.NumField() {
			wantBound(t, where+"."+of.Field(i).Name, of.Field(i).Type)
		}
	case reflect.Pointer:
		wantBound(t, where, of.Elem())
	case reflect.String, reflect.Bool:
	default:
		t.Errorf("%s is a %s, which may grow to many times the size of a body", where, of)
	}
}

// A value that the service does not use is not kept.
func TestUnusedValuesAreNotKept(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"Name", "spinup:org", "spinup:spaceid"} {
		var in updateInput
		if err := decodeJSON([]byte(`{"Tags": `+tagsOf(key, strings.Repeat("v", 1<<19))+`}`), &in); err != nil || in.check() != nil {
			t.Fatal(err, in.check())
		}
		if *in.Tags[0].Value != "" {
			t.Errorf("the value of %s is kept", key)
		}
	}
}
