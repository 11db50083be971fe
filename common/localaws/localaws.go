// Package localaws is an AWS inside the process: STS, IAM and ECR on their wire
// protocols, and the registry to which docker pushes, for the local mode of the
// service and for its tests.
//
// It follows the rules of the real services: names, limits, pages and errors.
// It knows which accounts, roles and users exist, and it decides every call by the
// policies of the caller and of the repository. The access key identifies the
// caller. A key that AssumeRole issued belongs to its session, and one that IAM
// issued to its user. A caller with any other key is the administrator of
// AdministratorAccount. Tests and users can add faults, in Go with Server.Inject
// and over HTTP at the path /faults.
//
// Each service has a folder. To add one, write a package with a service.Service
// as in sts, and add it to the list in New. A handler that does not speak a
// protocol of AWS is added to the paths in New.
package localaws

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/fault"
	"github.com/YaleSpinup/ecr-api/common/localaws/iam"
	"github.com/YaleSpinup/ecr-api/common/localaws/registry"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
	"github.com/YaleSpinup/ecr-api/common/localaws/sts"
)

// AdministratorAccount is the account of the administrator. The administrator
// may do everything in it.
const AdministratorAccount = service.AdministratorAccount

// CodeClientGone is the ErrorCode of a Call whose client hung up during the
// delay of a Fault.
const CodeClientGone = fault.CodeClientGone

// The types of the services that users of this package need.
type (
	// Call is one call as the server sees it.
	Call = service.Call
	// Fault is a misbehaviour of this AWS.
	Fault = fault.Fault
	// Role is a role that AssumeRole can assume.
	Role = sts.Role
	// User is a user of IAM to add with AddUser.
	User = iam.User
	// UserNow is a user of IAM as it is.
	UserNow = iam.UserNow
	// KeyNow is an access key of a UserNow.
	KeyNow = iam.KeyNow
	// Image is an image to add with AddImage.
	Image = ecr.Image
	// Scan is a scan of an Image.
	Scan = ecr.Scan
	// Finding is a vulnerability that a Scan has found.
	Finding = ecr.Finding
	// Attribute is what basic scanning tells of a Finding.
	Attribute = ecr.Attribute
	// Package is a package that has a Finding.
	Package = ecr.Package
	// CVSS is a score of a Finding.
	CVSS = ecr.CVSS
	// Previews says how the previews of lifecycle policies go.
	Previews = ecr.Previews
)

// Options of New. The zero value is an AWS without roles.
type Options struct {
	// Roles are the roles that AssumeRole can assume. Only their accounts and
	// AdministratorAccount exist.
	Roles []Role
	// RegistryHost is the host and the port by which docker reaches this server,
	// such as 127.0.0.1:4566. Repositories have URIs with it. If it is empty, they
	// have the URIs of AWS.
	RegistryHost string
	// LayerLimit is how many bytes all layers of images together may have, with
	// those that are being uploaded. 0 means 10 GiB.
	LayerLimit int64
	// Now tells the time, also for the header Date. nil means time.Now.
	Now func() time.Time
	// Watch, if set, is called for every call, also for those that fail. It is
	// called when the answer is known, before the answer is sent. It must be
	// safe for concurrent use.
	Watch func(Call)
}

// Server is the AWS. It is an http.Handler and safe for concurrent use.
type Server struct {
	accounts map[string]bool // those that exist
	faults   *fault.List
	sessions *service.Sessions
	sts      *sts.Store
	iam      *iam.Store
	ecr      *ecr.Store
	calls    *service.Server
	paths    map[string]http.Handler // other handlers, by the beginning of the path
}

// New returns an AWS with the roles given and without repositories. An error
// names the role that is wrong.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LayerLimit == 0 {
		o.LayerLimit = 10 << 30
	}
	sessions := service.NewSessions()
	assuming, err := sts.New(o.Roles, sessions)
	if err != nil {
		return nil, fmt.Errorf("localaws: %w", err)
	}
	s := &Server{
		accounts: accounts(o.Roles),
		faults:   new(fault.List),
		sessions: sessions,
		sts:      assuming,
		iam:      iam.New(o.Now),
		ecr:      ecr.New(o.Now, o.RegistryHost, o.LayerLimit),
	}
	s.ecr.PrincipalExists = s.principalExists
	s.iam.UserDeleted = s.ecr.RemoveUser
	s.calls = service.NewServer(service.Options{
		Services: []service.Service{
			s.ecr.Service(),
			s.sts.Service(),
			s.iam.Service(),
		},
		Sessions: sessions,
		UserKeys: s.iam,
		Now:      o.Now,
		Watch:    o.Watch,
		FaultFor: s.faults.FaultFor,
	})
	s.paths = map[string]http.Handler{
		"/faults":        fault.NewHandler(s.faults, s.calls.OperationNames()),
		ecr.DownloadPath: http.HandlerFunc(s.ecr.ServeDownload),
		"/v2":            registry.New(s.calls),
	}
	return s, nil
}

