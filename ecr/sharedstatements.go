package ecr

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json"
)

// The Sids of the statements that share a repository.
const (
	groupsSid   = "EcrApiPullByGroups"
	accountsSid = "EcrApiPullByAccounts"
	earlierSid  = "AllowPullImagesFromSpaceAndOrg" // written by the earlier service, for groups
)

// spaceKey is the condition key for the group of who pulls.
const spaceKey = "aws:PrincipalTag/spinup:spaceid"

// A Sharing says who may pull from a repository in addition to its own group.
type Sharing struct {
	Groups   []string
	Accounts []string
	Other    int // number of statements in the repository's policy that the lists do not tell
}

// sharing returns what the document says. It reads statements of ours as far as
// they can be read, since somebody may have changed them. Such a statement counts
// in Other, too, because it may give more than the lists say.
func (d *policyDocument) sharing(owner common.Registry, org string) *Sharing {
	groups, accounts, earlier := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range d.ours() {
		elements, _ := anyOf(s.text).(map[string]any)
		switch s.sid {
		case groupsSid:
			addGroups(groups, elements["Condition"])
			continue
		case earlierSid:
			addGroups(earlier, elements["Condition"])
			continue
		}
		for _, name := range s.principals() {
			if id, ok := accountOf(name); ok && id != owner.Account {
				accounts[id] = true
			}
		}
	}
	changed := d.changedOurs(shareWith(sortedSet(groups), sortedSet(accounts), owner, org))
	maps.Copy(groups, earlier)
	return &Sharing{Groups: sortedSet(groups), Accounts: sortedSet(accounts), Other: len(d.others()) + changed}
}

// changedOurs returns how many statements of ours are none of these. That of the
// earlier service never is.
func (d *policyDocument) changedOurs(wanted []statement) (n int) {
	meanings := meaningsOf(wanted)
	for _, s := range d.ours() {
		if s.sid != earlierSid && !slices.Contains(meanings, s.meaning()) {
			n++
		}
	}
	return n
}

// addGroups adds the groups that a Condition names, by any operator that lets
// in those who have a value.
func addGroups(groups map[string]bool, condition any) {
	operators, _ := condition.(map[string]any)
	for operator, keys := range operators {
		if !strings.Contains(operator, "StringEquals") && !strings.Contains(operator, "StringLike") {
			continue
		}
		keys, _ := keys.(map[string]any)
		for key, values := range keys {
			if texts, ok := textsOf(values); ok && strings.EqualFold(key, spaceKey) {
				for _, group := range texts {
					groups[group] = true
				}
			}
		}
	}
}

// sortedSet returns the members of a set, sorted and never nil.
func sortedSet(set map[string]bool) []string {
	list := slices.AppendSeq([]string{}, maps.Keys(set))
	slices.Sort(list)
	return list
}

// An awsStatement is a statement as AWS reads it.
type awsStatement struct {
	Sid       string
	Effect    string
	Principal awsPrincipal
	Action    []string
	Condition map[string]map[string][]string
}

type awsPrincipal struct{ AWS []string }

// pullStatement returns a statement that lets the principals pull.
func pullStatement(sid string, principals []string, when map[string][]string) statement {
	text, err := json.Marshal(awsStatement{
		Sid:       sid,
		Effect:    "Allow",
		Principal: awsPrincipal{principals},
		Action:    []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
		Condition: map[string]map[string][]string{"StringEquals": when},
	}, json.Deterministic(true))
	if err != nil {
		panic(err) // strings can always be encoded: they are UTF-8, or the caller got an error
	}
	return statement{text: text, sid: sid, effect: "Allow"}
}

// shareWith returns the statements that let the groups and the accounts pull
// from a repository of the registry.
//
// Both have a condition on the account of the principal. Of the principals that
// have the tags of a group it lets in only those of this account and of the
// accounts shared with. Without it anybody could tag a role in an account of his
// own, and pull.
func shareWith(groups, accounts []string, owner common.Registry, org string) (list []statement) {
	const accountKey = "aws:PrincipalAccount"
	if len(groups) > 0 {
		list = append(list, pullStatement(groupsSid, []string{"*"}, map[string][]string{
			accountKey:                          append([]string{owner.Account}, accounts...),
			"aws:PrincipalTag/" + common.OrgTag: {org},
			spaceKey:                            groups,
		}))
	}
	if len(accounts) > 0 {
		roots := make([]string, len(accounts))
		for i, id := range accounts {
			roots[i] = "arn:" + owner.Partition + ":iam::" + id + ":root"
		}
		list = append(list, pullStatement(accountsSid, roots, map[string][]string{accountKey: accounts}))
	}
	return list
}

// shares tells whether the document has exactly these statements of ours, by
// their meaning.
func (d *policyDocument) shares(ours []statement) bool {
	return slices.Equal(meaningsOf(d.ours()), meaningsOf(ours))
}

// checkLength returns an error if the document would be too long for AWS with
// such a share.
func (d *policyDocument) checkLength(s Share, owner common.Registry) error {
	length := func(groups int) int { return d.with(shareWith(s.Groups[:groups], s.Accounts, owner, s.Org)).length() }
	whole := length(len(s.Groups))
	if whole <= maxPolicy || whole < d.length() { // AWS may have made it longer than it takes
		return nil
	}
	fit := sort.Search(len(s.Groups), func(n int) bool { return length(n+1) > maxPolicy })
	said := "The repository's policy would have %d characters, and may have %d. "
	if fit == 0 {
		if others := d.with(nil).length(); others > maxPolicy {
			return common.Errorf(common.BadRequest, said+"The statements that are not the service's have %d alone: remove some of them in AWS.", whole, maxPolicy, others)
		}
		if length(0) > maxPolicy {
			return common.Errorf(common.BadRequest, said+"Even without groups it would be too long: share with fewer accounts.", whole, maxPolicy)
		}
		return common.Errorf(common.BadRequest, said+"None of the %d groups fits.", whole, maxPolicy, len(s.Groups))
	}
	return common.Errorf(common.BadRequest, said+"Of the %d groups, the first %d in alphabetical order fit.", whole, maxPolicy, len(s.Groups), fit)
}
