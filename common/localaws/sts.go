package localaws

import (
	"bytes"
	"compress/flate"
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:\/-]*$`)
	policyPattern      = regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`)
	tagKeyPattern      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	tagValuePattern    = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	roleARNPattern     = regexp.MustCompile(`^arn:([a-z-]+):iam::([0-9]{12}):role/([\w+=,.@/-]+)$`)
)

// violations gathers what is wrong with an input, as STS reports it: all at once.
type violations []string

func (v *violations) add(path, value, constraint string) {
	*v = append(*v, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

func (v *violations) text(path, value string, least, most int, pattern *regexp.Regexp) {
	length := utf8.RuneCountInString(value)
	switch {
	case value == "" && least > 0:
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
	case length < least:
		v.add(path, value, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case length > most:
		v.add(path, value, "Member must have length less than or equal to "+strconv.Itoa(most))
	case pattern != nil && !pattern.MatchString(value):
		v.add(path, value, "Member must satisfy regular expression pattern: "+strings.Trim(pattern.String(), "^$"))
	}
}

func (v *violations) number(path, value string, least, most int) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		v.add(path, value, "Member must be a whole number")
	case n < least:
		v.add(path, value, "Member must have value greater than or equal to "+strconv.Itoa(least))
	case n > most:
		v.add(path, value, "Member must have value less than or equal to "+strconv.Itoa(most))
	}
}

func (v violations) err() error {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return fail("ValidationError", "1 validation error detected: %s", v[0])
	}
	return fail("ValidationError", "%d validation errors detected: %s", len(v), strings.Join(v, "; "))
}

// maxPacked is how large policy and tags of a session may be when packed. AWS does not publish its
// packing: this is deflate, and a limit that what is legal otherwise seldom reaches.
const maxPacked = 2048

// packedSize returns the packed size in percent of what is allowed, nil where there is nothing to
// pack.
func (in assumeRoleInput) packedSize() (*int, error) {
	if in.policy == nil && len(in.tags) == 0 {
		return nil, nil
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if in.policy != nil {
		fmt.Fprintln(w, *in.policy)
	}
	for _, t := range in.tags {
		fmt.Fprintln(w, t.Key, t.Value)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	percent := (100*packed.Len() + maxPacked - 1) / maxPacked
	if percent > 100 {
		return nil, fail("PackedPolicyTooLarge",
			"Packed size of session policies and tags consumes %d%% of allotted space.", percent)
	}
	return &percent, nil
}

// noInput is the input of operations that have none.
type noInput struct{}

func decodeNothing([]byte) (noInput, error) { return noInput{}, nil }

func (noInput) check(*call) error  { return nil }
func (noInput) repository() string { return "" }

func needsNothing(*Server, *call, noInput) []permission { return nil }

// getCallerIdentityResult is the answer of GetCallerIdentity.
type getCallerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string   `xml:"Account"`
}

func (s *Server) getCallerIdentity(c *call, _ noInput) (any, error) {
	return getCallerIdentityResult{ARN: c.principal.arn, UserID: c.principal.userID, Account: c.principal.account}, nil
}