// accounts returns the accounts that exist.
func accounts(roles []Role) map[string]bool {
	exist := map[string]bool{AdministratorAccount: true}
	for _, r := range roles {
		exist[r.Account] = true
	}
	return exist
}

// ServeHTTP answers a call of any service, or a request to one of the paths.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for path, handler := range s.paths {
		if r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
			handler.ServeHTTP(w, r)
			return
		}
	}
	s.calls.ServeHTTP(w, r)
}

// Close removes the layers of images, which are in a temporary directory. After
// that no layer can be uploaded.
func (s *Server) Close() error { return s.ecr.Close() }

// IsRegistry tells whether a request is one of docker to a registry of AWS, by
// the host that the registry has in AWS.
func IsRegistry(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v2/") && registry.IsHost(r.Host)
}

// Inject adds a fault. The fault can hit every call that has a valid signature
// and a readable input. Inject returns a function that removes the fault.
func (s *Server) Inject(f Fault) (remove func()) {
	return s.faults.Inject(f)
}

// ForgetSessions makes the sessions of an account unknown, as if its roles had
// been deleted and made anew.
func (s *Server) ForgetSessions(account string) { s.sessions.Forget(account) }

// RemoveRole removes a role, as if it had been deleted: its sessions are unknown,
// and the policies of repositories have its unique id in place of its ARN.
func (s *Server) RemoveRole(account, name string) error {
	if !s.sts.RemoveRole(account, name) {
		return fmt.Errorf("localaws: there is no role %s/%s", account, name)
	}
	s.ecr.RemoveRole(account, name)
	return nil
}

// AddRepository adds a repository directly, without checking a policy.
func (s *Server) AddRepository(account, region, name string, tags map[string]string) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.AddRepository(place, name, tags)
	}
	return wrap(err)
}

// AddImage adds an image directly to a repository that exists. If other images
// have its tags, they lose them.
func (s *Server) AddImage(account, region, repository string, img Image) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.AddImage(place, repository, img)
	}
	return wrap(err)
}

// SetLifecycle sets the lifecycle policy of a repository directly.
func (s *Server) SetLifecycle(account, region, repository, text string) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.SetLifecycle(place, repository, text)
	}
	return wrap(err)
}

// AddPreview starts a preview of a lifecycle policy directly. It takes the place
// of one that is in progress.
func (s *Server) AddPreview(account, region, repository, text string) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.AddPreview(place, repository, text)
	}
	return wrap(err)
}

// SetPolicy sets the policy of a repository directly, also one with principals
// that do not exist. An empty text removes it.
func (s *Server) SetPolicy(account, region, repository, text string) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.SetPolicy(place, repository, text)
	}
	return wrap(err)
}

// SetScanning sets the type of the scanning of a registry directly: BASIC or
// ENHANCED. Enhanced scanning is continuous then, for all repositories. It shows
// enhanced scans only, as AWS does, and basic scanning shows basic ones only.
func (s *Server) SetScanning(account, region, scanType string) error {
	place, err := s.place(account, region)
	if err == nil {
		err = s.ecr.SetScanning(place, scanType)
	}
	return wrap(err)
}

// SetPreviews says how the previews of lifecycle policies go from now on, also
// those that are in progress or complete. It is for tests: with Looks that are
// never used up, a preview stays in progress until it is called again.
func (s *Server) SetPreviews(p Previews) error { return wrap(s.ecr.SetPreviews(p)) }

// EvaluateLifecycles does now what the lifecycle policies of all repositories
// say: images are deleted or archived. AWS does so within a day. Here nobody else
// does.
func (s *Server) EvaluateLifecycles() { s.ecr.EvaluateLifecycles() }

// place returns an account in a region, or an error if one of them does not
// exist.
func (s *Server) place(account, region string) (service.Place, error) {
	place := service.Place{Account: account, Region: service.Region(region)}
	if !s.accounts[account] {
		return place, fmt.Errorf("there is no account %q", account)
	}
	if !place.Region.Valid() {
		return place, fmt.Errorf("there is no region %q", region)
	}
	return place, nil
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("localaws: %w", err)
	}
	return nil
}
