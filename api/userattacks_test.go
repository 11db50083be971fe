package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/iam"
)

// The tests of the sessions that call IAM, and of the role's policy for users, ask
// the evaluator: what may be done to whom. What must be allowed is written out, and
// all else must not be.

// userSessions are the policies of all sessions that call IAM.
var userSessions = map[string]func(iam.Scope) iam.Policy{
	toListUsers:   listUsersPolicy,
	toReadUsers:   readUsersPolicy,
	toCreateUser:  createUserPolicy,
	toChangeUser:  changeUserPolicy,
	toMakeKeys:    makeKeysPolicy,
	toSwitchKeys:  switchKeysPolicy,
	toDeleteKeys:  deleteKeysPolicy,
	toDeleteUser:  deleteUserPolicy,
	toDeleteUsers: deleteUsersPolicy,
}

// usersScope is the scope of a session for one user. It has the names that the
// role's policy for users has.
var usersScope = iam.Scope{
	Registry:    exampleScope.Registry,
	Org:         exampleScope.Org,
	Group:       exampleScope.Group,
	Name:        "a",
	User:        "builder",
	Boundary:    "arn:aws:iam::012345678901:policy/ecr-api-users",
	FormerGroup: "arn:aws:iam::012345678901:group/FORMER-GROUP",
}

// Whom or what a call to IAM is about.
const (
	theUser       = "the user of the scope"
	ofTheSame     = "another user of the same repository"
	ofOurOrg      = "a user of another repository of the org"
	otherUser     = "any other user"
	sameElsewhere = "what has the same name in another account"
	formerGroup   = "the group of the earlier service"
	elseInIAM     = "no user and not that group"
)

// The tags that a user has.
const (
	tagless       = "none"
	asMade        = "as the service made it"
	ofAnotherRepo = "of another repository"
	ofAnotherOrg  = "of another org"
	onlyRepo      = "ResourceName only, as the service made it"
	allButRepo    = "as the service made it, without ResourceName"

	// AWS documents this of a call that makes something. If it does not do so, the
	// user is tagless.
	beingMade = "those that the call brings, because it makes the user"
)

// An iamTarget is what a call to IAM is about.
type iamTarget struct {
	where, arn string
	tagged     string // "" is tagless, for what has no tags here
}

func iamTargets(s iam.Scope) (list []iamTarget) {
	user := func(path, name string) string {
		return fmt.Sprintf("arn:%s:iam::%s:user%s%s", s.Partition, s.Account, path, name)
	}
	inAccount2 := func(arn string) string { return strings.Replace(arn, s.Account, account2, 1) }
	name := s.UserPrefix() + s.User
	for _, tags := range []string{tagless, beingMade, asMade, ofAnotherRepo, ofAnotherOrg, onlyRepo, allButRepo} {
		list = append(list, iamTarget{theUser, s.UserARN(), tags}, iamTarget{ofTheSame, s.UserARN() + "2", tags})
	}
	for where, arns := range map[string][]string{
		ofTheSame: {user(s.UserPath(), s.UserPrefix()+"c")},
		ofOurOrg: {
			user(s.UserPath(), "stranger"),
			user(s.UserPath(), name[:len(name)-len(s.User)-1]),
			user("/spinup/"+s.Org+"/"+s.Group+"/b/", s.Group+"-b-"+s.User),
			user("/spinup/"+s.Org+"/"+s.Group+"/b/", name),
			user("/spinup/"+s.Org+"/"+s.Group+"/"+s.Name+"b/", s.Group+"-"+s.Name+"b-"+s.User),
			user(s.UserPath()+"b/", s.UserPrefix()+"b-"+s.User),
			user("/spinup/"+s.Org+"/other/"+s.Name+"/", name),
			user("/spinup/"+s.Org+"/", name),
		},
		otherUser: {
			user("/", name), // so IAM sees a user who does not exist
			user("/", "administrator"),
			user("/", "*"),
			user("/spinup/", name),
			user("/spinup/"+otherOrg+"/"+s.Group+"/"+s.Name+"/", name),
			user("/spinup/"+s.Org+"2/"+s.Group+"/"+s.Name+"/", name),
			user("/other"+s.UserPath(), name),
			strings.Replace(s.UserARN(), "arn:"+s.Partition+":", "arn:aws-iso:", 1),
		},
		sameElsewhere: {inAccount2(s.UserARN()), inAccount2(s.FormerGroup)},
		formerGroup:   {s.FormerGroup},
		elseInIAM: {
			s.FormerGroup + "2", strings.Replace(s.FormerGroup, "group/", "group/path/", 1), strings.Replace(s.FormerGroup, "FORMER-GROUP", "admins", 1),
			s.Boundary, s.Boundary + "2", "arn:aws:iam::aws:policy/AdministratorAccess",
			strings.Replace(s.Boundary, "policy/ecr-api-users", "role/ecr-api", 1), strings.Replace(s.Boundary, "policy/ecr-api-users", "role/administrator", 1),
			s.Repository(), "*",
		},
	} {
		for _, arn := range arns {
			list = append(list, iamTarget{where, arn, tagless}, iamTarget{where, arn, asMade})
		}
	}
	return list
}

