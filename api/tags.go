package api

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// ECR's limits on tags. What ECR would refuse is refused before anything is
// changed.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html
const (
	maxTags     = 50  // of a repository, without AWS's own
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters

	maxTagInputs = 100 // in a body: maxTags, those that the service sets, and more that checks can name
)

// A tagInput is a tag in a body. An absent Value is not the same as an empty
// one.
type tagInput struct {
	Key   string
	Value *string
}

// tagInputs are the tags in a body. A body full of empty tags would take many
// times its size, so the list is not read beyond maxTagInputs.
type tagInputs []tagInput

// UnmarshalJSONFrom appends the tags one by one.
func (t *tagInputs) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' { // null, or a mistake
		return json.UnmarshalDecode(d, (*[]tagInput)(t))
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if len(*t) == maxTagInputs {
			return common.Errorf(common.BadRequest, "Tags has over %d tags, and may have %d.", maxTagInputs, maxTags)
		}
		var tag tagInput
		if err := json.UnmarshalDecode(d, &tag); err != nil {
			return err
		}
		*t = append(*t, tag.withoutUnused())
	}
	_, err := d.ReadToken()
	return err
}

// withoutUnused returns the tag without a value that the service ignores. It may
// be long.
func (t tagInput) withoutUnused() tagInput {
	if t.Value != nil && repositoryTags.isReserved(t.Key) {
		t.Value = new(string)
	}
	return t
}

// tagRules are the rules for the tags of one kind of thing, beside those for all
// tags.
type tagRules struct {
	reserved []string // keys of tags that the service sets, whatever a request says
	fenced   []string // those of them on which rights depend
	anyCase  bool     // AWS takes keys that differ only in case for the same
}

var (
	repositoryTags = tagRules{
		reserved: []string{nameTag, common.OrgTag, spaceTag},
		fenced:   []string{common.OrgTag, spaceTag},
	}
	// A boundary has the tags of a user in its resources. So no second tag may be
	// taken for one of them.
	userTags = tagRules{
		reserved: []string{nameTag, common.OrgTag, spaceTag, resourceTag},
		fenced:   []string{nameTag, common.OrgTag, spaceTag, resourceTag},
		anyCase:  true,
	}
)

// check checks all that the request alone shows.
func (r tagRules) check(tags []tagInput) error {
	seen := map[string]bool{}
	for i, t := range tags {
		switch {
		case t.Key == "":
			return common.Errorf(common.BadRequest, "Tags[%d] has no Key.", i)
		case t.Value == nil:
			return common.Errorf(common.BadRequest, "Tags[%d] has no Value. An empty one is \"\".", i)
		case seen[r.name(t.Key)]:
			return common.Errorf(common.BadRequest, "Tags has the key %.100q twice.", t.Key)
		case r.isDisguised(t.Key):
			return common.Errorf(common.BadRequest, "The tag key %.100q is too like one that the service sets.", t.Key)
		}
		seen[r.name(t.Key)] = true
		if r.isReserved(t.Key) { // its value is not used
			continue
		}
		if err := firstError(
			checkTagText(fmt.Sprintf("The key of Tags[%d]", i), t.Key, maxTagKey),
			checkTagText(fmt.Sprintf("The value of Tags[%d]", i), *t.Value, maxTagValue),
		); err != nil {
			return err
		}
	}
	return nil
}

// name returns what makes two keys the same.
func (r tagRules) name(key string) string {
	if r.anyCase {
		return strings.ToLower(key)
	}
	return key
}

// checkTagText checks a key or a value. The text in what begins the error.
func checkTagText(what, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return common.Errorf(common.BadRequest, "%s has %d characters, and may have %d.", what, n, most)
	}
	if hasAWSPrefix(text) {
		return common.Errorf(common.BadRequest, "%s begins with aws:, which AWS keeps for itself.", what)
	}
	for _, c := range text {
		if !unicode.In(c, unicode.L, unicode.N, unicode.Z) && !strings.ContainsRune("+-=._:/@", c) {
			return common.Errorf(common.BadRequest, "%s has the character %q. Letters, digits, spaces and + - = . _ : / @ are allowed.", what, c)
		}
	}
	return nil
}

// hasAWSPrefix tells whether the text begins with what AWS keeps for itself, in
// any case.
func hasAWSPrefix(text string) bool {
	const prefix = "aws:"
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// checkTagCount checks all tags that something would have, such as "repository".
func checkTagCount(something string, tags []common.Tag) error {
	n := 0
	for _, t := range tags {
		if !hasAWSPrefix(t.Key) {
			n++
		}
	}
	if n > maxTags {
		return tooManyTags(something, n)
	}
	return nil
}

func tooManyTags(something string, n int) error {
	return common.Errorf(common.BadRequest, "The %s would have %d tags, those of the service included. It may have %d.", something, n, maxTags)
}

// reservedTags are the tags that the service sets on every repository.
func reservedTags(t target) []common.Tag {
	return []common.Tag{
		{Key: nameTag, Value: t.repository()},
		{Key: common.OrgTag, Value: t.Org},
		{Key: spaceTag, Value: t.Group},
	}
}

func (r tagRules) isReserved(key string) bool { return slices.Contains(r.reserved, key) }

// own returns the tags that are the caller's own, without those that only the
// service sets. The tags must be checked already.
func (r tagRules) own(tags []tagInput) []common.Tag {
	var kept []common.Tag
	for _, t := range tags {
		if !r.isReserved(t.Key) {
			kept = append(kept, common.Tag{Key: t.Key, Value: *t.Value})
		}
	}
	return kept
}

// isDisguised tells whether IAM could take a key for one on which rights depend,
// such as the one that says to whom a repository belongs. IAM's conditions ignore
// the case of tag keys. AWS does not say how, so a key is refused if it is equal by
// any of Unicode's ways.
func (r tagRules) isDisguised(key string) bool {
	if slices.Contains(r.fenced, key) {
		return false
	}
	folded := fold(key)
	return slices.ContainsFunc(r.fenced, func(fenced string) bool { return folded == fold(fenced) })
}

// fold returns a key in lower case, in plain letters (o for ö, ₒ and ｏ), and
// without spaces around it. It goes by way of upper case, because that is I for
// both i and ı.
func fold(key string) string {
	var folded strings.Builder
	for _, c := range norm.NFKD.String(key) {
		if !unicode.Is(unicode.M, c) {
			folded.WriteRune(unicode.ToLower(unicode.ToUpper(c)))
		}
	}
	return strings.TrimSpace(folded.String())
}
