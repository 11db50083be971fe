package service

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// passwordUser is the user name that goes with every password.
	passwordUser = "AWS"
	// passwordLife is how long a password is good, if the session that asked for
	// it does not end before.
	passwordLife = 12 * time.Hour
)

// ErrNoLogin means that a request has no password, or one that nobody was given.
var ErrNoLogin = errors.New("the request has no valid user name and password")

// password stands for the caller that asked for it.
type password struct {
	accessKey string   // of the caller
	session   *Session // of a role; nil if it is a user's or the administrator's
	ofUser    bool
	region    string // the only one in which it is good
	expires   time.Time
}

// NewPassword returns a password with which the caller can log in as itself, in
// the region of this call. AWS says that it is good for twelve hours, and so
// says the time that comes back. It ends before that if the caller is the session
// of a role that does.
func (c *Request) NewPassword() (text string, expires time.Time) {
	expires = c.Now.Add(passwordLife)
	p := &password{accessKey: c.AccessKey, ofUser: c.Session.ofUser(), region: c.Region, expires: expires}
	if s := c.Session; s.ofRole() {
		p.session = s
		if s.Expires.Before(expires) {
			p.expires = s.Expires
		}
	}
	text = rand.Text() + rand.Text() + rand.Text()
	c.sessions.addPassword(text, p, c.Now)
	return text, expires
}

func (ss *Sessions) addPassword(text string, p *password, now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.passwords.Add(text, p, now)
}

// findPassword returns nil if nobody was given the password, or if its session
// has been forgotten.
func (ss *Sessions) findPassword(text string) *password {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p, ok := ss.passwords.Get(text)
	if !ok {
		return nil
	}
	if session, _ := ss.sessions.Get(p.accessKey); session != p.session {
		return nil
	}
	return p
}

// Login is a caller that has logged in with a password, in a request that does
// not speak the protocol of a service, such as a request of docker.
type Login struct {
	server   *Server
	http     *http.Request
	password *password
	session  *Session // nil for the administrator
}

// LogIn finds the caller by the user name and the password of the request (RFC
// 7617). The error is ErrNoLogin, or an Error if the password has expired.
func (s *Server) LogIn(r *http.Request) (*Login, error) {
	user, text, _ := r.BasicAuth()
	p := s.o.Sessions.findPassword(text)
	if p == nil || user != passwordUser {
		return nil, ErrNoLogin
	}
	if !s.o.Now().Before(p.expires) {
		return nil, Errorf(codeExpiredToken, "Your authorization token has expired. Reauthenticate and try again.")
	}
	session, ok := s.sessionOf(p)
	if !ok {
		return nil, ErrNoLogin
	}
	return &Login{server: s, http: r, password: p, session: session}, nil
}

// sessionOf returns the session for which a password stands, nil for the
// administrator's. A user is looked up at each request, so that it has the
// rights and tags that it has now. ok is false if its key is inactive, or gone
// with the user or alone. AWS says that a password has the permissions of the
// principal that asked for it. That they are looked up anew, and that a password
// is refused as soon as its key is, is a guess: AWS does not document it.
func (s *Server) sessionOf(p *password) (session *Session, ok bool) {
	if !p.ofUser {
		return p.session, true
	}
	session, _ = s.o.UserKeys.Find(p.accessKey)
	return session, session != nil
}

// Region returns the region in which the caller may do something.
func (l *Login) Region() string { return l.password.region }

// Perform does one operation of a service, such as PutImage of ecr, like a call
// of the operation: with its permissions and its faults, and Watch sees it. The
// input is that of the operation's row. An error is an Error.
func (l *Login) Perform(service, operation, repository string, in Input) (any, error) {
	c := l.server.newRequest(l.http)
	c.Service, c.Operation, c.Repository = service, operation, repository
	c.AccessKey, c.Region = l.password.accessKey, l.password.region
	c.setSession(l.session)
	if l.password.ofUser {
		l.server.o.UserKeys.Used(c.AccessKey, service, c.Region, c.Now)
	}
	out, err := l.server.performNamed(c, in)
	if err != nil {
		e := asError(err)
		c.ErrorCode, err = e.Code, e
	}
	l.server.end(c)
	return out, err
}

func (s *Server) performNamed(c *Request, in Input) (any, error) {
	service, err := s.named(c.Service)
	if err != nil {
		return nil, err
	}
	operation, err := service.find(c.Operation)
	if err != nil {
		return nil, err
	}
	return s.performWithFault(c, func() (any, error) { return service.perform(c, operation, in) })
}

// Flow returns the bytes of a layer that a call receives or sends. A fault can
// stop them on their way.
type Flow func(ctx context.Context, layer io.Reader) io.Reader

// Flow is the Flow of bytes in this call.
func (c *Request) Flow(layer io.Reader) io.Reader { return c.FlowLater()(c.http.Context(), layer) }

// FlowLater is for bytes that flow in another request, after the call. What it
// returns keeps the fault of the call, and nothing else of it.
func (c *Request) FlowLater() Flow {
	if c.fault == nil {
		return func(_ context.Context, layer io.Reader) io.Reader { return layer }
	}
	return c.fault.Flow
}
