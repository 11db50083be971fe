package ecr

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const (
	maxTags     = 50  // of a repository
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

// checkTags checks the tags of a request.
func checkTags(tags []service.Tag) error {
	seen := make(map[string]bool)
	for _, t := range tags {
		if err := checkTagKey(t.Key); err != nil {
			return err
		}
		if seen[t.Key] {
			return invalidTag("Duplicate tag key '" + t.Key + "' found")
		}
		seen[t.Key] = true
		if utf8.RuneCountInString(t.Value) > maxTagValue {
			return invalidTag("The value of the tag '" + t.Key + "' is longer than " + strconv.Itoa(maxTagValue) + " characters")
		}
		if isReserved(t.Value) {
			return invalidTag("The value of the tag '" + t.Key + "' begins with aws:, which is reserved for system use")
		}
		if !service.TagValuePattern.MatchString(t.Value) {
			return invalidTag("The value of the tag '" + t.Key + "' has characters other than letters, digits, spaces and + - = . _ : / @")
		}
	}
	return checkTagCount(len(tags))
}

func checkTagKey(key string) error {
	switch length := utf8.RuneCountInString(key); {
	case length == 0:
		return invalidTag("A tag key must not be empty")
	case length > maxTagKey:
		return invalidTag("The tag key '" + key + "' is longer than " + strconv.Itoa(maxTagKey) + " characters")
	case isReserved(key):
		return invalidTag("The tag key '" + key + "' begins with aws:, which is reserved for system use")
	case !service.TagKeyPattern.MatchString(key):
		return invalidTag("The tag key '" + key + "' has characters other than letters, digits, spaces and + - = . _ : / @")
	}
	return nil
}

// isReserved tells whether AWS keeps a tag with that key or value for itself.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html
func isReserved(text string) bool {
	return strings.HasPrefix(strings.ToLower(text), "aws:")
}

func checkTagCount(n int) error {
	if n > maxTags {
		return service.Errorf("TooManyTagsException", "The maximum number of tags per repository, %d, is exceeded", maxTags)
	}
	return nil
}

func invalidTag(message string) error {
	return service.Errorf("InvalidTagParameterException", "%s", message)
}

// resourceARN is the input that names a repository by its ARN.
type resourceARN struct {
	ARN string `json:"resourceArn"`
}

// parse returns the account and the name of the repository. They are empty if
// the ARN is not that of a repository.
func (r resourceARN) parse() (account, name string) {
	parts := strings.SplitN(r.ARN, ":", 6)
	if len(parts) != 6 {
		return "", ""
	}
	name, ok := strings.CutPrefix(parts[5], "repository/")
	if !ok {
		return "", ""
	}
	return parts[4], name
}

func (r resourceARN) repository() string {
	_, name := r.parse()
	return name
}

func (r resourceARN) owner(*service.Request) string {
	account, _ := r.parse()
	return account
}

// Check compares the ARN with that of a repository of this account and name in
// the caller's region.
func (r resourceARN) Check(c *service.Request) error {
	if r.ARN == "" {
		return invalidParameter("resourceArn", "must not be null")
	}
	account, name := r.parse()
	want := repositoryARN(service.Place{Account: account, Region: c.Place().Region}, name)
	if !registryPattern.MatchString(account) || want != r.ARN {
		return invalidParameter("resourceArn", "Invalid ARN")
	}
	return checkName(name)
}

// empty is the answer of operations whose answer has no members.
type empty struct{}

type tagResourceInput struct {
	resourceARN
	Tags []service.Tag `json:"tags"`
}

func (in tagResourceInput) Check(c *service.Request) error {
	if err := in.resourceARN.Check(c); err != nil {
		return err
	}
	if in.Tags == nil {
		return invalidParameter("tags", "must not be null")
	}
	return checkTags(in.Tags)
}

// tagResource adds tags to those of the repository.
func (s *Store) tagResource(c *service.Request, in tagResourceInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(r.tags)
	maps.Copy(tags, service.TagMap(in.Tags))
	if err := checkTagCount(len(tags)); err != nil {
		return nil, err
	}
	r.tags = tags
	return empty{}, nil
}

type untagResourceInput struct {
	resourceARN
	Keys []string `json:"tagKeys"`
}

func (in untagResourceInput) Check(c *service.Request) error {
	if err := in.resourceARN.Check(c); err != nil {
		return err
	}
	if in.Keys == nil {
		return invalidParameter("tagKeys", "must not be null")
	}
	for _, key := range in.Keys {
		if err := checkTagKey(key); err != nil {
			return err
		}
	}
	return nil
}

// untagResource removes tags. A tag that the repository does not have is no
// error.
func (s *Store) untagResource(c *service.Request, in untagResourceInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	for _, key := range in.Keys {
		delete(r.tags, key)
	}
	return empty{}, nil
}

type listTagsForResourceInput struct{ resourceARN }

type listTagsForResourceOutput struct {
	Tags []service.Tag `json:"tags"`
}

func (s *Store) listTagsForResource(c *service.Request, in listTagsForResourceInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	return listTagsForResourceOutput{service.TagList(r.tags)}, nil
}