// tagsOfUser are the tags that a user has, or brings.
func tagsOfUser(s iam.Scope, resource, org string) map[string]string {
	return map[string]string{"Application": "x", nameTag: s.UserPrefix() + s.User, spaceTag: s.Group, resourceTag: resource, common.OrgTag: org}
}

// tags returns the tags of what a call is about that brings others.
func (x iamTarget) tags(s iam.Scope, brings map[string]string) map[string]string {
	made := tagsOfUser(s, s.Group+"/"+s.Name, s.Org)
	switch x.tagged {
	case beingMade:
		return brings
	case asMade:
		return made
	case onlyRepo:
		return map[string]string{resourceTag: made[resourceTag]}
	case allButRepo:
		delete(made, resourceTag)
		return made
	case ofAnotherRepo:
		return tagsOfUser(s, s.Group+"/b", s.Org)
	case ofAnotherOrg:
		return tagsOfUser(s, s.Group+"/"+s.Name, otherOrg)
	}
	return nil
}

// The tags that a call brings.
const (
	asCreated     = "those of a create"
	withoutOrg    = "those of a create, without spinup:org"
	withoutSpace  = "those of a create, without spinup:spaceid"
	withoutRepo   = "those of a create, without ResourceName"
	repoAndPlain  = "ResourceName and plain ones"
	repoUpper     = "ResourceName in capitals"
	onlyOrg       = "spinup:org"
	onlySpace     = "spinup:spaceid in capitals"
	forOtherRepo  = "those of a create, for another repository"
	forOtherSpace = "those of a create, for another group"
	forOtherOrg   = "those of a create, for another org"
)

func userRequestTags(s iam.Scope) map[string]map[string]string {
	change := func(key, value string) map[string]string {
		tags := tagsOfUser(s, s.Group+"/"+s.Name, s.Org)
		if tags[key] = value; value == "" {
			delete(tags, key)
		}
		return tags
	}
	return map[string]map[string]string{
		noTags:                         nil,
		plainTags:                      {"Application": "x", "resource": "g/b"},
		asCreated:                      change("Application", "y"),
		withoutOrg:                     change(common.OrgTag, ""),
		withoutSpace:                   change(spaceTag, ""),
		withoutRepo:                    change(resourceTag, ""),
		forOtherRepo:                   change(resourceTag, s.Group+"/b"),
		forOtherSpace:                  change(spaceTag, "other"),
		forOtherOrg:                    change(common.OrgTag, otherOrg),
		nameOnly:                       {nameTag: "x"},
		repoAndPlain:                   {"Application": "x", resourceTag: s.Group + "/" + s.Name},
		repoUpper:                      {"RESOURCENAME": s.Group + "/" + s.Name},
		onlyOrg:                        {common.OrgTag: s.Org},
		onlySpace:                      {"SPINUP:SPACEID": s.Group},
		"spinup:org without its colon": {"spinuporg": "x", "ResourceName2": "x"},
	}
}

// harmless are the tags that anybody may change who may change tags.
var harmless = []string{noTags, plainTags, "spinup:org without its colon"}

// The boundary that a user has, or gets by the call.
const (
	ourBoundary   = "ours"
	noBoundary    = "none"
	otherBoundary = "another"
)

var boundaries = map[string]func(iam.Scope) string{
	ourBoundary: func(s iam.Scope) string { return s.Boundary },
	noBoundary:  func(iam.Scope) string { return "" },
	otherBoundary: func(s iam.Scope) string {
		return strings.Replace(s.Boundary, "ecr-api-users", "other/ecr-api-users", 1)
	},
}

// A call to IAM, as a policy sees it.
type iamCall struct {
	action         string
	on             iamTarget
	boundary, tags string
	request        policy.Request
}

func (c iamCall) String() string {
	return fmt.Sprintf("%s on %s (%s, its tags: %s), boundary: %s, brings tags: %s", c.action, c.on.arn, c.on.where, c.on.tagged, c.boundary, c.tags)
}

