package api

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// withMode returns the repository g/a with a mode and exclusions, in JSON.
func withMode(mode, exclusions string) string {
	return shown("g/a", `"ImageTagMutability": "MUTABLE"`, `"ImageTagMutability": "`+mode+`", "ImageTagMutabilityExclusionFilters": `+exclusions)
}

func TestExclusionsFromMutability(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = base + "/g/a"
	latest := withMode("IMMUTABLE_WITH_EXCLUSION", `["latest", "dev-*"]`)
	releases := withMode("MUTABLE_WITH_EXCLUSION", `["v*.*"]`)
	w.run(
		exchange{name: "create", method: "POST", path: base + "/g", status: 200, want: latest,
			body: `{"RepositoryName": "a", "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ["latest", "dev-*"]}`},
		exchange{name: "show", method: "GET", path: path, status: 200, want: latest},
		exchange{name: "absent settings stay", method: "PUT", path: path, body: `{"Tags": []}`, status: 200, want: latest},
		exchange{name: "another setting", method: "PUT", path: path, body: `{"ScanOnPush": false}`, status: 200, want: latest},
		exchange{name: "other exclusions", method: "PUT", path: path, status: 200, want: releases,
			body: `{"imagetagmutability": "MUTABLE_WITH_EXCLUSION", "imagetagmutabilityexclusionfilters": ["v*.*"]}`},
		exchange{name: "show the others", method: "GET", path: path, status: 200, want: releases},
		exchange{name: "no exclusions", method: "PUT", path: path, body: `{"ImageTagMutability": "MUTABLE", "ImageTagMutabilityExclusionFilters": null}`, status: 200, want: shown("g/a")},
		exchange{name: "show none", method: "GET", path: path, status: 200, want: shown("g/a")},
		exchange{name: "exclusions for a plain repository", method: "PUT", path: path, status: 200, want: latest,
			body: `{"ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ["latest", "dev-*"]}`},
		exchange{name: "delete", method: "DELETE", path: path, status: 200, want: latest},
	)
}

// The service shows what others have set in AWS, also what it would not set.
func TestSettingsOfOthersAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const key = "arn:aws:kms:us-east-1:012345678901:key/0123abcd-0000-4000-8000-0123456789ab"
	w.must(w.administrator().CreateRepository(&awsecr.CreateRepositoryInput{
		RepositoryName: aws.String("g/a"), Tags: awsTags(ourTags("g/a")),
		EncryptionConfiguration: &awsecr.EncryptionConfiguration{EncryptionType: aws.String("KMS_DSSE"), KmsKey: aws.String(key)},
	}))
	w.must(nil, awstest.PutMutability(w.administrator(), "g/a", "MUTABLE_WITH_EXCLUSION", awstest.Wildcards("v*", "0.1")))
	want := strings.Replace(withMode("MUTABLE_WITH_EXCLUSION", `["v*", "0.1"]`), `"AES256"`, `"KMS_DSSE"`, 1)
	want = strings.Replace(want, `"KmsKeyId": ""`, `"KmsKeyId": "`+key+`"`, 1)
	w.run(
		exchange{method: "GET", path: base + "/g/a", status: 200, want: want},
		exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": "true"}`, status: 200, want: strings.Replace(want, `"ScanOnPush": "false"`, scanned, 1)},
		exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": "false"}`, status: 200, want: want},
		exchange{method: "DELETE", path: base + "/g/a", status: 200, want: want},
	)
}

// An update whose answer was lost has been done if the repository has the
// exclusions, in any order.
func TestLostUpdateOfExclusions(t *testing.T) {
	t.Parallel()
	const mode = "IMMUTABLE_WITH_EXCLUSION"
	asked := exchange{method: "PUT", path: base + "/g/a", body: `{"ImageTagMutability": "` + mode + `", "ImageTagMutabilityExclusionFilters": ["latest", "dev-*"]}`}
	done, unknown := withMode(mode, `["latest", "dev-*"]`), failedChange("internal", internalError, nil, []string{"ImageTagMutability"})
	for name, test := range map[string]struct {
		there     []string // before the update
		afterWork bool
		status    int
		want      string
	}{
		"after the work":                   {[]string{"v*"}, true, 200, done},
		"before the work":                  {[]string{"v*"}, false, 500, unknown},
		"before the work, with one of two": {[]string{"latest"}, false, 500, unknown},
		"before the work, with one more":   {[]string{"latest", "dev-*", "v*"}, false, 500, unknown},
		"the same in another order":        {[]string{"dev-*", "latest"}, false, 200, done},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			w.must(nil, awstest.PutMutability(w.administrator(), "g/a", mode, awstest.Wildcards(test.there...)))
			w.aws.Inject(localaws.Fault{Operation: "ecr:PutImageTagMutability", Drop: true, AfterWork: test.afterWork})
			e := asked
			e.status, e.want = test.status, test.want
			w.run(e)
		})
	}
}

// A create whose answer was lost takes a repository for its own only if it has
// the exclusions that were asked for.
func TestLostCreateWithExclusions(t *testing.T) {
	t.Parallel()
	const mode = "MUTABLE_WITH_EXCLUSION"
	const asked = `, "ImageTagMutability": "` + mode + `", "ImageTagMutabilityExclusionFilters": ["latest", "dev-*"]`
	for name, test := range map[string]struct {
		there  []string
		asked  string
		status int
	}{
		"the same in another order":  {[]string{"dev-*", "latest"}, asked, 200},
		"others":                     {[]string{"dev-*", "v*"}, asked, 409},
		"one less":                   {[]string{"latest"}, asked, 409},
		"exclusions, asked for none": {[]string{"latest"}, ``, 409},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			w.must(nil, awstest.PutMutability(w.administrator(), "g/a", mode, awstest.Wildcards(test.there...)))
			w.loseAnswer("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			create := exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"` + test.asked + `}`, status: 200, want: withMode(mode, `["dev-*", "latest"]`)}
			if test.status != 200 {
				create.status, create.want = test.status, failedChangeByAWS("repository-exists",
					"The repository with name 'g/a' already exists in the registry with id '012345678901'", nil, []string{"Repository"}, "RepositoryAlreadyExistsException")
			}
			w.run(create)
		})
	}
}

// The answer to an update has the exclusions that AWS confirms.
func TestExclusionsAreShownAsAWSConfirmsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "PutImageTagMutability" {
			return strings.Replace(body, "latest", "newest", 1)
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"ImageTagMutability": "MUTABLE_WITH_EXCLUSION", "ImageTagMutabilityExclusionFilters": ["latest"]}`,
		status: 200, want: withMode("MUTABLE_WITH_EXCLUSION", `["newest"]`)})
}
