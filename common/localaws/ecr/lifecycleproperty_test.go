//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// The elements of a policy, as the test writes it.
type (
	drawnRule struct {
		Priority  int            `json:"rulePriority"`
		Selection drawnSelection `json:"selection"`
		Action    drawnAction    `json:"action"`
	}
	drawnSelection struct {
		TagStatus string   `json:"tagStatus"`
		Patterns  []string `json:"tagPatternList,omitempty"`
		Prefixes  []string `json:"tagPrefixList,omitempty"`
		Class     string   `json:"storageClass,omitempty"`
		Type      string   `json:"countType"`
		Unit      string   `json:"countUnit,omitempty"`
		Number    int      `json:"countNumber"`
	}
	drawnAction struct {
		Type   string `json:"type"`
		Target string `json:"targetStorageClass,omitempty"`
	}
)

// drawRule draws a rule of a storage class.
func drawRule(t *rapid.T, tagStatus, class string) drawnRule {
	rule := drawnRule{Selection: drawnSelection{TagStatus: tagStatus}}
	s := &rule.Selection
	if tagStatus == "tagged" {
		entries := func(of ...string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 1, 2, rapid.ID).Draw(t, "entries")
		}
		if rapid.Bool().Draw(t, "patterns") {
			s.Patterns = entries("*", "a*", "*1", "b*2", "*-*", "a-1", "**b*")
		} else {
			s.Prefixes = entries("a", "b", "b-", "a-1", "c", "*")
		}
	}
	if class == "archive" {
		s.Class, s.Type, s.Unit, s.Number = class, "sinceImageTransitioned", "days", rapid.IntRange(90, 92).Draw(t, "days")
		rule.Action.Type = "expire"
		return rule
	}
	s.Type = rapid.SampledFrom([]string{"imageCountMoreThan", "sinceImagePushed", "sinceImagePulled"}).Draw(t, "type")
	s.Number = rapid.IntRange(1, 4).Draw(t, "number")
	if s.Type != "imageCountMoreThan" {
		s.Unit = "days"
	}
	rule.Action = drawnAction{"transition", "archive"}
	if s.Type != "sinceImagePulled" && rapid.Bool().Draw(t, "expire") {
		rule.Action = drawnAction{Type: "expire"}
	}
	return rule
}

// drawRules draws the rules of a policy that ECR accepts, by rising priority.
func drawRules(t *rapid.T) []drawnRule {
	var rules []drawnRule
	taken := make(map[string]bool)
	for n := rapid.IntRange(1, 6).Draw(t, "rules"); n > 0 || len(rules) == 0; n-- {
		class := rapid.SampledFrom([]string{"standard", "standard", "archive"}).Draw(t, "class")
		status := rapid.SampledFrom([]string{"tagged", "tagged", "untagged", "any"}).Draw(t, "status")
		rule := drawRule(t, status, class)
		slices.Sort(rule.Selection.Patterns)
		slices.Sort(rule.Selection.Prefixes)
		key := fmt.Sprint(class, status, rule.Selection.Patterns, "/", rule.Selection.Prefixes)
		if taken[key] || taken[class+"any[]/[]"] {
			continue
		}
		taken[key] = true
		rule.Priority = 10*len(rules) + rapid.IntRange(1, 10).Draw(t, "priority")
		rules = append(rules, rule)
	}
	return rules
}

// drawnImage is an image and what it names.
type drawnImage struct {
	namedImage
	parts []string
}

// drawImages draws images. An index can name any image, also itself.
func drawImages(t *rapid.T) []drawnImage {
	tags := rapid.Permutation([]string{"a", "a-1", "a-2", "b", "b-1", "b-2", "ab-1", "x"}).Draw(t, "tags")
	ago := func(of string) time.Time {
		halves := rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(179, 185)).Draw(t, of)
		return daysAgo(float64(halves) / 2)
	}
	var images []drawnImage
	for n := range rapid.IntRange(0, 9).Draw(t, "images") {
		name := string(rune('A' + n))
		img := drawnImage{namedImage: pushedImage(name, 0)}
		if rapid.IntRange(0, 4).Draw(t, "index") == 0 {
			img.parts = rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C", "D", "E"}), 1, 2).Draw(t, "parts")
			img.namedImage = indexImage(name, 0, img.parts...)
		}
		count := min(rapid.IntRange(0, 3).Draw(t, "count"), len(tags))
		img.Tags, tags = tags[:count], tags[count:]
		img.PushedAt = ago("pushed")
		if rapid.Bool().Draw(t, "pulled") {
			img.PulledAt = ago("pulled at")
		}
		img.Status = rapid.SampledFrom([]string{"ACTIVE", "ACTIVE", "ARCHIVED", "ACTIVATING"}).Draw(t, "status")
		if img.Status == "ARCHIVED" || rapid.IntRange(0, 3).Draw(t, "restored") == 0 {
			img.ArchivedAt, img.ActivatedAt = ago("archived"), ago("activated")
		}
		images = append(images, img)
	}
	return images
}

