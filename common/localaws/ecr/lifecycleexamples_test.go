//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// daysAgo returns the time so many days before the start of the clock.
func daysAgo(days float64) time.Time {
	return awstest.Noon.Add(-time.Duration(days * 24 * float64(time.Hour)))
}

// namedImage is an image whose digest is that of its name.
type namedImage struct {
	localaws.Image
	name string
}

// pushedImage returns an image that was pushed so many days ago.
func pushedImage(name string, days float64, tags ...string) namedImage {
	return namedImage{localaws.Image{Digest: digestOf(name), Tags: tags, PushedAt: daysAgo(days), Status: "ACTIVE"}, name}
}

// archivedImage returns an image that came into the archive so many days ago.
func archivedImage(name string, days float64, tags ...string) namedImage {
	img := pushedImage(name, 1000, tags...)
	img.Status, img.ArchivedAt = "ARCHIVED", daysAgo(days)
	return img
}

// indexImage returns an index of images.
func indexImage(name string, days float64, parts ...string) namedImage {
	var entries []string
	for _, part := range parts {
		entries = append(entries, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1}`, ociManifest, digestOf(part)))
	}
	img := pushedImage(name, days, name)
	img.MediaType = ociIndex
	img.Manifest = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, strings.Join(entries, ","))
	return img
}

// outcome is what a preview tells of an image, such as "A EXPIRE 1".
func outcome(name, action string, priority int) string {
	return fmt.Sprintf("%s %s %d", name, action, priority)
}

// outcomes returns what the preview of a policy tells, in its order. The names are
// those of the images.
func outcomes(t testing.TB, c *ecr.ECR, repository, text string, names map[string]string) []string {
	t.Helper()
	awstest.Must(t, awstest.ErrorOf(startPreview(c, repository, text)))
	answer, err := getPreview(c, &previewInput{RepositoryName: &repository})
	awstest.Must(t, err)
	var out struct {
		Results []struct {
			Digest   string `json:"imageDigest"`
			Priority int    `json:"appliedRulePriority"`
			Action   struct{ Type string }
		} `json:"previewResults"`
	}
	awstest.Must(t, json.Unmarshal([]byte(answer), &out))
	all := []string{}
	for _, r := range out.Results {
		all = append(all, outcome(names[r.Digest], r.Action.Type, r.Priority))
	}
	return all
}

// wantOutcomes fails the test unless a policy does this to the images, in a
// preview and when it is evaluated.
func wantOutcomes(t *testing.T, images []namedImage, text string, want ...string) {
	t.Helper()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	names := make(map[string]string)
	left := make(map[string]string) // the status by the name
	for _, img := range images {
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img.Image))
		names[img.Digest], left[img.name] = img.name, img.Status
	}
	if diff := cmp.Diff(want, outcomes(t, client, "group/one", text, names)); diff != "" {
		t.Errorf("the preview (-want +got):\n%s", diff)
	}
	for _, o := range want {
		switch parts := strings.Fields(o); parts[1] {
		case "EXPIRE":
			delete(left, parts[0])
		default:
			left[parts[0]] = "ARCHIVED"
		}
	}
	awstest.Must(t, putLifecycle(client, "group/one", text))
	b.EvaluateLifecycles()
	if diff := cmp.Diff(left, statuses(t, client, names)); diff != "" {
		t.Errorf("evaluated (-want +got):\n%s", diff)
	}
}

// statuses returns the statuses of the images of group/one, by their names.
func statuses(t *testing.T, c *ecr.ECR, names map[string]string) map[string]string {
	t.Helper()
	answer, err := raw(c, "DescribeImages", &listInput{RepositoryName: aws.String("group/one"), Filter: &listFilter{ImageStatus: aws.String("ANY")}})
	awstest.Must(t, err)
	var out struct {
		Details []struct {
			Digest string `json:"imageDigest"`
			Status string `json:"imageStatus"`
		} `json:"imageDetails"`
	}
	awstest.Must(t, json.Unmarshal([]byte(answer), &out))
	found := make(map[string]string)
	for _, d := range out.Details {
		found[names[d.Digest]] = d.Status
	}
	return found
}

// TestLifecycleExamples shows the cases of the examples in AWS's user guide.
func TestLifecycleExamples(t *testing.T) {
	t.Parallel()
	const (
		fortnight = `"countType":"sinceImagePushed","countUnit":"days","countNumber":14`
		isBeta    = `"tagStatus":"tagged","tagPatternList":["beta*"]`
		isAlpha   = `"tagStatus":"tagged","tagPatternList":["alpha*"]`
		both      = `"tagStatus":"tagged","tagPatternList":["alpha*","beta*"]`
		moreThan5 = `"countType":"imageCountMoreThan","countNumber":5`
		year      = `"storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":365`
	)
	staged := []namedImage{pushedImage("A", 10, "beta-1", "prod-1"), pushedImage("B", 9, "beta-2", "prod-2"), pushedImage("C", 8, "beta-3")}
	greek := []namedImage{pushedImage("A", 12, "alpha-1"), pushedImage("B", 11, "beta-1"), pushedImage("C", 10, "alpha-2", "beta-2"),
		pushedImage("D", 4, "alpha-3"), pushedImage("E", 3, "beta-3"), pushedImage("F", 2, "alpha-4", "beta-4")}
	mixed := []namedImage{pushedImage("A", 12, "alpha-1"), pushedImage("B", 11, "beta-1"), pushedImage("C", 10),
		pushedImage("D", 9, "alpha-2"), pushedImage("E", 8), pushedImage("F", 7, "beta-2"), pushedImage("G", 6, "alpha-3")}
	idle := pushedImage("A", 200, "idle")
	idle.PulledAt = daysAgo(100)
	used := pushedImage("B", 200, "used")
	used.PulledAt = daysAgo(1)
	for _, test := range []struct {
		name   string
		images []namedImage
		policy string
		want   []string
	}{
		{"image age", []namedImage{pushedImage("A", 15, "prod"), pushedImage("B", 14, "prod1"), pushedImage("C", 20, "production"), pushedImage("D", 20, "preprod"), pushedImage("E", 20)}, lifecycleOf(ruleOf("1", isProd+","+fortnight, expire)), []string{"C EXPIRE 1", "A EXPIRE 1"}},
		{"image age, archived", []namedImage{pushedImage("A", 15, "prod"), pushedImage("B", 13, "prod1"), archivedImage("C", 20, "prod2")}, lifecycleOf(ruleOf("1", isProd+","+fortnight, archive)), []string{"A TRANSITION 1"}},
		{"image count", []namedImage{pushedImage("A", 1), pushedImage("B", 3), pushedImage("C", 2), pushedImage("D", 4, "v1")}, lifecycleOf(ruleOf("1", isUntagged+","+moreThanOne, expire)), []string{"B EXPIRE 1", "C EXPIRE 1"}},
		{"image count, archived", []namedImage{pushedImage("A", 1, "a"), pushedImage("B", 3), pushedImage("C", 2)}, lifecycleOf(ruleOf("1", isAny+","+moreThanOne, archive)), []string{"B TRANSITION 1", "C TRANSITION 1"}},
		{"several rules, prod first", staged, lifecycleOf(ruleOf("1", isProd+","+moreThanOne, expire), ruleOf("2", isBeta+","+moreThanOne, expire)), []string{"A EXPIRE 1"}},
		{"several rules, beta first", staged, lifecycleOf(ruleOf("1", isBeta+","+moreThanOne, expire), ruleOf("2", isProd+","+moreThanOne, expire)), []string{"A EXPIRE 1", "B EXPIRE 1"}},
		{"several rules, in another order", staged, lifecycleOf(ruleOf("20", isProd+","+moreThanOne, expire), ruleOf("3", isBeta+","+moreThanOne, expire)), []string{"A EXPIRE 3", "B EXPIRE 3"}},
		{"several tags in a rule, by age", greek, lifecycleOf(ruleOf("1", both+","+pushed, expire)), []string{"C EXPIRE 1"}},
		{"several tags in a rule, by count", greek, lifecycleOf(ruleOf("1", both+","+moreThanOne, expire)), []string{"C EXPIRE 1"}},
		{"all images, by count", mixed, lifecycleOf(ruleOf("1", isAny+","+moreThan5, expire)), []string{"A EXPIRE 1", "B EXPIRE 1"}},
		{"all images, after others", mixed, lifecycleOf(ruleOf("1", isAlpha+","+moreThanOne, expire), ruleOf("2", isUntagged+","+moreThanOne, expire), ruleOf("3", isAny+","+moreThanOne, expire)),
			[]string{"A EXPIRE 1", "B EXPIRE 3", "C EXPIRE 2", "D EXPIRE 1", "F EXPIRE 3"}},
		{"all images, by age, after others", mixed, lifecycleOf(ruleOf("1", isAlpha+`,"countType":"imageCountMoreThan","countNumber":9999`, expire), ruleOf("3", isAny+","+pushed, expire)),
			[]string{"B EXPIRE 3", "C EXPIRE 3", "E EXPIRE 3", "F EXPIRE 3"}},
		{"archived when not pulled", []namedImage{idle, used, pushedImage("C", 6, "never"), pushedImage("D", 5, "new")}, lifecycleOf(ruleOf("1", isAny+","+pulled, archive)), []string{"A TRANSITION 1", "C TRANSITION 1"}},
		{"archived, and expired after a year", []namedImage{idle, used, archivedImage("C", 366, "old"), archivedImage("D", 365, "younger")}, lifecycleOf(ruleOf("1", isAny+","+pulled, archive), ruleOf("2", isAny+","+year, expire)), []string{"C EXPIRE 2", "A TRANSITION 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantOutcomes(t, test.images, test.policy, test.want...)
		})
	}
}

// TestLifecycleSelection shows what the examples leave open.
func TestLifecycleSelection(t *testing.T) {
	t.Parallel()
	prefixes := func(list string) string { return `"tagStatus":"tagged","tagPrefixList":` + list }
	patterns := func(list string) string { return `"tagStatus":"tagged","tagPatternList":` + list }
	restored := pushedImage("A", 20)
	restored.ArchivedAt, restored.ActivatedAt, restored.PulledAt = daysAgo(10), daysAgo(2), daysAgo(15)
	activating := pushedImage("B", 20)
	activating.Status = "ACTIVATING"
	for _, test := range []struct {
		name   string
		images []namedImage
		policy string
		want   []string
	}{
		{"prefixes", []namedImage{pushedImage("A", 6, "v1.0"), pushedImage("B", 6, "xv1"), pushedImage("C", 7, "v1", "x")}, lifecycleOf(ruleOf("1", prefixes(`["v1."]`)+","+pushed, expire), ruleOf("2", prefixes(`["v1","x"]`)+","+pushed, expire)), []string{"C EXPIRE 2", "A EXPIRE 1"}},
		{"one tag for two entries", []namedImage{pushedImage("A", 6, "ab"), pushedImage("B", 6, "a", "c")}, lifecycleOf(ruleOf("1", prefixes(`["a","ab"]`)+","+pushed, expire)), []string{"A EXPIRE 1"}},
		{"a prefix is no pattern", []namedImage{pushedImage("A", 6, "v1"), pushedImage("B", 6, "v.1")}, lifecycleOf(ruleOf("1", prefixes(`["v*"]`)+","+pushed, expire), ruleOf("2", prefixes(`["v."]`)+","+pushed, expire)), []string{"B EXPIRE 2"}},
		{"a pattern is for the whole tag", []namedImage{pushedImage("A", 6, "v1"), pushedImage("B", 6, "v10"), pushedImage("C", 6, "V1"), pushedImage("D", 6, "x-v1")}, lifecycleOf(ruleOf("1", patterns(`["v1"]`)+","+pushed, expire)), []string{"A EXPIRE 1"}},
		{"wildcards", []namedImage{pushedImage("A", 6, "a-b-c"), pushedImage("B", 7, "abc"), pushedImage("C", 6, "a-c-b")}, lifecycleOf(ruleOf("1", patterns(`["a*b*c*"]`)+","+pushed, expire)), []string{"B EXPIRE 1", "A EXPIRE 1"}},
		{"more days than fit", []namedImage{pushedImage("A", 6)}, lifecycleOf(ruleOf("1", isAny+`,"countType":"sinceImagePushed","countUnit":"days","countNumber":9223372036854775807`, expire)), []string{}},
		{"nothing else", []namedImage{pushedImage("A", 6, "dev")}, lifecycleOf(ruleOf("1", isProd+","+pushed, expire)), []string{}},
		{"restored: by push", []namedImage{restored, activating}, lifecycleOf(ruleOf("1", isAny+","+pushed, expire)), []string{"A EXPIRE 1"}},
		{"restored: by pull", []namedImage{restored, activating}, lifecycleOf(ruleOf("1", isAny+","+pulled, archive)), []string{}},
		{"restored: by count", []namedImage{restored, pushedImage("B", 3), pushedImage("C", 1)}, lifecycleOf(ruleOf("1", isAny+`,"countType":"imageCountMoreThan","countNumber":2`, expire)), []string{"B EXPIRE 1"}},
		{"classes do not hide images of each other", []namedImage{pushedImage("A", 6), archivedImage("B", 91)}, lifecycleOf(ruleOf("1", isUntagged+","+inArchive, expire), ruleOf("2", isUntagged+","+pushed, archive)), []string{"B EXPIRE 1", "A TRANSITION 2"}},
		{"the archive does not count", []namedImage{pushedImage("A", 6), archivedImage("B", 10)}, lifecycleOf(ruleOf("1", isAny+","+moreThanOne, expire)), []string{}},
		{"parts of an index", []namedImage{pushedImage("A", 9), pushedImage("B", 8), indexImage("I", 7, "A", "B"), pushedImage("C", 6)}, lifecycleOf(ruleOf("1", isAny+`,"countType":"imageCountMoreThan","countNumber":2`, expire)), []string{}},
		{"an index without its parts", []namedImage{pushedImage("A", 9), pushedImage("B", 8), indexImage("I", 7, "A", "B")}, lifecycleOf(ruleOf("1", isAny+","+pushed, expire)), []string{"I EXPIRE 1"}},
		{"an index in the archive", []namedImage{pushedImage("A", 9), indexInArchive("I", "A")}, lifecycleOf(ruleOf("1", isUntagged+","+pushed, expire)), []string{}},
		{"parts follow an index into the archive", []namedImage{pushedImage("A", 9), indexInArchive("I", "A")}, lifecycleOf(ruleOf("1", isUntagged+","+pushed, archive)), []string{"A TRANSITION 1"}},
		{"parts stay with an index", []namedImage{pushedImage("A", 9), indexImage("I", 7, "A")}, lifecycleOf(ruleOf("1", isUntagged+","+pushed, archive)), []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantOutcomes(t, test.images, test.policy, test.want...)
		})
	}
}

func indexInArchive(name string, parts ...string) namedImage {
	img := indexImage(name, 20, parts...)
	img.Status, img.ArchivedAt = "ARCHIVED", daysAgo(1)
	return img
}

// TestLifecycleAgain shows that the parts of an index go after it, that referrers
// go with what they refer to, and that other repositories stay as they are.
func TestLifecycleAgain(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	b.Add(t, "group/two")
	client := b.ECR(awstest.Here)
	referrer := func(name, subject string, days float64) namedImage {
		img := pushedImage(name, days, name)
		img.Manifest, img.MediaType = referring(digestOf(subject), ""), ociManifest
		return img
	}
	names := make(map[string]string)
	for _, img := range []namedImage{pushedImage("part", 9), indexImage("index", 8, "part"), referrer("signature", "index", 1), referrer("of-signature", "signature", 2),
		pushedImage("old", 9, "old"), referrer("of-old", "old", 1), pushedImage("new", 1, "new"), referrer("of-new", "new", 1)} {
		for _, repository := range []string{"group/one", "group/two"} {
			awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, repository, img.Image))
		}
		names[img.Digest] = img.name
	}
	awstest.Must(t, putLifecycle(client, "group/one", lifecycleOf(ruleOf("1", `"tagStatus":"tagged","tagPatternList":["old"],`+pushed, archive), ruleOf("2", isAny+","+pushed, expire))))
	for _, want := range []map[string]string{
		{"part": "ACTIVE", "old": "ARCHIVED", "of-old": "ARCHIVED", "new": "ACTIVE", "of-new": "ACTIVE"},
		{"old": "ARCHIVED", "of-old": "ARCHIVED", "new": "ACTIVE", "of-new": "ACTIVE"},
	} {
		b.EvaluateLifecycles()
		if diff := cmp.Diff(want, statuses(t, client, names)); diff != "" {
			t.Errorf("evaluated (-want +got):\n%s", diff)
		}
	}
	out, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/two")})
	awstest.Must(t, err)
	if len(out.ImageDetails) != 8 {
		t.Errorf("the repository without a policy has %d images, want 8", len(out.ImageDetails))
	}
}
