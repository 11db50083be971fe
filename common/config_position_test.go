package common

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPositionsOfBadKeys(t *testing.T) {
	t.Parallel()
	const document = `{
    "listenAddress": "nowhere", "töken": "x",
	"account": {
		"region": "us east",
		"role" : 5, "more": {"region": 1},
		"role": "ecr-api"
	},
	"token": {"new": "", "old": "a"}, "org"
		: "",
	"accounts": {"a": "1", "account.region": "2", "b": "012345678901",
		"b": "210987654321"}
}`
	_, err := ParseConfig([]byte(document), nil)
	want := `bad configuration: ` +
		`töken (line 2, column 33) is not a known key; ` +
		`account.more (line 5, column 15) is not a known key; ` +
		`account.role (line 5, column 3) must be a string; ` +
		`account.role (line 6, column 3) is given twice; ` +
		`accounts.b (line 11, column 3) is given twice; ` +
		`listenAddress (line 2, column 5) must be like ":8080" or "127.0.0.1:8080"; ` +
		`account.region (line 4, column 3) must be like "us-east-1"; ` +
		`token.new (line 8, column 12) is missing; ` +
		`org (line 8, column 36) is missing; ` +
		`accounts.a (line 10, column 15) must be twelve digits; ` +
		`accounts.account.region (line 10, column 25) must be twelve digits`
	if diff := cmp.Diff(want, message(err)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"":                          "not a JSON object (it ends too early, at line 1, column 1)",
		"{":                         "not a JSON object (it ends too early, at line 1, column 2)",
		"{\n  \"org\": \"x\"\n":     "not a JSON object (it ends too early, at line 3, column 1)",
		`{"org": "x",}`:             "not a JSON object (broken at line 1, column 13)",
		"{\n\t\"örg\": x\n}":        "not a JSON object (broken at line 2, column 9)",
		"{\n\t\"a\": 1\n\t\"b\":2}": "not a JSON object (broken at line 3, column 2)",
		"{} {}":                     "not a JSON object (broken at line 1, column 4)",
		"listen: 8080":              "not a JSON object (broken at line 1, column 1)",
		"null":                      "not a JSON object",
		"[]":                        "not a JSON object",
		`"text"`:                    "not a JSON object",
	} {
		_, err := ParseConfig([]byte(document), nil)
		if diff := cmp.Diff(want, message(err)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", document, diff)
		}
	}
}
