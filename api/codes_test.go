package api

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// codeConstant is the declaration of a Code.
var codeConstant = regexp.MustCompile(`(?m)^\s*\w+\s+Code\s*= "([a-z-]+)"`)

// codeRow is a row of the table of codes in docs/api.md.
var codeRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]+) \\| [^|]+ \\| [^|]*\\|$")

// Every Code is listed for callers, in the docs and in the OpenAPI document,
// with the status that it has.
func TestCodesAreListed(t *testing.T) {
	t.Parallel()
	used := map[string]int{}
	for code, status := range statuses {
		used[string(code)] = status
	}
	if diff := cmp.Diff(statusByCode, used); diff != "" {
		t.Errorf("codes and their statuses (-tests +statuses):\n%s", diff)
	}

	declared := declaredCodes(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(statusByCode)), slices.Sorted(slices.Values(declared))); diff != "" {
		t.Errorf("codes (-tests +common):\n%s", diff)
	}

	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- codes -->\n")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[string]int{}
	for _, row := range codeRow.FindAllStringSubmatch(table, -1) {
		documented[row[1]], _ = strconv.Atoi(row[2])
	}
	if diff := cmp.Diff(statusByCode, documented); diff != "" {
		t.Errorf("codes and their statuses (-tests +docs/api.md):\n%s", diff)
	}

	var listed []string
	for _, code := range document().Components.Schemas["Problem"].Value.Properties["code"].Value.AnyOf[0].Value.Enum {
		listed = append(listed, code.(string))
	}
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("codes (-common +OpenAPI):\n%s", diff)
	}
}

// The document says of each code which answers have it.
func TestAnswersOfTheOpenAPIDocumentHaveCodes(t *testing.T) {
	t.Parallel()
	said := map[int]string{405: document().Info.Description}
	for _, rt := range routes {
		for status, response := range document().Paths.Value(rt.Path).GetOperation(rt.Method).Responses.Map() {
			n, err := strconv.Atoi(status)
			if err != nil {
				t.Fatal(err)
			}
			said[n] += *response.Value.Description
		}
	}
	for code, status := range statusByCode {
		if status != statusClientClosed && !strings.Contains(said[status], "`"+code+"`") {
			t.Errorf("no answer with status %d says %s", status, code)
		}
	}
}

// declaredCodes returns the values of all Codes in package common.
func declaredCodes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("../common/error.go")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, constant := range codeConstant.FindAllStringSubmatch(string(source), -1) {
		codes = append(codes, constant[1])
	}
	return codes
}