// contextOf returns what a policy for the scope is told about a call that brings
// these tags.
func (c iamCall) contextOf(s iam.Scope, brings map[string]string) map[string][]string {
	context := map[string][]string{
		"aws:PrincipalAccount":              {s.Account},
		"aws:PrincipalTag/" + common.OrgTag: {s.Org},
		"aws:ResourceAccount":               {s.Account},
	}
	for k, v := range c.on.tags(s, brings) {
		context["aws:ResourceTag/"+k] = []string{v}
	}
	for k, v := range brings {
		context["aws:RequestTag/"+k] = []string{v}
	}
	if len(brings) > 0 {
		context["aws:TagKeys"] = slices.Sorted(maps.Keys(brings))
	}
	if arn := boundaries[c.boundary](s); arn != "" {
		context[boundaryKey] = []string{arn}
	}
	return context
}

// Actions whose calls know a boundary, and those whose calls bring tags.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
var (
	knowBoundary = []string{
		"iam:AttachUserPolicy", "iam:CreateUser", "iam:DeleteUserPermissionsBoundary", "iam:DeleteUserPolicy", "iam:DetachUserPolicy",
		"iam:PutUserPermissionsBoundary", "iam:PutUserPolicy",
	}
	bringTags = []string{"iam:CreateUser", "iam:TagUser", "iam:UntagUser"}
	makeUsers = []string{"iam:CreateUser", "iam:TagUser"}
)

// iamCalls are the calls to try with these actions.
func iamCalls(s iam.Scope, actions []string) (list []iamCall) {
	with := userRequestTags(s)
	for _, on := range iamTargets(s) {
		for _, action := range actions {
			if on.tagged == beingMade && !slices.Contains(makeUsers, action) {
				continue
			}
			for boundary := range boundaries {
				if boundary != noBoundary && !slices.Contains(knowBoundary, action) {
					continue
				}
				for tags, brings := range with {
					if tags != noTags && !slices.Contains(bringTags, action) {
						continue
					}
					call := iamCall{action: action, on: on, boundary: boundary, tags: tags}
					call.request = policy.Request{Action: action, Resource: on.arn, Context: lowerKeys(call.contextOf(s, brings))}
					list = append(list, call)
				}
			}
		}
	}
	return list
}

// A userRight says which calls to IAM may be made. An empty field means all.
type userRight struct {
	do       []string
	on       []string
	tagged   []string
	boundary string
	with     []string
}

func (r userRight) covers(c iamCall) bool {
	in := func(list []string, s string) bool { return list == nil || slices.Contains(list, s) }
	return in(r.do, c.action) && in(r.on, c.on.where) && in(r.tagged, c.on.tagged) && (r.boundary == "" || r.boundary == c.boundary) && in(r.with, c.tags)
}

var (
	readKeysOfUser = []string{"iam:GetAccessKeyLastUsed", "iam:ListAccessKeys"}
	readTheUser    = []string{"iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:ListGroupsForUser"}
	removeUser     = []string{
		"iam:DeleteAccessKey", "iam:DeleteUser", "iam:DeleteUserPolicy", "iam:DetachUserPolicy", "iam:ListAttachedUserPolicies", "iam:ListUserPolicies",
	}
	leaveGroup = userRight{do: []string{"iam:RemoveUserFromGroup"}, on: []string{formerGroup}}
	onTheUser  = []string{theUser}

	// tiedToNoOther are the tags with which a user is of no other repository or org.
	tiedToNoOther = []string{tagless, beingMade, asMade, onlyRepo, allButRepo}
)

// sessionRights are what the sessions may do to IAM.
var sessionRights = map[string][]userRight{
	// AWS authorizes it on "*" only.
	toListUsers: {{do: []string{"iam:ListUsers"}}},
	toReadUsers: {{do: readTheUser, on: []string{theUser, ofTheSame}}},
	toCreateUser: {
		{do: []string{"iam:DeleteUser", "iam:GetUser"}, on: onTheUser},
		{do: []string{"iam:DeleteUserPolicy", "iam:PutUserPolicy"}, on: onTheUser, boundary: ourBoundary},
		{do: []string{"iam:CreateUser"}, on: onTheUser, tagged: tiedToNoOther, boundary: ourBoundary, with: []string{asCreated}},
		{do: []string{"iam:TagUser"}, on: onTheUser, tagged: tiedToNoOther, with: []string{asCreated}},
	},
	toChangeUser: {
		{do: readTheUser, on: onTheUser},
		{do: []string{"iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"}, on: onTheUser, boundary: ourBoundary},
		{do: []string{"iam:TagUser"}, on: onTheUser, with: harmless},
		leaveGroup,
	},
	toMakeKeys: {
		{do: append([]string{"iam:DeleteAccessKey"}, readTheUser...), on: onTheUser},
		{do: []string{"iam:CreateAccessKey"}, on: onTheUser, tagged: []string{asMade}},
	},
	toSwitchKeys:  {{do: append([]string{"iam:UpdateAccessKey"}, readKeysOfUser...), on: onTheUser}},
	toDeleteKeys:  {{do: append([]string{"iam:DeleteAccessKey"}, readKeysOfUser...), on: onTheUser}},
	toDeleteUser:  {{do: slices.Concat(removeUser, readTheUser), on: onTheUser}, leaveGroup},
	toDeleteUsers: {{do: slices.Concat(removeUser, readTheUser), on: []string{theUser, ofTheSame}}, leaveGroup},
}

