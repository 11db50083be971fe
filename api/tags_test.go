package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// tagsOf returns the JSON of a list with one tag.
func tagsOf(key, value string) string {
	return `[{"Key": ` + jsonOf(key) + `, "Value": ` + jsonOf(value) + `}]`
}

// ECR's rules for tags are kept here, so that an update does not set one part
// and then fail at another.
func TestTagsThatECRWouldRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const characters = " Letters, digits, spaces and + - = . _ : / @ are allowed."
	for _, test := range []struct{ tags, detail string }{
		{tagsOf(strings.Repeat("k", 129), ""), "The key of Tags[0] has 129 characters, and may have 128."},
		{tagsOf(strings.Repeat("é", 129), ""), "The key of Tags[0] has 129 characters, and may have 128."},
		{tagsOf("k", strings.Repeat("v", 257)), "The value of Tags[0] has 257 characters, and may have 256."},
		{tagsOf("k", strings.Repeat("é", 257)), "The value of Tags[0] has 257 characters, and may have 256."},
		{tagsOf("a,b", ""), "The key of Tags[0] has the character ','." + characters},
		{tagsOf("k", "(one image)"), "The value of Tags[0] has the character '('." + characters},
		{tagsOf("k", "a\tb"), `The value of Tags[0] has the character '\t'.` + characters},
		{tagsOf("k", "😀"), "The value of Tags[0] has the character '😀'." + characters},
		{tagsOf("aws:k", ""), "The key of Tags[0] begins with aws:, which AWS keeps for itself."},
		{tagsOf("Aws:k", ""), "The key of Tags[0] begins with aws:, which AWS keeps for itself."},
		{tagsOf("k", "aws:v"), "The value of Tags[0] begins with aws:, which AWS keeps for itself."},
		{tagsOf("k", "AWS:"), "The value of Tags[0] begins with aws:, which AWS keeps for itself."},
		{`[{"Key": "a", "Value": "1"}, {"Key": "Name", "Value": "*"}, {"Key": "b", "Value": "*"}]`, "The value of Tags[2] has the character '*'." + characters},
	} {
		w.run(
			exchange{name: "update " + test.tags, method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Tags": ` + test.tags + `}`,
				status: 400, want: problemOf("bad-request", test.detail)},
			exchange{name: "create " + test.tags, method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + test.tags + `}`,
				status: 400, want: problemOf("bad-request", test.detail)},
		)
	}
	if diff := cmp.Diff([]string(nil), w.called()); diff != "" {
		t.Errorf("calls to AWS (-want +got):\n%s", diff)
	}
}

// What ECR takes is not refused here.
func TestTagsThatECRTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for _, tags := range []string{
		tagsOf("k", ""), tagsOf("é 字 1\u00a0+-=._:/@", "é 字 1\u00a0+-=._:/@"), tagsOf(strings.Repeat("é", 128), strings.Repeat("字", 256)),
		tagsOf("awsome", "aws"), tagsOf("arn", "arn:aws:iam::012345678901:root"), tagsOf(" aws:k", " aws:v"),
		tagsOf("name", "x"),                                                     // IAM does not tell it from Name
		tagsOf("Name", strings.Repeat("v", 257)), tagsOf("spinup:org", "aws:*"), // not sent to ECR
	} {
		w.run(exchange{name: tags, method: "PUT", path: base + "/g/a", body: `{"Tags": ` + tags + `}`, status: 200, want: "-"})
	}
}

func manyTags(n int) string {
	var tags []string
	for i := range n {
		tags = append(tags, `{"Key": "k`+strings.Repeat("x", i)+`", "Value": "v"}`)
	}
	return `[` + strings.Join(tags, ",") + `]`
}

func TestNumberOfTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tooMany := problemOf("bad-request", "The repository would have 51 tags, those of the service included. It may have 50.")
	w.run(exchange{name: "create with 51", method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + manyTags(48) + `}`, status: 400, want: tooMany})
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %v", called)
	}
	w.run(
		exchange{name: "create with 50", method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + manyTags(47) + `}`, status: 200, want: "-"},
		exchange{name: "new values", method: "PUT", path: base + "/g/a", body: `{"Tags": ` + manyTags(47) + `}`, status: 200, want: "-"},
		exchange{name: "reserved tags do not count twice", method: "PUT", path: base + "/g/a", body: `{"Tags": ` + tagsOf("Name", "x") + `}`, status: 200, want: "-"},
	)
	before := w.direct().state()
	w.run(exchange{name: "one more", method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Tags": ` + tagsOf("l", "v") + `}`, status: 400, want: tooMany})
	w.direct().unchanged(before)
}

// CloudFormation, for example, sets tags of its own. ECR does not count them.
func TestAWSsOwnTagsDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "ListTagsForResource" {
			return strings.Replace(body, `[`, `[{"Key": "aws:cloudformation:stack-name", "Value": "s"},`, 1)
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"Tags": ` + manyTags(47) + `}`, status: 200, want: "-"})
}

// No caller can set a tag that IAM might take for one of the service's, however
// IAM ignores the case of keys.
func TestTagKeysThatFoldToAReservedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{
		"Spinup:Org", "SPINUP:SPACEID", " spinup:org", "spinup:org\u00a0", "\u3000spinup:spaceid",
		"sp\u0130nup:org", "SP\u0130NUP:ORG", "sp\u0131nup:org", "SP\u0131NUP:SPACE\u0131D", // dotted and dotless i
		"\u017fpinup:org",              // long s
		"spi\u0307nup:org",             // a combining dot
		"sp\u00efnup:org",              // an accent
		"\uff53pinup:org",              // full width
		"spinup\uff1aorg",              // a full-width colon
		"\u02e2pinup:org",              // a raised s
		"spinup:\u00barg",              // an ordinal's o
		"\U0001d42cpinup:space\u2170d", // a mathematical s and a Roman one
	} {
		detail := fmt.Sprintf("The tag key %q is too like one that the service sets.", key)
		w.run(
			exchange{name: "update " + key, method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Tags": ` + tagsOf(key, "x") + `}`,
				status: 400, want: problemOf("bad-request", detail)},
			exchange{name: "create " + key, method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "Tags": ` + tagsOf(key, "x") + `}`,
				status: 400, want: problemOf("bad-request", detail)},
		)
	}
	if diff := cmp.Diff([]string(nil), w.called()); diff != "" {
		t.Errorf("calls to AWS (-want +got):\n%s", diff)
	}
}

// Somebody has given a repository of ours a second tag in AWS, which IAM takes
// for spinup:org. The answers say that it must be removed. After that, and also
// if IAM does not mind the tag, we can show and delete the repository.
func TestRepositoryWithASecondOrgTag(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"Spinup:Org", "sp\u0130nup:org", "sp\u0131nup:org"} {
		tags := map[string]string{"spinup:org": org, second: "another-org"}
		w := newWorld(t)
		if err := w.aws.AddRepository(account, region, "g/a", tags); err != nil {
			t.Fatal(err)
		}
		for _, e := range aboutRepository(t, values{"group": "g", "name": "a"}) {
			status, _, body := w.do(e)
			if status != 403 || e.method != "HEAD" && !strings.Contains(body, "a second one whose key IAM may take for spinup:org, such as Spinup:Org, must be removed in AWS.") {
				t.Errorf("%s with the tag %q: %d %s", e.name, second, status, body)
			}
		}
		_, err := ecr.New(w.direct().session).UntagResource(&ecr.UntagResourceInput{
			ResourceArn: aws.String(groupScope.ARN("g/a")), TagKeys: []*string{&second},
		})
		if err != nil {
			t.Fatal(err)
		}
		indifferent := newUnfencedWorld(t, changeRows(allowEverything))
		if err := indifferent.aws.AddRepository(account, region, "g/a", tags); err != nil {
			t.Fatal(err)
		}
		for _, w := range []*world{w, indifferent} {
			w.run(
				exchange{name: "show, " + second, method: "GET", path: base + "/g/a", status: 200, want: "-"},
				exchange{name: "delete, " + second, method: "DELETE", path: base + "/g/a", status: 200, want: "-"},
			)
		}
	}
}
