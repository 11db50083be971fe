package service

import "time"

// UserKeys finds the users whose access keys sign calls. It is safe for
// concurrent use.
type UserKeys interface {
	// Find returns the user of an access key, as a session with a Principal that
	// has a UserName, a Secret, Permissions and perhaps a Boundary. Nobody changes
	// it after that. ok is false if the key has never belonged to a user. A key
	// that is inactive or was deleted is known, and its session is nil.
	Find(accessKey string) (s *Session, ok bool)
	// Used notes that a call to a service was made with the key.
	Used(accessKey, service, region string, now time.Time)
}

// noUsers are the keys of users where there are none.
type noUsers struct{}

func (noUsers) Find(string) (*Session, bool) { return nil, false }

func (noUsers) Used(_, _, _ string, _ time.Time) {}

// identifyUser checks a call that was signed with a key of a user. The user is
// nil if the key is inactive or was deleted. AWS says the same then as for a key
// that it has never given out. A key of a user has no token.
func (s *Server) identifyUser(c *Request, user *Session, sig signature, body []byte) error {
	if user == nil || c.http.Header.Get(tokenHeader) != "" {
		return errUnknownClient()
	}
	c.setSession(user)
	if err := sig.verify(c.http, body, user.Secret); err != nil {
		return err
	}
	s.o.UserKeys.Used(sig.accessKey, c.Service, c.Region, c.Now)
	return nil
}
