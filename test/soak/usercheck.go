package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Parts of changes of users, as the problem documents name them.
const (
	partUser     = "User"
	partPolicy   = "Policy"
	partKeys     = "AccessKeys" // of a deletion
	partPolicies = "Policies"
	partBoundary = "Boundary" // of an update
	partAccess   = "Access"
	partKey      = "AccessKey"
)

// userCheck compares what the service says of one user with what became of it.
type userCheck struct {
	r       *repository
	o       operation
	out     outcome
	was, is *user // nil: not there. was has what others did meanwhile.

	// fresh says that the service may not know all that was written before.
	fresh bool
	// others are what others did to the user during the request.
	others userEvents
}

// says tells whether the outcome says that the part is done.
func (c userCheck) says(part string) bool {
	return c.out.status == 200 || slices.Contains(c.out.applied, part)
}

// part returns an error if a part is neither as it was nor as the outcome says.
func (c userCheck) part(name string, was, wanted, is any) error {
	same := reflect.DeepEqual
	switch {
	case c.says(name):
		return errorIf(!same(is, wanted), "the "+name+" is not as the answer says")
	case slices.Contains(c.out.unknown, name):
		return errorIf(!same(is, was) && !same(is, wanted), "the "+name+" is neither as it was nor as asked for")
	}
	return errorIf(!same(is, was), "the "+name+" has changed, and the answer does not say so")
}

