package policy

import (
	"fmt"
	"strings"
)

// key is a condition key.
type key struct {
	name string // in lower case
	// multivalued says that a request can have several values for the key. Its
	// conditions need ForAnyValue or ForAllValues.
	multivalued bool
}

// keys are the condition keys that a Request can have. Any other key in a
// policy is an error. It would be absent from every request, and negated
// conditions hold for an absent key.
var keys = map[string]key{}

func init() {
	for _, name := range []string{
		"aws:PrincipalAccount",
		"aws:PrincipalArn",
		"aws:PrincipalType",
		"aws:RequestedRegion",
		"aws:ResourceAccount",
		"aws:userid",
		"kms:CallerAccount",
		"kms:GrantIsForAWSResource",
		"kms:ViaService",
		"sts:ExternalId",
		"sts:RoleSessionName",
	} {
		name = strings.ToLower(name)
		keys[name] = key{name: name}
	}
	for _, name := range []string{
		"aws:TagKeys",
		"sts:TransitiveTagKeys",
	} {
		name = strings.ToLower(name)
		keys[name] = key{name: name, multivalued: true}
	}
}

// tagKeys are how a condition key begins that ends in the key of a tag.
var tagKeys = []string{
	"aws:principaltag/",
	"aws:requesttag/",
	"aws:resourcetag/",
	"ecr:resourcetag/",
}

func parseKey(text string) (key, error) {
	name := strings.ToLower(text)
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
