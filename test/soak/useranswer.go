package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// usersAnswer is what an answer says of users.
type usersAnswer struct {
	names   []string   // of a list
	user    *user      // without what answers do not say
	key     *accessKey // that was made, switched or deleted
	secret  string     // of the key that was made
	deleted []string   // ids of the keys that a new one replaced
}

// keysOutcome says which access keys a request has made and deleted. It comes from
// the answer, or from the log.
type keysOutcome struct {
	made    string
	deleted []string
	left    bool // some that were to be deleted are still there
}

// keysOutcome returns what an answer says of keys.
func (a *usersAnswer) keysOutcome() keysOutcome {
	k := keysOutcome{deleted: a.deleted}
	if a.secret != "" {
		k.made = a.key.ID
		k.left = a.user != nil && len(a.user.Keys) > 1
	}
	return k
}

// keyAnswer is an access key in an answer.
type keyAnswer struct {
	AccessKeyId, SecretAccessKey, Status string
	CreateDate                           time.Time
	LastUsedDate                         *time.Time
}

// userAnswer is a user in an answer.
type userAnswer struct {
	UserName          string
	Access            *string
	AccessKeys        []keyAnswer
	Groups            []string
	Tags              []tag
	AccessKey         *keyAnswer
	DeletedAccessKeys []string
}

func readUsers(out outcome, s *sentRequest) (outcome, error) {
	out, err := parseUsers(out, s)
	out.keys = out.users.keysOutcome()
	return out, err
}

func parseUsers(out outcome, s *sentRequest) (outcome, error) {
	out.users = new(usersAnswer)
	switch s.operation.kind {
	case listUsers:
		err := json.Unmarshal(s.answer.body, &out.users.names)
		return out, err
	case makeKey, switchKey, deleteKey:
		var body keyAnswer
		if err := json.Unmarshal(s.answer.body, &body); err != nil {
			return out, err
		}
		return out, out.users.setKey(s.operation, body)
	default:
		var body userAnswer
		if err := json.Unmarshal(s.answer.body, &body); err != nil {
			return out, err
		}
		return out, out.users.setUser(s.operation, body)
	}
}

// setKey returns an error if the answer is malformed.
func (a *usersAnswer) setKey(o operation, body keyAnswer) error {
	a.key, a.secret = &accessKey{body.AccessKeyId, body.Status}, body.SecretAccessKey
	switch {
	case body.AccessKeyId == "" || body.CreateDate.IsZero():
		return fmt.Errorf("the answer has no access key")
	case (a.secret != "") != o.makesKey():
		return fmt.Errorf("the answer has a secret if it has made a key, and only then")
	case o.makesKey() && body.Status != "Active":
		return fmt.Errorf("the new key is %s", body.Status)
	}
	return nil
}

func (a *usersAnswer) setUser(o operation, body userAnswer) error {
	if body.UserName != o.user.name || body.AccessKeys == nil || body.Groups == nil || body.Tags == nil {
		return fmt.Errorf("the answer is about another user, or lacks a key")
	}
	u := &user{Name: body.UserName, Groups: body.Groups, Tags: map[string]string{}}
	if body.Access != nil {
		u.Policies = *body.Access
	}
	for _, t := range body.Tags {
		u.Tags[t.Key] = t.Value
	}
	for _, k := range body.AccessKeys {
		u.Keys = append(u.Keys, accessKey{k.AccessKeyId, k.Status})
	}
	a.user, a.deleted = u, body.DeletedAccessKeys
	if o.user.reset != (body.AccessKey != nil) || o.user.reset != (body.DeletedAccessKeys != nil) {
		return fmt.Errorf("the answer says which keys it has made and deleted if they were reset, and only then")
	}
	if o.user.reset {
		return a.setKey(o, *body.AccessKey)
	}
	return nil
}

// shows returns an error if the answer does not show the user.
func (a *usersAnswer) shows(u *user) error {
	if u == nil {
		return fmt.Errorf("the answer shows a user who is not there")
	}
	want := user{Name: u.Name, Policies: u.access(), Groups: u.Groups, Tags: u.Tags, Keys: u.Keys}
	for _, list := range []*user{&want, a.user} {
		list.Keys = slices.Clone(list.Keys)
		slices.SortFunc(list.Keys, func(a, b accessKey) int { return cmp.Compare(a.ID, b.ID) })
		list.Groups = append([]string{}, list.Groups...)
	}
	if !maps.Equal(want.Tags, a.user.Tags) || !slices.Equal(want.Keys, a.user.Keys) || !reflect.DeepEqual(want.Groups, a.user.Groups) || want.Policies != a.user.Policies {
		return fmt.Errorf("the answer shows %+v\n  and IAM has %+v", *a.user, *u)
	}
	return nil
}
