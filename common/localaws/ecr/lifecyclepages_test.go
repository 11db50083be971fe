//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// newPreview returns a server with a complete preview about the images A, C and D
// of group/one. B stays. A and D are expired, and C is archived.
func newPreview(t *testing.T) (*awstest.AWS, *ecr.ECR, string) {
	t.Helper()
	b := awstest.New(t)
	b.Add(t, "group/one")
	for _, img := range []namedImage{pushedImage("A", 9, "prod", "a"), pushedImage("B", 2, "prod-1"), pushedImage("C", 8, "dev"), pushedImage("D", 7)} {
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img.Image))
	}
	text := lifecycleOf(ruleOf("4", isProd+","+pushed, expire), ruleOf("5", `"tagStatus":"tagged","tagPatternList":["*"],`+pushed, archive), ruleOf("6", isAny+","+pushed, expire))
	client := b.ECR(awstest.Here)
	awstest.Must(t, awstest.ErrorOf(startPreview(client, "group/one", text)))
	return b, client, text
}

// previewOf returns the input for a preview of group/one.
func previewOf(tagStatus string, ids ...*ecr.ImageIdentifier) *previewInput {
	in := &previewInput{RepositoryName: aws.String("group/one"), ImageIDs: ids}
	if tagStatus != "" {
		in.Filter = &listFilter{TagStatus: &tagStatus}
	}
	return in
}

// TestPreviewAnswer shows a whole answer. It tells how the images were when the
// preview was started.
func TestPreviewAnswer(t *testing.T) {
	t.Parallel()
	b, client, text := newPreview(t)
	quoted, err := json.Marshal(text)
	awstest.Must(t, err)
	digest := func(name string) string { return `"imageDigest":"` + digestOf(name) + `",` }
	want := `{"registryId":"012345678901","repositoryName":"group/one","lifecyclePolicyText":` + string(quoted) + `,"status":"COMPLETE","previewResults":[` +
		`{"imageTags":["a","prod"],` + digest("A") + `"imagePushedAt":1771588800.25,"action":{"type":"EXPIRE"},"appliedRulePriority":4,"storageClass":"STANDARD"},` +
		`{"imageTags":["dev"],` + digest("C") + `"imagePushedAt":1771675200.25,"action":{"type":"TRANSITION","targetStorageClass":"ARCHIVE"},"appliedRulePriority":5,"storageClass":"STANDARD"},` +
		`{"imageTags":[],` + digest("D") + `"imagePushedAt":1771761600.25,"action":{"type":"EXPIRE"},"appliedRulePriority":6,"storageClass":"STANDARD"}],` +
		`"summary":{"expiringImageTotalCount":2,"transitioningImageTotalCounts":[{"targetStorageClass":"ARCHIVE","imageTotalCount":1}]}}`
	wantRaw(t, "preview", client, "GetLifecyclePolicyPreview", previewOf(""), want)
	b.Advance(365 * 24 * time.Hour)
	awstest.Must(t, deleteImage(client, "prod"))
	awstest.Must(t, deleteImage(client, "a"))
	wantRaw(t, "a year later", client, "GetLifecyclePolicyPreview", previewOf(""), want)
	archived := lifecycleOf(ruleOf("1", isAny+","+inArchive, expire))
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", archivedImage("E", 1).Image))
	awstest.Must(t, awstest.ErrorOf(startPreview(client, "group/one", archived)))
	if answer, err := getPreview(client, previewOf("")); err != nil || !strings.Contains(answer, `"appliedRulePriority":1,"storageClass":"ARCHIVE"}],"summary":{"expiringImageTotalCount":1}}`) {
		t.Errorf("of the archive: %v, %s", err, answer)
	}
}

// previewPage is what the test reads of an answer.
type previewPage struct {
	Results []struct {
		Digest string `json:"imageDigest"`
	} `json:"previewResults"`
	Summary struct {
		Expiring int `json:"expiringImageTotalCount"`
	}
	NextToken *string
}

