package localaws_test

import (
	"slices"
	"strings"
)

// This evaluator decides who may pull, by the words of AWS's documentation and
// without the code of package policy. It knows documents by what they were made
// from, and reads no JSON.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

// person is who pulls: a session of a role, a user, or the administrator.
type person struct {
	account, role, session string            // role and session are "" for a user
	user                   string            // name; "" for a session
	tags                   map[string]string // of the user, or of the role and its session, by keys in lower case
	identity               rights            // of the role or the user
	boundary               *rights           // nil if there is none, as for a role here
	limit                  *rights           // of the session policy, nil if there is none
}

const (
	administrator = "administrator"
	userPath      = "/spinup/ours/"
)

func (p person) isAdministrator() bool { return p.user == administrator }

func (p person) roleARN() string { return "arn:aws:iam::" + p.account + ":role/" + p.role }

func (p person) arn() string {
	switch p.user {
	case "":
		return "arn:aws:sts::" + p.account + ":assumed-role/" + p.role + "/" + p.session
	case administrator:
		return "arn:aws:iam::" + p.account + ":user/administrator"
	}
	return "arn:aws:iam::" + p.account + ":user" + userPath + p.user
}

// value returns a condition key of the person, and whether it is there.
func (p person) value(key string) (value string, there bool) {
	key = strings.ToLower(key)
	if tag, isTag := strings.CutPrefix(key, "aws:principaltag/"); isTag {
		value, there = p.tags[tag]
		return value, there
	}
	switch key {
	case "aws:principalaccount":
		return p.account, true
	case "aws:principalarn":
		if p.user != "" {
			return p.arn(), true
		}
		return p.roleARN(), true
	case "aws:principaltype":
		if p.user != "" {
			return "User", true
		}
		return "AssumedRole", true
	case "aws:username":
		return p.user, p.user != ""
	case "aws:tokenissuetime":
		return "some time", p.user == ""
	}
	panic("the tests use no key " + key)
}

// rights is a policy of a role or of a user, the boundary of a user, or the
// policy of a session.
type rights struct {
	allows  []string // actions
	on      string   // "" is every repository
	ifOrg   string   // of the person's tag; "" is any
	denies  []string
	butTeam string // the Deny is not for persons with this tag; "" is for all
	only    string // every action on another repository than this one is denied; "" is none
}

// itsOwn is the repository that the person's tag names.
const itsOwn = "${aws:PrincipalTag/ResourceName}"

func (r rights) allowsTo(p person, action, repository string) bool {
	org, tagged := p.value(orgKey)
	return covers(r.allows, action) && (r.on == "" || isOn(r.on, p, repository)) && (r.ifOrg == "" || tagged && org == r.ifOrg)
}

func (r rights) deniesTo(p person, action, repository string) bool {
	if r.only != "" && !isOn(r.only, p, repository) {
		return true
	}
	team, tagged := p.value(groupKey)
	return covers(r.denies, action) && (r.butTeam == "" || !tagged || team != r.butTeam)
}

// isOn tells whether a text in a policy means the repository.
func isOn(text string, p person, repository string) bool {
	if text == itsOwn {
		own, tagged := p.value("aws:PrincipalTag/ResourceName")
		return tagged && own == repository
	}
	return text == repository
}

func covers(actions []string, action string) bool {
	return slices.Contains(actions, action) || slices.Contains(actions, "ecr:*")
}

// rule is a statement in the policy of a repository.
type rule struct {
	deny       bool
	everybody  bool
	named      []string // ids and ARNs, as in Principal
	butNot     []string // as in NotPrincipal, of a Deny
	actions    []string
	conditions []demand
}

// demand is one condition.
type demand struct {
	operator, key string
	values        []string
}

// The ways in which a statement names a person.
const (
	asItself    = "itself" // its own ARN, or everybody
	asItsRole   = "its role"
	asAccount   = "its account"
	notAtAll    = "not at all"
	sameAccount = "same account"
	another     = "another account"
)

