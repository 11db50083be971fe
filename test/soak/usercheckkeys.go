package main

import (
	"fmt"
	"slices"
)

// checkKeys checks which access keys the request has made and deleted.
func (c userCheck) checkKeys() error {
	made, gone := minus(c.is.keyIDs(), c.was.keyIDs()), minus(c.was.keyIDs(), c.is.keyIDs())
	unknown := slices.Contains(c.out.unknown, partKey)
	switch {
	case len(c.is.Keys) > 2:
		return fmt.Errorf("the user has %d access keys", len(c.is.Keys))
	case c.o.kind == deleteKey:
		return c.checkDeletedKey(made, gone, unknown)
	case !c.o.makesKey():
		return errorIf(len(made)+len(gone) > 0, "access keys have changed")
	case c.out.status == 200:
		return c.checkNewKey(made, gone)
	}
	return firstOf(
		errorIf(len(gone) > 0 && !(unknown && c.o.kind == updateUser && c.out.status == 499), "an access key is gone, although none was handed out"),
		errorIf(len(made) > 0 && !unknown, "there is an access key that nobody was handed out, and the answer does not say so"),
		errorIf(len(made) > 1, "there are two access keys that nobody was handed out"),
	)
}

func (c userCheck) checkDeletedKey(made, gone []string, unknown bool) error {
	asked := []string{c.o.user.key}
	return firstOf(
		errorIf(len(made) > 0 || len(minus(gone, asked)) > 0, "other access keys have changed"),
		errorIf(c.out.status == 200 && slices.Contains(c.is.keyIDs(), c.o.user.key), "the access key is there"),
		errorIf(c.out.status != 200 && !unknown && len(gone) > 0, "the access key is gone, and the answer does not say so"),
	)
}

// checkNewKey checks an access key that the caller was handed out.
func (c userCheck) checkNewKey(made, gone []string) error {
	deleted := c.out.keys.deleted
	if told := []string{c.out.keys.made}; !slices.Equal(made, minus(told, c.others.deletedKeys)) {
		return fmt.Errorf("the request has made the access keys %v, and told of %s", made, c.out.keys.made)
	}
	if c.o.kind == makeKey {
		return errorIf(len(gone) > 0, "another access key is gone")
	}
	for _, id := range deleted {
		if slices.Contains(c.is.keyIDs(), id) {
			return fmt.Errorf("the access key %s is there, which the answer says is deleted", id)
		}
	}
	left := minus(minus(c.is.keyIDs(), made), c.others.madeKeys)
	return firstOf(
		errorIf(len(minus(gone, deleted)) > 0 && !c.out.keys.left, "an access key is gone, and the answer does not say so"),
		errorIf(len(left) > 0 && !c.out.keys.left, fmt.Sprint("access keys are left, and the answer does not say so: ", left)),
	)
}

// checkStatuses checks which access keys are switched on.
func (c userCheck) checkStatuses() error {
	for _, k := range c.is.Keys {
		i := slices.IndexFunc(c.was.Keys, func(w accessKey) bool { return w.ID == k.ID })
		if i < 0 {
			continue
		}
		was, wanted := c.was.Keys[i].Status, c.was.Keys[i].Status
		if c.o.kind == switchKey && k.ID == c.o.user.key {
			wanted = c.o.user.status
		}
		if err := c.part(partKey, was, wanted, k.Status); err != nil {
			return fmt.Errorf("the access key %s is %s: %w", k.ID, k.Status, err)
		}
	}
	return nil
}

// checkAnswer compares what the answer shows with what is there. The answer to a
// deletion shows what was there.
func (c userCheck) checkAnswer() error {
	a := c.out.users
	switch {
	case a == nil || c.fresh || c.others.any():
		return nil
	case a.user != nil && c.o.kind == deleteUser:
		return a.shows(c.was)
	case a.user != nil:
		if c.out.keys.left { // whether those keys are gone may not be known
			a.user.Keys = slices.DeleteFunc(a.user.Keys, func(k accessKey) bool { return c.is != nil && !slices.Contains(c.is.keyIDs(), k.ID) })
		}
		return a.shows(c.is)
	case a.key != nil && c.o.kind == deleteKey:
		return errorIf(c.was == nil || !slices.Contains(c.was.Keys, *a.key), "the answer shows another access key than was there")
	case a.key != nil:
		return errorIf(c.is == nil || !slices.Contains(c.is.Keys, *a.key), "the answer shows another access key than is there")
	}
	return nil
}
