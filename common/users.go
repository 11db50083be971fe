package common

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Users says what IAM users need that the service makes for machines outside
// AWS.
type Users struct {
	Boundary    string // name or ARN of the managed policy that bounds them; empty: there are no users
	FormerGroup string // name of the IAM group of the earlier service's users; may be empty
}

// maxIAMName is how long the name of a policy or a group may be, with its path,
// or its ARN. No ARN gets longer than 256 characters then. Session policies have
// it, and they may not be long.
const maxIAMName = 216

var (
	// The rules of IAM for a PolicyName and a GroupName, here with an optional
	// path.
	policyName = regexp.MustCompile(`^([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$`)
	// A policy of AWS's own has "aws" in place of the account. It would bound
	// nothing.
	policyARN = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):policy/([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$`)
)

// BoundaryIn returns the ARN of the boundary of users in an account, and whether
// there may be users. An ARN in the configuration is that of one account.
func (u Users) BoundaryIn(partition, account string) (arn string, on bool) {
	switch onlyPartition, onlyAccount := u.BoundaryPlace(); {
	case u.Boundary == "":
		return "", false
	case onlyAccount == "":
		return iamARN(partition, account, "policy/"+u.Boundary), true
	case onlyPartition != partition || onlyAccount != account:
		return "", false
	default:
		return u.Boundary, true
	}
}

// BoundaryPlace returns the only partition and account that have the boundary.
// They are empty unless the configuration has its ARN.
func (u Users) BoundaryPlace() (partition, account string) {
	match := policyARN.FindStringSubmatch(u.Boundary)
	if match == nil {
		return "", ""
	}
	return match[1], match[2]
}

// FormerGroupIn returns the ARN of the group of the earlier service's users in
// an account. It is empty if there is none.
func (u Users) FormerGroupIn(partition, account string) (arn string) {
	if u.FormerGroup == "" {
		return ""
	}
	return iamARN(partition, account, "group/"+u.FormerGroup)
}

// Fit tells whether there can be users of that org. It is in their paths in IAM,
// so it is no path itself.
func (u Users) Fit(org string) bool { return u.Boundary == "" || !strings.ContainsAny(org, " /") }

func iamARN(partition, account, resource string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s", partition, account, resource)
}

// decode returns the keys that it cannot decode. The document is nil if it is
// absent.
func (u *Users) decode(document json.RawMessage) badKeys {
	if document == nil {
		return nil
	}
	bad, err := decodeObject("users.", document, map[string]any{
		"boundary":    &u.Boundary,
		"formerGroup": &u.FormerGroup,
	})
	if err != nil {
		return badKeys{{key: "users", reason: "must be an object"}}
	}
	return bad
}

func (c *Config) checkUsers(check *checker) {
	u := c.Users
	if strings.HasPrefix(u.Boundary, "arn:") {
		check.require("users.boundary", policyARN.MatchString(u.Boundary),
			`is not the ARN of a policy of your own, like "arn:aws:iam::012345678901:policy/ecr-api-users"`)
	} else {
		check.require("users.boundary", u.Boundary == "" || policyName.MatchString(u.Boundary),
			"is not a policy name (letters, digits and + = , . @ _ - /), with its path but without a / before it")
	}
	check.require("users.formerGroup", u.FormerGroup == "" || policyName.MatchString(u.FormerGroup),
		"is not a group name (letters, digits and + = , . @ _ - /), with its path but without a / before it")
	check.require("users.formerGroup", u.FormerGroup == "" || u.Boundary != "" || check.undecoded.has("users.boundary"),
		"goes with users.boundary, without which there are no users")
	check.require("users.boundary", len(u.Boundary) <= maxIAMName, fmt.Sprintf("is over %d characters", maxIAMName))
	check.require("users.formerGroup", len(u.FormerGroup) <= maxIAMName, fmt.Sprintf("is over %d characters", maxIAMName))
	check.require("org", u.Fit(c.Org), "has a space or a /, which cannot be with users.boundary: it is in the paths of users")
}