// check returns an error if the outcome cannot be true.
func (c userCheck) check() error {
	if err := firstOf(c.checkParts(), c.checkEnd()); err != nil {
		return err
	}
	switch {
	case c.others.deletedUser && c.o.kind != createUser: // anything may be so far done to the user that is gone
		return errorIf(c.is != nil, "others have deleted the user, and it is there")
	case c.o.kind == createUser:
		return firstOf(c.checkCreate(), c.checkAnswer())
	case c.was == nil:
		return errorIf(c.is != nil, "the user has come from nowhere")
	case c.o.kind == deleteUser || c.o.kind == remove:
		return firstOf(c.checkDelete(), c.checkAnswer())
	case c.is == nil || c.is.ID != c.was.ID:
		return fmt.Errorf("the user is gone")
	}
	return firstOf(c.checkUpdate(), c.checkKeys(), c.checkStatuses(), c.checkAnswer())
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkParts returns an error if the outcome names a part that the operation does
// not have.
func (c userCheck) checkParts() error {
	parts := map[string][]string{
		createUser: {partUser, partPolicy}, updateUser: {partBoundary, partAccess, partGroups, partTags, partKey},
		makeKey: {partBoundary, partAccess, partGroups, partKey}, switchKey: {partKey}, deleteKey: {partKey},
		deleteUser: {partKeys, partGroups, partPolicies, partUser}, remove: {partKeys, partGroups, partPolicies, partUser},
	}[c.o.kind]
	named := slices.Concat(c.out.applied, c.out.unknown)
	slices.Sort(named)
	return errorIf(len(minus(named, parts)) > 0 || len(slices.Compact(named)) != len(c.out.applied)+len(c.out.unknown),
		fmt.Sprint("a failure cannot have these parts: applied ", c.out.applied, " unknown ", c.out.unknown))
}

// checkEnd returns an error if the operation cannot end with that status.
func (c userCheck) checkEnd() error {
	told, ok := c.out.code, true
	disturbed := c.fresh || c.others.any()
	switch {
	case c.o.kind == remove || c.out.status == 0 || failures[c.out.status]:
	case c.out.status == 200:
		ok = c.o.kind == listUsers || c.o.kind == createUser || c.was != nil && !c.needsAccess() || disturbed
	case told == "user-not-found":
		ok = c.o.kind != createUser && (c.was == nil || disturbed)
	case told == "access-key-not-found":
		ok = c.o.user.key != "" && (c.was == nil || !slices.Contains(c.was.keyIDs(), c.o.user.key) || disturbed)
	case told == "user-exists":
		mayBeMade := slices.Contains(c.out.unknown, partUser) // by this create, or by an earlier one with the same tags
		ok = c.o.kind == createUser && (c.was != nil || c.o.user.name == takenName || disturbed || mayBeMade)
	case told == "two-access-keys":
		ok = c.o.makesKey() && (c.was != nil && len(c.was.Keys) == 2 || disturbed)
	case told == "user-conflict":
		inGroup := c.was != nil && slices.Contains(c.was.Groups, otherGroup)
		ok = (c.o.takesOver() || c.o.kind == deleteUser) && (inGroup || disturbed) || c.needsAccess()
	default:
		ok = false
	}
	return errorIf(!ok, fmt.Sprintf("it cannot end with %d %s", c.out.status, told))
}

// needsAccess tells whether the operation must say what the user may do.
func (c userCheck) needsAccess() bool {
	return c.o.takesOver() && c.o.user.access == "" && c.was != nil && c.was.lostPolicy()
}

func (c userCheck) checkCreate() error {
	wanted := user{
		Name: c.o.user.name, Bounded: true, Policies: toPush,
		Tags: c.r.userTags(c.o.user.name, c.o.user.tags),
	}
	if c.o.user.access != "" {
		wanted.Policies = c.o.user.access
	}
	switch {
	case c.was != nil:
		return errorIf(c.out.status == 200 || !sameUser(c.was, c.is), "the user was there before the create, and must stay as it was")
	case c.is == nil:
		return errorIf(c.says(partUser), "the user is not there")
	case c.others.deletedUser:
		return nil
	case !c.says(partUser) && !slices.Contains(c.out.unknown, partUser):
		return fmt.Errorf("the create has made a user, and does not say so")
	}
	wanted.ID = c.is.ID
	if c.out.status != 200 && c.is.Policies == "" { // the undoing has begun with the policy
		wanted.Policies = ""
	}
	if c.out.status != 200 && c.is.Policies != "" && !slices.Contains(c.out.unknown, partPolicy) {
		return fmt.Errorf("the user has a policy, and the answer does not say so")
	}
	return errorIf(!sameUser(&wanted, c.is), fmt.Sprintf("the create has made %+v\n  and should have made %+v", *c.is, wanted))
}

func sameUser(a, b *user) bool {
	if a == nil || b == nil {
		return a == b
	}
	lists := func(u *user) []string {
		var keys []string
		for _, k := range u.Keys {
			keys = append(keys, k.ID+k.Status)
		}
		return []string{u.Name, u.ID, u.Policies, fmt.Sprint(u.Bounded), strings.Join(u.Attached, " "), strings.Join(u.Groups, " "), strings.Join(keys, " ")}
	}
	return slices.Equal(lists(a), lists(b)) && maps.Equal(a.Tags, b.Tags)
}

// checkDelete checks what is left of a user.
func (c userCheck) checkDelete() error {
	if c.is == nil {
		return errorIf(!c.says(partUser) && !slices.Contains(c.out.unknown, partUser), "the user is gone, and the answer does not say so")
	}
	if c.says(partUser) {
		return fmt.Errorf("the user is there")
	}
	policies := func(u *user) []string { return minus(append([]string{u.Policies}, u.Attached...), []string{""}) }
	return firstOf(
		c.removed(partKeys, c.was.keyIDs(), c.is.keyIDs()),
		c.removed(partGroups, c.was.Groups, c.is.Groups),
		c.removed(partPolicies, policies(c.was), policies(c.is)),
		errorIf(!maps.Equal(c.was.Tags, c.is.Tags) || c.was.Bounded != c.is.Bounded || c.was.ID != c.is.ID, "more has changed than a deletion changes"),
	)
}

func (c userCheck) removed(part string, was, is []string) error {
	switch {
	case len(minus(is, was)) > 0:
		return fmt.Errorf("the %s have grown", part)
	case slices.Contains(c.out.applied, part) && len(is) > 0 && !c.others.any():
		return fmt.Errorf("the %s are not gone", part)
	case slices.Contains(c.out.applied, part) || slices.Contains(c.out.unknown, part):
		return nil
	}
	return errorIf(len(is) < len(was), "some of the "+part+" are gone, and the answer does not say so")
}

// checkUpdate checks all of a user but its keys.
func (c userCheck) checkUpdate() error {
	wanted := *c.was
	if c.o.takesOver() {
		wanted.Bounded, wanted.Groups = true, minus(c.was.Groups, []string{formerGroup})
		switch {
		case c.o.user.access != "":
			wanted.Policies = c.o.user.access
		case c.was.Policies == "" && !c.was.lostPolicy():
			wanted.Policies = toPush
		}
	}
	wanted.Tags = maps.Clone(c.was.Tags)
	maps.Copy(wanted.Tags, c.o.user.tags)
	if c.fresh && c.was.Policies == "" { // IAM may still show the policy that was deleted a moment ago
		wanted.Policies = c.is.Policies
	}
	groups := func(u *user) string { return strings.Join(u.Groups, " ") }
	return firstOf(
		c.part(partBoundary, c.was.Bounded, wanted.Bounded, c.is.Bounded),
		c.part(partAccess, c.was.Policies, wanted.Policies, c.is.Policies),
		c.part(partGroups, groups(c.was), groups(&wanted), groups(c.is)),
		c.part(partTags, c.was.Tags, wanted.Tags, c.is.Tags),
		errorIf(!slices.Equal(c.was.Attached, c.is.Attached), "the attached policies have changed"),
	)
}
