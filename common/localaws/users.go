package localaws

import (
	"fmt"
	"time"
)

// AddManagedPolicy adds a managed policy to an account, such as a permissions
// boundary. The name has its path before it, if it has one: /path/name.
func (s *Server) AddManagedPolicy(account, name, document string) error {
	return s.inAccount(account, func() error { return s.iam.AddPolicy(account, name, document) })
}

// AddIAMGroup adds an IAM group to an account, with its policies. The name has
// its path before it, if it has one: /path/name.
func (s *Server) AddIAMGroup(account, name string, policies ...string) error {
	return s.inAccount(account, func() error { return s.iam.AddGroup(account, name, policies...) })
}

// AddUser adds a user of IAM to an account directly. It is seen at once. The
// policies and groups that it names were added before.
func (s *Server) AddUser(account string, u User) error {
	return s.inAccount(account, func() error { return s.iam.AddUser(account, u) })
}

// AddUserKey adds an access key to a user of IAM directly. It can be used at
// once.
func (s *Server) AddUserKey(account, user string) (id, secret string, err error) {
	err = s.inAccount(account, func() error {
		id, secret, err = s.iam.AddKey(account, user, "")
		return err
	})
	return id, secret, err
}

// AddUserKeyWithID is AddUserKey for a key of that id, which no other key may have
// had.
func (s *Server) AddUserKeyWithID(account, user, id string) error {
	return s.inAccount(account, func() error {
		_, _, err := s.iam.AddKey(account, user, id)
		return err
	})
}

// UsersNow returns the users of an account whose paths begin with that text, by
// their names. They are as the last write has left them, whether that is seen yet
// or not.
func (s *Server) UsersNow(account, path string) map[string]UserNow { return s.iam.Now(account, path) }

// SetIAMDelay says after how long a write to IAM is seen, from now on: a new
// user is missing that long, and a deleted access key signs that long. It is 0
// at first.
func (s *Server) SetIAMDelay(d time.Duration) { s.iam.SetDelay(d) }

// inAccount runs a function if the account exists.
func (s *Server) inAccount(account string, do func() error) error {
	if !s.accounts[account] {
		return wrap(fmt.Errorf("there is no account %q", account))
	}
	return wrap(do())
}
