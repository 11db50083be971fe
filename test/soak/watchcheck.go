package main

import (
	"fmt"
	"slices"
)

// checkSharing returns an error if what the service did with the policy of a
// repository is not what its outcome says, or if it overwrote what it could know.
//
// AWS writes a policy whatever is there. So what others write after the service's
// last look and before its write is lost, and no service can know that.
func checkSharing(events []event, o operation, out outcome, owner string) error {
	change, part := o.sharingPart()
	t := &sharingTrace{change: change, owner: owner}
	for _, e := range events {
		if err := t.add(e); err != nil {
			return err
		}
	}
	conflict := out.code == sharingChanged
	switch {
	case conflict && !t.interfered:
		return fmt.Errorf("nobody else has changed the policy")
	case conflict && t.last.answer().sameLists(t.first.with(change).answer()) && !t.last.Earlier:
		return fmt.Errorf("the policy is as asked for")
	case part != "" && (out.status == 200 || slices.Contains(out.applied, part)):
		return t.checkDone(out.sharing)
	case t.worked && !slices.Contains(out.unknown, part):
		return fmt.Errorf("it has changed the policy, and does not say so")
	case out.status == 200 && out.sharing != nil && *out.sharing != t.last.answer(): // it shows
		return fmt.Errorf("the answer is not what it has read")
	}
	return nil
}

// sharingTrace is what the service has seen and done with a policy.
type sharingTrace struct {
	change share
	owner  string

	looked      bool    // since the last write
	first, last sharing // the last look before the first write, and the last of all
	wrote       bool
	worked      bool   // AWS did a write
	interfered  bool   // others changed the policy after the first look
	deleted     string // what it has deleted although others had changed it
}

func (t *sharingTrace) add(e event) error {
	switch {
	case e.operation == others:
		t.interfered = true
	case e.operation == policies.get:
		if e.code == "" || e.after == "" && e.code == "RepositoryPolicyNotFoundException" {
			t.look(readPolicy(e.after, t.owner))
		}
	default:
		return t.write(e)
	}
	return nil
}

func (t *sharingTrace) look(seen sharing) {
	t.looked, t.last = true, seen
	if !t.wrote {
		t.first = seen
	}
}

// restores tells whether the service writes back what it has deleted. It knows
// that from the answer to the deletion. It may need several attempts.
func (t *sharingTrace) restores(e event) bool {
	return t.deleted != "" && (e.before == e.after || readPolicy(e.after, t.owner).meansSame(readPolicy(t.deleted, t.owner)))
}

func (t *sharingTrace) write(e event) error {
	if t.restores(e) && e.before == e.after {
		return nil
	}
	if t.restores(e) {
		t.look(readPolicy(e.after, t.owner))
		t.worked = false
		return nil
	}
	done := t.first.with(t.change)
	switch {
	case !t.looked:
		return fmt.Errorf("it wrote without a look at what was there: %s", e)
	case !t.last.meansSame(t.first):
		return fmt.Errorf("it wrote once more although the policy had changed: %s", e)
	case e.before != e.after && readPolicy(e.after, t.owner) != done:
		return fmt.Errorf("it wrote %+v\n  and should have written %+v", readPolicy(e.after, t.owner), done)
	}
	t.wrote, t.looked = true, false
	t.worked = t.worked || e.before != e.after
	if e.after == "" && !t.last.meansSame(readPolicy(e.before, t.owner)) {
		t.deleted = e.before
	}
	if e.code == "RepositoryPolicyNotFoundException" { // that tells what is there, too
		t.look(sharing{})
	}
	return nil
}

// checkDone checks the claim that the repository is shared as asked.
func (t *sharingTrace) checkDone(told *sharingAnswer) error {
	switch wanted := t.last.with(t.change); {
	case !t.looked:
		return fmt.Errorf("it did not look whether the policy is as asked for")
	case t.last != wanted:
		return fmt.Errorf("the policy was not as asked for: %+v", t.last)
	case told != nil && *told != t.last.answer():
		return fmt.Errorf("the answer is not what it has read: %+v", t.last)
	}
	return nil
}

// checkLifecycle returns an error if what the service did with the lifecycle
// policy of a repository is not what its outcome says, or if it deleted another
// policy than the one that it had looked at, and could know that.
func checkLifecycle(events []event, o operation, out outcome) error {
	t := new(lifecycleTrace)
	for _, e := range events {
		if err := t.add(e); err != nil {
			return err
		}
	}
	switch {
	case out.status == 404 && out.code == lifecycleNotFound:
		if len(out.unknown) > 0 { // others have put another one
			return errorIf(t.last == t.first, "nobody has put another policy")
		}
		return errorIf(!slices.Contains(t.held, ""), "there was a policy all the time")
	case !o.isChange():
		return errorIf(out.lifecycle != nil && !slices.Contains(t.held, *out.lifecycle), "the answer shows what was never there")
	case out.status == 200 && o.kind == putLifecycle:
		return errorIf(!slices.Contains(t.held, o.document), "AWS never had that policy")
	case out.status == 200:
		return t.checkDeleted(out.lifecycle)
	case !slices.Contains(out.unknown, partLifecycle) && t.worked:
		return fmt.Errorf("it has changed the policy, and does not say so")
	}
	return nil
}

// lifecycleTrace is what the service has seen and done with a lifecycle policy.
type lifecycleTrace struct {
	held        []string // all that AWS had
	first, last string   // the last look before the first deletion, and the last of all
	looks       []string // all looks
	tried       bool     // to delete, as far as AWS has heard of it
	unsure      bool     // AWS did not say whether it did a deletion, and there was no look since
	deleted     []string
	worked      bool // AWS did a change
}

func (t *lifecycleTrace) add(e event) error {
	t.held = append(t.held, e.before, e.after)
	t.worked = t.worked || e.before != e.after && e.operation != others
	switch {
	case e.operation == lifecycles.get && (e.code == "" || e.code == "LifecyclePolicyNotFoundException"):
		t.look(e.after)
	case e.operation == lifecycles.remove:
		return t.remove(e)
	}
	return nil
}

func (t *lifecycleTrace) look(seen string) {
	t.last, t.unsure = seen, false
	t.looks = append(t.looks, seen)
	if !t.tried {
		t.first = seen
	}
}

func (t *lifecycleTrace) remove(e event) error {
	switch {
	case t.unsure:
		return fmt.Errorf("it deleted once more without a look: %s", e)
	case t.last != t.first:
		return fmt.Errorf("it deleted once more although its policy was gone: %s", e)
	case e.before != e.after:
		t.deleted = append(t.deleted, e.before)
	}
	t.tried, t.unsure = true, e.isLost()
	return nil
}

// checkDeleted checks the claim that a policy is deleted. After a lost answer
// nobody can tell whether it was deleted, or whether somebody else has put another
// one in its place: it is gone.
func (t *lifecycleTrace) checkDeleted(told *string) error {
	gone := slices.Concat(t.deleted, []string{t.first})
	if !t.tried { // its deletion never came to AWS, and it has looked afterwards
		gone = append(gone, t.looks...)
	}
	switch {
	case !slices.ContainsFunc(t.held, func(text string) bool { return text != t.first }):
		return fmt.Errorf("the policy is there")
	case told != nil && !slices.Contains(gone, *told):
		return fmt.Errorf("it shows another policy than what it has deleted")
	}
	return nil
}
