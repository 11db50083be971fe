package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// keyring has the access keys that callers were handed out.
type keyring struct {
	mu      sync.Mutex
	secrets map[string]string // by id
}

func newKeyring() *keyring {
	return &keyring{secrets: map[string]string{}}
}

// see keeps the key that a request has made.
func (k *keyring) see(out outcome) {
	if out.users == nil || out.users.secret == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secrets[out.users.key.ID] = out.users.secret
}

// tryNewKey now and then uses the key of an answer, when IAM shows it.
func (w *worker) tryNewKey(r *repository, s *sentRequest, out outcome) {
	if out.users == nil || out.users.secret == "" || w.random.IntN(3) > 0 {
		return
	}
	k := findKey(r.users, out.users.key.ID)
	if k == nil || k.Status != "Active" {
		return // others have deleted it
	}
	w.aws.settle(r)
	if err := w.aws.tryKey(k.ID, out.users.secret); err != nil {
		w.violation("an access key does not work", r, s, out, err.Error())
	}
	w.report.countOther("an access key was tried")
}

func findKey(users []user, id string) *accessKey {
	for _, u := range users {
		if i := slices.IndexFunc(u.Keys, func(k accessKey) bool { return k.ID == id }); i >= 0 {
			return &u.Keys[i]
		}
	}
	return nil
}

// auditSecrets reports each secret that is in the log: those that callers were
// handed out, and those of keys that nobody was.
func (s *soak) auditSecrets() {
	for id, secret := range s.keys.secrets {
		if s.log.hasWord(secret) {
			s.report.violation("a secret is in the log", "  of the access key %s", id)
		}
	}
	for _, account := range accounts {
		for _, u := range s.aws.UsersNow(account, "/") {
			for _, k := range u.Keys {
				if s.log.hasWord(k.Secret) {
					s.report.violation("a secret is in the log", "  of the access key %s of %s", k.ID, u.Name)
				}
			}
		}
	}
	s.report.printf("access keys handed out %d", len(s.keys.secrets))
}

// foreignUsers are users of others, whom the service never touches: other
// names and paths, and the name of a user whom the service would make.
func (s *soak) foreignUsers() map[string][]localaws.User {
	foreign := map[string][]localaws.User{}
	for _, w := range s.workers {
		for _, r := range w.repositories {
			taken := r.otherUser(takenName, nil)
			taken.Path = "/spinup/" + org + "/elsewhere/" + r.name + "/"
			below := r.otherUser("below", nil)
			below.Path = r.userPath() + "below/"
			beside := r.otherUser("beside", nil)
			beside.Path, beside.Name = "/spinup/other/"+r.fullName()+"/", "other-"+beside.Name
			foreign[r.account] = append(foreign[r.account], taken, below, beside)
		}
	}
	return foreign
}

// addForeignUsers adds them, each with a key.
func (s *soak) addForeignUsers() error {
	for account, users := range s.foreignUsers() {
		for _, u := range users {
			if err := s.aws.AddUser(account, u); err != nil {
				return err
			}
			if _, _, err := s.aws.AddUserKey(account, u.Name); err != nil {
				return err
			}
		}
	}
	s.foreign = s.otherUsers()
	return nil
}

// otherUsers returns all users of IAM who are not those of a worker's
// repository, as text by account and name.
func (s *soak) otherUsers() map[string]string {
	others := map[string]string{}
	for _, account := range accounts {
		present := s.aws.UsersNow(account, "/")
		for _, w := range s.workers {
			for _, r := range w.repositories {
				for name, u := range present {
					if u.Path == r.userPath() && r.account == account {
						delete(present, name)
					}
				}
			}
		}
		for name, u := range present {
			others[account+"/"+name] = fmt.Sprintf("%+v", u)
		}
	}
	return others
}

// auditUsers compares the users in IAM with what is known of them, at the end.
func (s *soak) auditUsers() {
	for name, now := range s.otherUsers() {
		if now != s.foreign[name] {
			s.report.violation("a user of others has changed", "  %s: was %s\n  is %s", name, s.foreign[name], now)
		}
		delete(s.foreign, name)
	}
	for name, was := range s.foreign {
		s.report.violation("a user of others is gone", "  %s: %s", name, was)
	}
	for _, w := range s.workers {
		for _, r := range w.repositories {
			w.compareUsers(r)
		}
	}
	s.auditSecrets()
}

// compareUsers compares what is known of the users of a repository with IAM.
func (w *worker) compareUsers(r *repository) {
	now := w.aws.usersOf(r)
	if !slices.EqualFunc(r.users, now, func(a, b user) bool { return sameUser(&a, &b) }) {
		w.report.violation("IAM differs from the answers", "%s\n  known: %+v\n  IAM has: %+v", w.describe(r), r.users, now)
	}
}