// globs reports whether a text fits a pattern.
func globs(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return globs(pattern[1:], text) || text != "" && globs(pattern, text[1:])
	}
	return text != "" && text[0] == pattern[0] && globs(pattern[1:], text[1:])
}

// meets reports whether the image has the tags and the class of the rule.
func (s drawnSelection) meets(img drawnImage) bool {
	if s.Class == "archive" && img.Status != "ARCHIVED" || s.Class == "" && img.Status != "ACTIVE" {
		return false
	}
	if s.TagStatus == "untagged" && len(img.Tags) > 0 {
		return false
	}
	for _, pattern := range s.Patterns {
		if !slices.ContainsFunc(img.Tags, func(tag string) bool { return globs(pattern, tag) }) {
			return false
		}
	}
	for _, prefix := range s.Prefixes {
		if !slices.ContainsFunc(img.Tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) }) {
			return false
		}
	}
	return true
}

// age is the time by which images are ordered, and then their digests.
func (img drawnImage) age() string {
	at := img.PushedAt
	if !img.ActivatedAt.IsZero() {
		at = img.ActivatedAt
	}
	if img.Status == "ARCHIVED" {
		at = img.ArchivedAt
	}
	return at.Format(time.RFC3339) + img.Digest
}

// selects reports whether the rule takes the image, which meets it.
func (s drawnSelection) selects(img drawnImage, all []drawnImage) bool {
	var begin time.Time
	switch s.Type {
	case "imageCountMoreThan":
		younger := 0
		for _, other := range all {
			if s.meets(other) && other.age() > img.age() {
				younger++
			}
		}
		return younger >= s.Number
	case "sinceImagePushed":
		begin = img.PushedAt
	case "sinceImageTransitioned":
		begin = img.ArchivedAt
	case "sinceImagePulled":
		begin = img.PushedAt
		if !img.PulledAt.IsZero() {
			begin = img.PulledAt
		}
		if img.ActivatedAt.After(begin) {
			begin = img.ActivatedAt
		}
	}
	return begin.AddDate(0, 0, s.Number).Before(awstest.Noon)
}

// expected says what happens to one image: the first rule that it meets decides.
// It says nothing if the image stays.
func expected(rules []drawnRule, img drawnImage, all []drawnImage) string {
	for _, rule := range rules {
		if !rule.Selection.meets(img) {
			continue
		}
		expires := rule.Action.Type == "expire"
		for _, index := range all {
			if slices.Contains(index.parts, img.name) && (expires || index.Status == "ACTIVE") {
				return ""
			}
		}
		if !rule.Selection.selects(img, all) {
			return ""
		}
		return outcome(img.name, strings.ToUpper(rule.Action.Type), rule.Priority)
	}
	return ""
}

// TestLifecyclePolicies compares previews of any policies of any images with what
// the test expects of each image.
func TestLifecyclePolicies(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	repositories := 0
	rapid.Check(t, func(r *rapid.T) {
		repositories++
		repository := fmt.Sprintf("group/r%d", repositories)
		b.Add(t, repository)
		images, rules := drawImages(r), drawRules(r)
		names := make(map[string]string)
		for _, img := range images {
			names[img.Digest] = img.name
			if err := b.AddImage(localaws.AdministratorAccount, awstest.Here, repository, img.Image); err != nil {
				r.Fatal(err)
			}
		}
		want := []string{}
		for _, img := range slices.SortedFunc(slices.Values(images), func(a, b drawnImage) int { return strings.Compare(a.age(), b.age()) }) {
			if what := expected(rules, img, images); what != "" {
				want = append(want, what)
			}
		}
		text, err := json.Marshal(map[string]any{"rules": rapid.Permutation(rules).Draw(r, "order")})
		awstest.Must(t, err)
		if diff := cmp.Diff(want, outcomes(t, client, repository, string(text), names)); diff != "" {
			r.Fatalf("%s\n(-want +got):\n%s", text, diff)
		}
	})
}
