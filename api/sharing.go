package api

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/go-json-experiment/json/jsontext"
)

// A sharingInput is the body of a PutSharing.
type sharingInput struct {
	Groups   nameList
	Accounts nameList
}

func (in sharingInput) check() error {
	return firstError(
		checkGiven("Groups", in.Groups),
		checkGiven("Accounts", in.Accounts),
		checkGroups(in.Groups),
		checkAccounts(in.Accounts),
	)
}

// A nameList is a list of names in a body, in any order. It is nil if it is
// absent.
type nameList []string

// maxNames is how many names a list may have: many more than fit into the policy
// of a repository.
const maxNames = 10_000

// UnmarshalJSONFrom reads the names one by one.
func (l *nameList) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = readTexts(d, maxNames, "A list has over %d names, which is too many for the policy of a repository.")
	return err
}

// set returns the names sorted, each once. It is nil if the list is absent.
func (l nameList) set() []string {
	if l == nil {
		return nil
	}
	names := slices.Clone(l)
	slices.Sort(names)
	return slices.Compact(names)
}

// checkGiven refuses an absent list. Nobody shall end a sharing by a misspelt
// key, or because a client leaves out empty lists.
func checkGiven(key string, l nameList) error {
	if l == nil {
		return common.Errorf(common.BadRequest, "%s is needed: a list, which may be empty.", key)
	}
	return nil
}

// checkGroups checks groups as the path is checked. So none of them has a
// character with a meaning in a policy.
func checkGroups(groups []string) error {
	for i, group := range groups {
		place := fmt.Sprintf("Groups[%d]", i)
		if len(group) > maxTagValue {
			return common.Errorf(common.BadRequest, "%s has %d characters, and may have %d.", place, len(group), maxTagValue)
		}
		if err := checkName(place, group); err != nil {
			return err
		}
	}
	return nil
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func checkAccounts(accounts []string) error {
	for i, id := range accounts {
		if !accountID.MatchString(id) {
			return common.Errorf(common.BadRequest, "Accounts[%d] must be the twelve digits of an account.", i)
		}
	}
	return nil
}

// showSharing checks the owner and reads the policy at the same time.
func showSharing(ctx context.Context, t target, _ nothing) (*ecr.Sharing, error) {
	policy, err := t.readPolicy(ctx, t.ECR())
	if err != nil {
		return nil, err
	}
	return policy.Sharing(t.Org), nil
}

// readPolicy reads the policy in the session of that client.
func (t target) readPolicy(ctx context.Context, c *ecr.Client) (policy *ecr.Policy, err error) {
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		policy, err = c.Policy(ctx, t.repository())
		return err
	})
	return policy, err
}

func putSharing(ctx context.Context, t target, in sharingInput) (*ecr.Sharing, error) {
	if slices.Contains(in.Accounts, t.Account) {
		return nil, common.Errorf(common.BadRequest, "Accounts has the account of the repository itself. "+
			"Share with its groups, or let its own policies say who may pull.")
	}
	return t.share(ctx, in.Groups.set(), in.Accounts.set())
}

func deleteSharing(ctx context.Context, t target, _ nothing) (*ecr.Sharing, error) {
	return t.share(ctx, []string{}, []string{})
}

// share reads the policy in the session that writes it. So that session is there
// before the read, and the time between read and write is short.
func (t target) share(ctx context.Context, groups, accounts []string) (*ecr.Sharing, error) {
	t.record.sharing = sharing{groups, accounts}
	share := ecr.Share{Org: t.Org, Groups: groups, Accounts: accounts, Part: "Sharing", By: t.furtherECR(forSharing)}
	return share.Set(ctx, t.repository(), func(ctx context.Context) (*ecr.Policy, error) {
		return t.readPolicy(ctx, share.By)
	})
}

// shareWith returns the change for the Groups of a create or an update, which
// leaves the accounts as they are. It is nil if there are none in the request.
func (t target) shareWith(groups nameList) *ecr.Share {
	if groups == nil {
		return nil
	}
	t.record.sharing = sharing{groups: groups.set()}
	return &ecr.Share{Org: t.Org, Groups: groups.set(), Part: "Groups", By: t.furtherECR(forSharing)}
}

func showSharingPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource")...)
}

// forSharing is the name of the session that changes the policy of a repository.
// Whoever may do that can give himself every right on the repository. So no other
// session may, and this one only on one repository.
const forSharing = "for sharing"

// sharingSessions are the further sessions of rows that share repositories.
var sharingSessions = map[string]func(iam.Scope) iam.Policy{forSharing: writeSharingPolicy}

func writeSharingPolicy(s iam.Scope) iam.Policy {
	changes := []string{"ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"}
	return iam.NewPolicy(
		iam.Allow(s.Repository(), "ecr:GetRepositoryPolicy"),
		denyOthers(s),
		iam.Allow(s.Repository(), changes...).When("StringEquals", resourceOrg, s.Org),
		iam.Deny("*", changes...).When("StringNotEquals", resourceOrg, s.Org),
	)
}

// maxLoggedNames is how many names of a list the log line has.
const maxLoggedNames = 100

// addSharing adds with whom the caller asked to share a repository.
func (rec *record) addSharing(fields *common.LogFields) {
	addNames(fields, "sharedAccounts", rec.sharing.accounts)
	addNames(fields, "sharedGroups", rec.sharing.groups)
}

// addNames adds a list of names, unless it is nil. A long one is cut.
func addNames(fields *common.LogFields, field string, names []string) {
	if names == nil {
		return
	}
	if more := len(names) - maxLoggedNames; more > 0 {
		names = append(slices.Clone(names[:maxLoggedNames]), fmt.Sprintf("%d more", more))
	}
	fields.Add(field, names)
}
