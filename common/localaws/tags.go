package localaws

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// checkTags checks the tags of a request.
func checkTags(tags []tag) error {
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
		if !tagValuePattern.MatchString(t.Value) {
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
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalidTag("The tag key '" + key + "' begins with aws:, which is reserved for system use")
	case !tagKeyPattern.MatchString(key):
		return invalidTag("The tag key '" + key + "' has characters other than letters, digits, spaces and + - = . _ : / @")
	}
	return nil
}

func checkTagCount(n int) error {
	if n > maxTags {
		return fail("TooManyTagsException", "The maximum number of tags per repository, %d, is exceeded", maxTags)
	}
	return nil
}

func invalidTag(message string) error {
	return fail("InvalidTagParameterException", "%s", message)
}

// resource is the input of operations that name the repository by its ARN.
type resource struct {
	ARN string `json:"resourceArn"`
}

// parse returns account and name of the repository, empty where the ARN is not one of a repository.
func (r resource) parse() (account, name string) {
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

func (r resource) repository() string {
	_, name := r.parse()
	return name
}

func (r resource) owner(*call) string {
	account, _ := r.parse()
	return account
}

// check holds the ARN against the one that its account and name would give in the caller's region.
func (r resource) check(c *call) error {
	if r.ARN == "" {
		return invalidParameter("resourceArn", "must not be null")
	}
	account, name := r.parse()
	if !accountPattern.MatchString(account) || c.region.repositoryARN(account, name) != r.ARN {
		return invalidParameter("resourceArn", "Invalid ARN")
	}
	return checkName(name)
}

// nothing is the answer of operations that have none.
type nothing struct{}

type tagResourceInput struct {
	resource
	Tags []tag `json:"tags"`
}

func (in tagResourceInput) check(c *call) error {
	if err := in.resource.check(c); err != nil {
		return err
	}
	if in.Tags == nil {
		return invalidParameter("tags", "must not be null")
	}
	return checkTags(in.Tags)
}

// tagResource adds tags to those that are there.
func (s *Server) tagResource(c *call, in tagResourceInput) (any, error) {
	r, err := s.find(c, in.repository())
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(r.tags)
	maps.Copy(tags, tagMap(in.Tags))
	if err := checkTagCount(len(tags)); err != nil {
		return nil, err
	}
	r.tags = tags
	return nothing{}, nil
}

type untagResourceInput struct {
	resource
	Keys []string `json:"tagKeys"`
}

func (in untagResourceInput) check(c *call) error {
	if err := in.resource.check(c); err != nil {
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

// untagResource takes tags away; one that is not there is no error.
func (s *Server) untagResource(c *call, in untagResourceInput) (any, error) {
	r, err := s.find(c, in.repository())
	if err != nil {
		return nil, err
	}
	for _, key := range in.Keys {
		delete(r.tags, key)
	}
	return nothing{}, nil
}

type listTagsForResourceInput struct{ resource }

type listTagsForResourceOutput struct {
	Tags []tag `json:"tags"`
}

func (s *Server) listTagsForResource(c *call, in listTagsForResourceInput) (any, error) {
	r, err := s.find(c, in.repository())
	if err != nil {
		return nil, err
	}
	return listTagsForResourceOutput{tagList(r.tags)}, nil
}