func TestPreviewPages(t *testing.T) {
	t.Parallel()
	_, client, _ := newPreview(t)
	id := func(name string) *ecr.ImageIdentifier {
		return &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(name))}
	}
	for _, test := range []struct {
		name string
		in   *previewInput
		size int64
		want []string // the images of each page
	}{
		{"all", previewOf(""), 0, []string{"A C D"}},
		{"one each", previewOf(""), 1, []string{"A", "C", "D"}},
		{"two each", previewOf(""), 2, []string{"A C", "D"}},
		{"just enough", previewOf(""), 3, []string{"A C D"}},
		{"any", previewOf("ANY"), 100, []string{"A C D"}},
		{"tagged", previewOf("TAGGED"), 1, []string{"A", "C"}},
		{"untagged", previewOf("UNTAGGED"), 1, []string{"D"}},
		{"by id", previewOf("", id("D"), ofTag("a"), ofTag("prod"), id("B"), ofTag("none")), 0, []string{"A D"}},
		{"by tag and digest", previewOf("", &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf("C")), ImageTag: aws.String("a")}), 0, []string{""}},
		{"by id and filter", previewOf("TAGGED", id("D"), id("C")), 0, []string{"C"}},
	} {
		var pages []string
		if test.size > 0 {
			test.in.MaxResults = &test.size
		}
		for {
			answer, err := getPreview(client, test.in)
			awstest.Must(t, err)
			var page previewPage
			awstest.Must(t, json.Unmarshal([]byte(answer), &page))
			if page.Summary.Expiring != 2 {
				t.Errorf("%s: the summary counts %d images, want 2", test.name, page.Summary.Expiring)
			}
			var names []string
			for _, r := range page.Results {
				at := slices.IndexFunc([]string{"A", "B", "C", "D"}, func(name string) bool { return digestOf(name) == r.Digest })
				names = append(names, string(rune('A'+at)))
			}
			pages = append(pages, strings.Join(names, " "))
			if test.in.NextToken = page.NextToken; page.NextToken == nil {
				break
			}
		}
		if diff := cmp.Diff(test.want, pages); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestPreviewErrors(t *testing.T) {
	t.Parallel()
	_, client, _ := newPreview(t)
	in := previewOf("")
	in.MaxResults = aws.Int64(1)
	answer, err := getPreview(client, in)
	awstest.Must(t, err)
	var page previewPage
	awstest.Must(t, json.Unmarshal([]byte(answer), &page))
	with := func(size int64, token *string, in *previewInput) *previewInput {
		in.NextToken = token
		if size >= 0 {
			in.MaxResults = &size
		}
		return in
	}
	for name, test := range map[string]struct {
		in   *previewInput
		want string
	}{
		"no results":      {with(0, nil, previewOf("")), "'maxResults' failed to satisfy constraint: 'Member must have value greater than or equal to 1'"},
		"101 results":     {with(101, nil, previewOf("")), "'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 100'"},
		"bad token":       {with(-1, aws.String("x"), previewOf("")), "'nextToken' failed to satisfy constraint: 'Invalid pagination token'"},
		"another's token": {with(-1, page.NextToken, previewOf("TAGGED")), "'nextToken' failed to satisfy constraint: 'Invalid pagination token'"},
		"ids and token":   {with(-1, page.NextToken, previewOf("", ofTag("a"))), "'nextToken' failed to satisfy constraint: 'must not be specified together with imageIds'"},
		"ids and size":    {with(5, nil, previewOf("", ofTag("a"))), "'maxResults' failed to satisfy constraint: 'must not be specified together with imageIds'"},
		"no ids": {&previewInput{RepositoryName: aws.String("group/one"), ImageIDs: []*ecr.ImageIdentifier{}},
			"'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'"},
		"101 ids":        {with(-1, nil, previewOf("", slices.Repeat([]*ecr.ImageIdentifier{ofTag("a")}, 101)...)), "'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'"},
		"unknown filter": {with(-1, nil, previewOf("x")), "'filter.tagStatus' failed to satisfy constraint: 'Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]'"},
	} {
		awstest.WantError(t, name, awstest.ErrorOf(getPreview(client, test.in)), "InvalidParameterException", "Invalid parameter at "+test.want)
	}
}
