package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// key is a condition key.
type key struct {
	name string // as caseless returns it
	// multivalued says that a request can have several values for the key. Its
	// conditions need ForAnyValue or ForAllValues.
	multivalued bool
}

// keys are the condition keys that a Request can have. Any other key in a
// policy is an error. Otherwise a negated condition on a misspelt key would
// hold for every request, because the key is absent.
var keys = map[string]key{}

func init() {
	for _, name := range []string{
		"aws:PrincipalAccount",
		"aws:PrincipalArn",
		"aws:PrincipalType",
		"aws:RequestedRegion",
		"aws:ResourceAccount",
		"aws:SourceArn", // absent here: only calls of AWS's own services have it
		"aws:SourceIdentity",
		"aws:TokenIssueTime",
		"aws:userid",
		"aws:username",            // absent for the session of a role
		"iam:PermissionsBoundary", // absent for a user that has none
		"kms:CallerAccount",
		"kms:GrantIsForAWSResource",
		"kms:ViaService",
		"sts:ExternalId",
		"sts:RoleSessionName",
		"sts:SourceIdentity",
	} {
		name = caseless(name)
		keys[name] = key{name: name}
	}
	for _, name := range []string{
		"aws:TagKeys",
		"sts:TransitiveTagKeys",
	} {
		name = caseless(name)
		keys[name] = key{name: name, multivalued: true}
	}
}

// tagKeys are the prefixes of condition keys that end in the key of a tag.
var tagKeys = []string{
	"aws:principaltag/",
	"aws:requesttag/",
	"aws:resourcetag/",
	"ecr:resourcetag/",
	"iam:resourcetag/",
}

// caseless returns a name in a form that is the same for all names that differ
// only in case. Upper case comes first: it is I for both i and the dotless ı,
// and S for both s and the long ſ.
func caseless(name string) string {
	if !strings.ContainsFunc(name, func(c rune) bool { return c >= utf8.RuneSelf || unicode.IsUpper(c) }) {
		return name
	}
	return strings.ToLower(strings.ToUpper(name))
}

func parseKey(text string) (key, error) {
	name := caseless(text)
	if k, ok := keys[name]; ok {
		return k, nil
	}
	for _, prefix := range tagKeys {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return key{name: name}, nil
		}
	}
	return key{}, fmt.Errorf("condition key %q is not known here", text)
}
