package policy

import (
	"fmt"
	"strings"
)

// key is a condition key.
type key struct {
	name string // in lower case
	many bool   // holds several values by its nature: needs ForAnyValue or ForAllValues
}

// keys are the condition keys that requests are decided with. One that is missing here would be
// taken for absent in every request, which lets negated conditions pass: so it is an error.
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
		keys[name] = key{name: name, many: true}
	}
}

// tagKeys are the keys that end in the key of a tag.
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