// names says how the rule names a person.
func (r rule) names(p person) string {
	switch {
	case r.everybody, slices.Contains(r.named, p.arn()):
		return asItself
	case p.user == "" && slices.Contains(r.named, p.roleARN()):
		return asItsRole
	case slices.Contains(r.named, p.account), slices.Contains(r.named, "arn:aws:iam::"+p.account+":root"):
		return asAccount
	}
	return notAtAll
}

// excepts tells whether NotPrincipal names a person. It has to name the account
// and the role of a session as well.
func (r rule) excepts(p person) bool {
	account := slices.Contains(r.butNot, p.account) || slices.Contains(r.butNot, "arn:aws:iam::"+p.account+":root")
	role := p.user != "" || slices.Contains(r.butNot, p.roleARN())
	return account && role && slices.Contains(r.butNot, p.arn())
}

// isFor tells whether the rule is about the action of a person.
func (r rule) isFor(p person, action string) bool {
	if !covers(r.actions, action) {
		return false
	}
	if r.butNot != nil && r.excepts(p) || r.butNot == nil && r.names(p) == notAtAll {
		return false
	}
	return !slices.ContainsFunc(r.conditions, func(d demand) bool { return !d.isMetBy(p) })
}

// isMetBy tells whether a condition holds. A key that is not there fails, except
// where the operator is negated or ends in IfExists.
func (d demand) isMetBy(p person) bool {
	value, there := p.value(d.key)
	like := func(want string) bool {
		start, any := strings.CutSuffix(want, "*")
		return value == want || any && strings.HasPrefix(value, start)
	}
	switch d.operator {
	case "StringEquals":
		return there && slices.Contains(d.values, value)
	case "StringEqualsIfExists":
		return !there || slices.Contains(d.values, value)
	case "StringNotEquals":
		return !there || !slices.Contains(d.values, value)
	case "StringLike":
		return there && slices.ContainsFunc(d.values, like)
	case "StringNotLike":
		return !there || !slices.ContainsFunc(d.values, like)
	case "Null":
		return there == (d.values[0] == "false")
	}
	panic("the tests use no operator " + d.operator)
}

// allowed has what an action needs if nothing denies it: in which account, how
// the repository's policy names the person, and which of the person's own
// policies allow: its permissions, and the boundary or the session policy. "" is
// anything.
var allowed = []struct{ account, named, identity, boundary, limit string }{
	{sameAccount, asItself, "", "", ""},
	{sameAccount, asItsRole, "", "allows", "allows"},
	{sameAccount, "", "allows", "allows", "allows"},
	{another, asItself, "allows", "allows", "allows"},
	{another, asItsRole, "allows", "allows", "allows"},
	{another, asAccount, "allows", "allows", "allows"},
}

// says tells whether a policy allows an action, "allows" or "", and whether it
// denies it. One that is not there allows it.
func (r *rights) says(p person, action, repository string) (allows string, denies bool) {
	if r == nil {
		return "allows", false
	}
	if r.allowsTo(p, action, repository) {
		allows = "allows"
	}
	return allows, r.deniesTo(p, action, repository)
}

// mayDo tells whether a person may do an action on a repository of an account.
func mayDo(p person, action, owner, repository string, rules []rule) bool {
	account := another
	if p.account == owner {
		account = sameAccount
	}
	identity, no := p.identity.says(p, action, repository)
	boundary, never := p.boundary.says(p, action, repository)
	limit, not := p.limit.says(p, action, repository)
	if no || never || not {
		return false
	}
	if p.isAdministrator() {
		identity = "allows"
	}
	named := []string{""}
	for _, r := range rules {
		if !r.isFor(p, action) {
			continue
		}
		if r.deny {
			return false
		}
		named = append(named, r.names(p))
	}
	for _, row := range allowed {
		if row.account == account && slices.Contains(named, row.named) &&
			(row.identity == "" || identity == row.identity) &&
			(row.boundary == "" || boundary == row.boundary) &&
			(row.limit == "" || limit == row.limit) {
			return true
		}
	}
	return false
}
