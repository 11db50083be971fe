// Package localaws is an AWS inside the process: STS and ECR on their wire protocols, for the
// service's local mode and for its tests.
//
// It keeps the services' own rules (names, limits, paging, errors), knows which accounts and roles
// exist, and decides every call by the policies of its caller. Who calls is told by the access key
// that signed: a key issued by AssumeRole is that session, any other is the administrator of the
// account 012345678901.
//
// It misbehaves on demand: in Go by Server.Inject, over HTTP at the path /faults.
//
// What is asked of AWS nowhere in this module is not here either: layers, replication, lifecycle
// and repository policies.
package localaws

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// AdministratorAccount is the account of every access key that AssumeRole did not issue.
const AdministratorAccount = "012345678901"

// Options of New; the zero value is an AWS with no roles.
type Options struct {
	// Roles are those that AssumeRole can assume. The accounts that exist are theirs and
	// AdministratorAccount.
	Roles []Role
	// Now tells the time, that of the header Date too; nil means time.Now.
	Now func() time.Time
	// Watch, when set, is told of every call, also of those that failed: when its answer is known and
	// before that goes out. It is called concurrently.
	Watch func(Call)
}

// Role is a role that AssumeRole can assume.
type Role struct {
	Account, Name string
	Trust         string // trust policy, JSON: who may assume the role, and how
	Permissions   string // permission policy, JSON: what its sessions may do at most
}

// Server is the AWS. It is an http.Handler and safe for concurrent use.
type Server struct {
	now      func() time.Time
	watch    func(Call)
	services map[string]service
	roles    map[string]role // by account/name
	accounts map[string]bool
	pageKey  []byte // authenticates the tokens of paging
	faults   faults

	faultsHTTP http.Handler // of the path /faults

	// mu guards what follows, in a call from its authorization to the end of its work.
	mu         sync.Mutex
	sessions   sessions
	registries map[place]*registry
}

// role is a Role with its policies parsed.
type role struct {
	Role
	trust, permissions policy.Policy
}

var (
	accountPattern  = regexp.MustCompile(`^[0-9]{12}$`)
	roleNamePattern = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
)

// New returns an AWS with the roles given and no repository. An error names the role that is at
// fault.
func New(o Options) (*Server, error) {
	s := &Server{
		now:        o.Now,
		watch:      o.Watch,
		services:   services(),
		roles:      make(map[string]role),
		accounts:   map[string]bool{AdministratorAccount: true},
		pageKey:    []byte(rand.Text()),
		sessions:   newSessions(),
		registries: make(map[place]*registry),
	}
	s.faultsHTTP = s.newFaultsHandler()
	if s.now == nil {
		s.now = time.Now
	}
	for _, r := range o.Roles {
		if err := s.addRole(r); err != nil {
			return nil, fmt.Errorf("localaws: role %s/%s: %w", r.Account, r.Name, err)
		}
	}
	return s, nil
}

func (s *Server) addRole(r Role) error {
	if !accountPattern.MatchString(r.Account) {
		return fmt.Errorf("the account is not twelve digits")
	}
	if !roleNamePattern.MatchString(r.Name) {
		return fmt.Errorf("the name does not satisfy %s", roleNamePattern)
	}
	if _, twice := s.roles[r.Account+"/"+r.Name]; twice {
		return fmt.Errorf("is there twice")
	}
	trust, err := policy.ParseTrust(r.Trust)
	if err != nil {
		return fmt.Errorf("trust policy: %w", err)
	}
	permissions, err := policy.Parse(r.Permissions)
	if err != nil {
		return fmt.Errorf("permission policy: %w", err)
	}
	s.roles[r.Account+"/"+r.Name] = role{Role: r, trust: trust, permissions: permissions}
	s.accounts[r.Account] = true
	return nil
}
