package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// The Sids of the statements that share a repository.
const (
	groupsSid   = "EcrApiPullByGroups"
	accountsSid = "EcrApiPullByAccounts"
	earlierSid  = "AllowPullImagesFromSpaceAndOrg" // written by the earlier service
)

// sharing is the policy of a repository: with whom it is shared, and the rest.
type sharing struct {
	Groups, Accounts string // as joinSet writes them
	Earlier          bool   // whether the groups are in the earlier service's statement
	Frame            string // the policy without statements of ours, word for word; empty if there is no policy
}

// policyText is a policy as it is written. Statements are kept word for word.
type policyText struct {
	Version   json.RawMessage
	Id        json.RawMessage `json:",omitempty"`
	Statement []json.RawMessage
}

func (p policyText) String() string {
	text, _ := json.Marshal(p) // does not fail for JSON
	return string(text)
}

// newPolicy is what the service begins a policy with.
const newPolicy = `{"Version":"2012-10-17","Statement":[]}`

// frame returns the frame as it is written.
func (s sharing) frame() (p policyText) {
	json.Unmarshal([]byte(s.Frame), &p) // decodes what policyText encoded; nothing is an error, and has no statements
	return p
}

// share is a change of sharing. A nil list stays as it is.
type share struct{ groups, accounts *string }

// with returns the policy after a change. Without statements there is no policy.
func (s sharing) with(c share) sharing {
	if c.groups != nil {
		s.Groups = *c.groups
	}
	if c.accounts != nil {
		s.Accounts = *c.accounts
	}
	s.Earlier = false
	switch shared := s.Groups+s.Accounts != ""; {
	case shared && s.Frame == "":
		s.Frame = newPolicy
	case !shared && len(s.frame().Statement) == 0:
		s.Frame = ""
	}
	return s
}

// sharingAnswer is what an answer says about sharing.
type sharingAnswer struct {
	Groups, Accounts string
	Other            int
}

func (s sharing) answer() sharingAnswer {
	return sharingAnswer{s.Groups, s.Accounts, len(s.frame().Statement)}
}

func (a sharingAnswer) sameLists(other sharingAnswer) bool {
	return a.Groups == other.Groups && a.Accounts == other.Accounts
}

// text returns the policy as it is written in the registry of that account. It is
// empty if there is none.
func (s sharing) text(owner string) string {
	if s.Frame == "" {
		return ""
	}
	p := s.frame()
	p.Statement = append(p.Statement, s.ours(owner)...)
	return p.String()
}

// meansSame tells whether two policies differ at most in the order of their
// statements, which means nothing.
func (s sharing) meansSame(other sharing) bool {
	one, two := s.frame(), other.frame()
	for _, p := range []policyText{one, two} {
		slices.SortFunc(p.Statement, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	}
	s.Frame, other.Frame = one.String(), two.String()
	return s == other
}

type object map[string]any

// ours returns the statements that share the repository.
func (s sharing) ours(owner string) (list []json.RawMessage) {
	const pullers = "aws:PrincipalAccount"
	groups, accounts := strings.Fields(s.Groups), strings.Fields(s.Accounts)
	var roots []string
	for _, id := range accounts {
		roots = append(roots, "arn:aws:iam::"+id+":root")
	}
	add := func(sid string, principals []string, when object) {
		text, _ := json.Marshal(object{ // does not fail for strings
			"Sid": sid, "Effect": "Allow", "Principal": object{"AWS": principals},
			"Action": []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, "Condition": object{"StringEquals": when},
		})
		list = append(list, text)
	}
	tags := object{"aws:PrincipalTag/spinup:org": []string{org}, "aws:PrincipalTag/spinup:spaceid": groups}
	if s.Earlier {
		add(earlierSid, []string{"*"}, tags)
	} else if len(groups) > 0 {
		tags[pullers] = append([]string{owner}, accounts...)
		add(groupsSid, []string{"*"}, tags)
	}
	if len(accounts) > 0 {
		add(accountsSid, roots, object{pullers: accounts})
	}
	return list
}

// readPolicy reads a policy in the registry of that account. If statements of
// ours are not as they must be, Groups says so.
func readPolicy(text, owner string) (s sharing) {
	if text == "" {
		return s
	}
	var whole, rest policyText
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return sharing{Groups: "no policy: " + text}
	}
	rest = policyText{Version: whole.Version, Id: whole.Id, Statement: []json.RawMessage{}}
	var ours []string
	for _, raw := range whole.Statement {
		if !s.add(raw) {
			rest.Statement = append(rest.Statement, raw)
			continue
		}
		ours = append(ours, meaning(raw))
	}
	s.Frame = rest.String()
	var want []string
	for _, raw := range s.ours(owner) {
		want = append(want, meaning(raw))
	}
	if joined := joinSet(ours); joined != joinSet(want) || len(ours) != len(want) {
		s.Groups = "not as written by the service: " + joined
	}
	return s
}

// add reads a statement of ours. It returns false if it is not ours.
func (s *sharing) add(raw json.RawMessage) bool {
	var read struct {
		Sid       string
		Principal any
		Condition struct {
			StringEquals map[string]any
		}
	}
	json.Unmarshal(raw, &read) // what cannot be read stays empty
	switch read.Sid {
	case groupsSid, earlierSid:
		s.Groups = joinSet(texts(read.Condition.StringEquals["aws:PrincipalTag/spinup:spaceid"]))
		s.Earlier = read.Sid == earlierSid
	case accountsSid:
		s.Accounts = joinSet(texts(read.Condition.StringEquals["aws:PrincipalAccount"]))
	default:
		return false
	}
	return true
}

// texts returns a text, or a list of texts, as a list.
func texts(value any) (list []string) {
	if text, ok := value.(string); ok {
		return []string{text}
	}
	elements, _ := value.([]any)
	for _, element := range elements {
		text, _ := element.(string)
		list = append(list, text)
	}
	return list
}

// meaning returns JSON in one form, in which the order of texts in lists does not
// matter, and a text is a list with one element.
func meaning(raw json.RawMessage) string {
	var value any
	json.Unmarshal(raw, &value) // AWS has checked it
	text, _ := json.Marshal(inOneForm(value))
	return string(text)
}

func inOneForm(value any) any {
	switch v := value.(type) {
	case object:
		return inOneForm(map[string]any(v))
	case map[string]any:
		for key := range v {
			v[key] = inOneForm(v[key])
		}
	case string, []any:
		return slices.Sorted(slices.Values(texts(v)))
	}
	return value
}
