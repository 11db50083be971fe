package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// userEvents are what others did to a user during a request.
type userEvents struct {
	madeKeys, deletedKeys []string
	madeUser, deletedUser bool
}

func (e userEvents) any() bool {
	return len(e.madeKeys)+len(e.deletedKeys) > 0 || e.madeUser || e.deletedUser
}

// What others do to a user: somebody at the console, or another copy of the
// service.
const (
	othersMakeKey    = "others made a key"
	othersDeleteKey  = "others deleted a key"
	othersDeleteUser = "others deleted the user"
	othersMakeUser   = "others made the user"
)

// userWatch lets others do something right after a call of the service to IAM
// about the users of a repository.
type userWatch struct {
	aws    *faultyAWS
	r      *repository
	name   string // of the user
	others string // empty: nothing
	after  int    // the number of the call

	mu     sync.Mutex
	calls  int
	ended  bool
	events userEvents
	err    error
}

func (w *userWatch) begin() {
	if w.others != "" {
		w.aws.follow(w.r.account, w.r.fullName(), w.see)
	}
}

// end ends it, and returns what others did. After that they do nothing more.
func (w *userWatch) end() (userEvents, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.aws.follow(w.r.account, w.r.fullName(), nil)
	return w.events, w.err
}

// see is told of a call of the service before the call is answered.
func (w *userWatch) see(call localaws.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || call.Service != "iam" {
		return
	}
	if w.calls == w.after {
		w.err = w.act()
	}
	w.calls++
}

func (w *userWatch) act() error {
	now := findUser(w.aws.usersOf(w.r), w.name)
	switch {
	case w.others == othersMakeUser && now == nil:
		err := w.aws.AddUser(w.r.account, w.r.otherUser(w.name, map[string]string{"By": "others"}))
		w.events.madeUser = err == nil // otherwise the name is taken
	case now == nil:
		return nil
	case w.others == othersMakeKey && len(now.Keys) < 2:
		w.makeKey()
	case w.others == othersDeleteKey && len(now.Keys) > 0:
		w.events.deletedKeys = []string{now.Keys[0].ID}
		return w.aws.deleteUserKey(w.r, now.Name, now.Keys[0].ID)
	case w.others == othersDeleteUser:
		w.events.deletedUser = true
		return w.aws.deleteWholeUser(w.r, w.name)
	}
	return nil
}

// makeKey makes a key, unless the service makes the second one at the same time.
// Who has made a key uses it, so nobody can take it for one that nobody knows.
func (w *userWatch) makeKey() {
	if id, secret, err := w.aws.AddUserKey(w.r.account, w.r.userPrefix()+w.name); err == nil {
		w.events.madeKeys = []string{id}
		w.aws.tryKey(id, secret) // IAM notes a use that it refuses, too
	}
}

// with returns the users after what others did to one of them. The users before
// have all that was theirs.
func (e userEvents) with(users []user, now []user, name string) []user {
	users = slices.Clone(users)
	u := findUser(users, name)
	switch made := findUser(now, name); {
	case e.madeUser && made != nil && u == nil:
		users = append(users, *made)
		slices.SortFunc(users, func(a, b user) int { return cmp.Compare(a.Name, b.Name) })
		return users
	case u == nil:
		return users
	case e.deletedUser:
		return slices.DeleteFunc(users, func(u user) bool { return u.Name == name })
	}
	u.Keys = slices.DeleteFunc(slices.Clone(u.Keys), func(k accessKey) bool { return slices.Contains(e.deletedKeys, k.ID) })
	for _, id := range e.madeKeys {
		u.Keys = append(u.Keys, accessKey{id, "Active"})
	}
	return users
}

// chooseOthers returns what others do during an operation, and after which call.
func chooseOthers(random *rand.Rand, o operation) (what string, after int) {
	if random.IntN(3) > 0 || o.kind == listUsers {
		return "", 0
	}
	if o.kind == createUser {
		return othersMakeUser, random.IntN(2)
	}
	return []string{othersMakeKey, othersMakeKey, othersDeleteKey, othersDeleteUser}[random.IntN(4)], random.IntN(8)
}

// otherUser returns a user of the repository who is as the earlier service made
// users.
func (r *repository) otherUser(name string, tags map[string]string) localaws.User {
	return localaws.User{
		Path: r.userPath(), Name: r.userPrefix() + name, Tags: r.userTags(name, tags), Groups: []string{formerGroup},
	}
}

// tryKey asks for a password for docker with an access key, as docker's helper
// does.
func (a *faultyAWS) tryKey(id, secret string) error {
	_, err := ecr.New(a.session, &aws.Config{Credentials: credentials.NewStaticCredentials(id, secret, "")}).GetAuthorizationToken(nil)
	return err
}

func (a *faultyAWS) deleteUserKey(r *repository, name, id string) error {
	defer a.wrote(r.account, r.fullName())
	_, err := a.iam[r.account].DeleteAccessKey(&iam.DeleteAccessKeyInput{UserName: aws.String(r.userPrefix() + name), AccessKeyId: &id})
	return unlessGone(err)
}

// unlessGone returns nil for the error that something is not there.
func unlessGone(err error) error {
	if isCode(err, iam.ErrCodeNoSuchEntityException) {
		return nil
	}
	return err
}

// deleteWholeUser deletes a user as the console does, and all that it has. IAM may
// not show yet what it has, and the service may add something at the same time. So
// it goes on until the user is gone.
func (a *faultyAWS) deleteWholeUser(r *repository, name string) error {
	for range 50 {
		u := findUser(a.usersOf(r), name)
		if u == nil {
			return nil
		}
		if err := a.tryDeleteUser(r, *u); err != nil && !isCode(err, iam.ErrCodeDeleteConflictException) {
			return fmt.Errorf("deleting %+v: %w", u, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the user %s cannot be deleted", name)
}

func (a *faultyAWS) tryDeleteUser(r *repository, u user) error {
	defer a.wrote(r.account, r.fullName())
	client, name := a.iam[r.account], aws.String(r.userPrefix()+u.Name)
	for _, k := range u.Keys {
		if err := a.deleteUserKey(r, u.Name, k.ID); err != nil {
			return err
		}
	}
	for _, group := range u.Groups {
		if err := a.leaveGroup(r, u.Name, group); err != nil {
			return err
		}
	}
	for _, policy := range u.Attached {
		in := &iam.DetachUserPolicyInput{UserName: name, PolicyArn: aws.String("arn:aws:iam::" + r.account + ":policy/" + policy)}
		if _, err := client.DetachUserPolicy(in); unlessGone(err) != nil {
			return err
		}
	}
	if _, err := client.DeleteUserPolicy(&iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String("ecr-api")}); unlessGone(err) != nil {
		return err
	}
	_, err := client.DeleteUser(&iam.DeleteUserInput{UserName: name})
	return unlessGone(err)
}

func (a *faultyAWS) leaveGroup(r *repository, name, group string) error {
	defer a.wrote(r.account, r.fullName())
	in := &iam.RemoveUserFromGroupInput{UserName: aws.String(r.userPrefix() + name), GroupName: &group}
	_, err := a.iam[r.account].RemoveUserFromGroup(in)
	return unlessGone(err)
}