// userMistakes returns the calls that the policies decide in another way than the
// rights say. It stops when it has found enough.
func userMistakes(t *testing.T, calls []iamCall, rights []userRight, enough int, documents ...string) (found []string) {
	t.Helper()
	policies := parsedPolicies(t, documents...)
	for _, call := range calls {
		got, err := policy.Decide(call.request, policies...)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.ContainsFunc(rights, func(r userRight) bool { return r.covers(call) })
		if (got == policy.Allow) != want {
			found = append(found, fmt.Sprintf("%s: %s, want allowed: %v", call, got, want))
		}
		if len(found) == enough {
			return found
		}
	}
	return found
}

// everyUserCharacter has all characters that names and orgs with users may have.
var everyUserCharacter = func() iam.Scope {
	s := usersScope
	s.Org, s.Group, s.User = "Ab+c=d._:@-e", "a.b_c-d", "b.c_d"
	return s
}()

func TestSessionsForUsersMayDoNothingElse(t *testing.T) {
	t.Parallel()
	all, needed := iamCalls(usersScope, allActions), iamCalls(everyUserCharacter, usersActions())
	for name, of := range userSessions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range userMistakes(t, all, sessionRights[name], 10, of(usersScope).String()) {
				t.Error(m)
			}
			for _, m := range userMistakes(t, needed, sessionRights[name], 10, of(everyUserCharacter).String()) {
				t.Error(m)
			}
		})
	}
}

// usersActions are all actions that the sessions need.
func usersActions() []string {
	actions := map[string]bool{}
	for _, of := range userSessions {
		maps.Copy(actions, allowedActions(of(usersScope).Statement))
	}
	return slices.Sorted(maps.Keys(actions))
}

// No session that calls IAM may do anything in ECR, and none without a former
// group may take users out of a group.
func TestSessionsForUsersWithoutAFormerGroup(t *testing.T) {
	t.Parallel()
	s := usersScope
	s.FormerGroup = ""
	for name, of := range userSessions {
		for action := range allowedActions(of(s).Statement) {
			if !strings.HasPrefix(action, "iam:") || action == "iam:RemoveUserFromGroup" {
				t.Errorf("the session %s may do %s", name, action)
			}
		}
	}
}

// If a part of a policy is left out or widened, userMistakes finds it.
func TestNoPartOfAPolicyForUsersCouldBeWeaker(t *testing.T) {
	t.Parallel()
	calls := iamCalls(usersScope, append(usersActions(), "iam:AttachUserPolicy"))
	for name, of := range userSessions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for part, weaker := range weakened(of(usersScope)) {
				if len(userMistakes(t, calls, sessionRights[name], 1, weaker.String())) == 0 && !slices.Contains(sameAnyway[name], part) {
					t.Errorf("%s: not noticed", part)
				}
			}
		})
	}
}

// sameAnyway are the weaker parts that make no difference: no other call about a
// user brings tags.
var sameAnyway = map[string][]string{toCreateUser: {"statement 1 of iam:*"}}

// STS counts the characters of a session policy, and takes 2,048.
func TestSessionsForUsersFitIntoTheLimit(t *testing.T) {
	t.Parallel()
	s := iam.Scope{
		Registry: common.Registry{Partition: "aws-us-gov", Region: "us-gov-west-1", Account: account},
		Org:      strings.Repeat("o", 64), Group: strings.Repeat("g", 30), Name: strings.Repeat("n", 30), User: "uu",
		Boundary:    "arn:aws-us-gov:iam::" + account + ":policy/" + strings.Repeat("b", 216),
		FormerGroup: "arn:aws-us-gov:iam::" + account + ":group/" + strings.Repeat("f", 216),
	}
	if n := len(s.UserPrefix() + s.User); n != maxUserName {
		t.Fatalf("the name has %d characters", n)
	}
	for name, of := range userSessions {
		if n := len(of(s).String()); n > 2048 {
			t.Errorf("the policy of the session %s has %d characters", name, n)
		}
	}
	s.Name, s.User = strings.Repeat("n", maxFullName-31), "" // where users are deleted, the repository may have any name
	if n := len(deleteUsersPolicy(s).String()); n > 2048 {
		t.Errorf("the policy of the session %s has %d characters", toDeleteUsers, n)
	}
}
