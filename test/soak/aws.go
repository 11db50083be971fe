package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
)

const (
	region = "us-east-1"
	org    = "spindev"

	// auditor is the access key, the role and the session name with which this
	// program itself reads AWS, without the service.
	auditor = "AUDITOR"
	// everything is the policy of the auditor's role.
	everything = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`

	// sessionSeconds is how long sessions of the management role may last.
	sessionSeconds = 12 * 60 * 60

	recentCalls = 15 // how many calls are kept of each repository
)

var (
	accounts = []string{localaws.AdministratorAccount, "210987654321", "111122223333"}
	groups   = []string{"spindev-00001", "spindev-00002", "research"}
)

// faultyAWS is a local AWS that listens. injectFaults adds its faults.
type faultyAWS struct {
	*localaws.Server
	url     string
	http    *http.Server
	session *session.Session    // the auditor's, without a role
	clients map[string]*ecr.ECR // the auditor's, by account; faults do not hit them

	mu        sync.Mutex
	faults    map[string]int                 // how many calls each kind of fault hit
	calls     map[string]int                 // how many calls the service made, by operation
	recent    map[string][]string            // the recent calls and faults, by account/repository
	uncertain map[string]int                 // how many calls may or may not have done their work, by account/repository
	changing  map[string]string              // the account/repository of each operation in awaited that is under way, by its id
	followers map[string]func(localaws.Call) // are told of each call, by account/repository
	written   map[string]time.Time           // when IAM was last written, by account/repository
	touches   map[string]int                 // how many calls of the service were to change something, by account/repository
	iam       map[string]*iam.IAM            // the auditor's, by account
	ended     chan struct{}                  // closed at the end
}

func startAWS() (*faultyAWS, error) {
	a := &faultyAWS{
		clients: map[string]*ecr.ECR{}, faults: map[string]int{}, calls: map[string]int{}, recent: map[string][]string{},
		uncertain: map[string]int{}, changing: map[string]string{}, followers: map[string]func(localaws.Call){},
		written: map[string]time.Time{}, touches: map[string]int{}, iam: map[string]*iam.IAM{}, ended: make(chan struct{}),
	}
	var roles []localaws.Role
	for _, account := range accounts {
		roles = append(roles,
			localaws.Role{Account: account, Name: "ecr-api", Trust: config.TrustPolicy, Permissions: []string{config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy, usersPolicy},
				MaxSessionDuration: sessionSeconds},
			localaws.Role{Account: account, Name: auditor, Trust: config.TrustPolicy, Permissions: []string{everything}})
	}
	server, err := localaws.New(localaws.Options{Roles: roles, Watch: a.watch})
	if err != nil {
		return nil, err
	}
	if err := setUpUsers(server); err != nil {
		return nil, err
	}
	for _, operation := range awaited {
		server.Inject(localaws.Fault{Operation: operation, When: a.beginChange})
	}
	if err := server.SetPreviews(localaws.Previews{Looks: 1}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a.Server, a.url = server, "http://"+listener.Addr().String()
	a.http = &http.Server{Handler: server, ReadHeaderTimeout: time.Minute}
	go a.http.Serve(listener) // until Close
	return a, a.assumeRoles()
}

func (a *faultyAWS) Close() {
	close(a.ended)
	a.http.Close()
	a.Server.Close()
}

// assumeRoles makes the auditor's client for each account.
func (a *faultyAWS) assumeRoles() error {
	s, err := session.NewSession(&aws.Config{
		Region:      aws.String(region),
		Endpoint:    aws.String(a.url),
		Credentials: credentials.NewStaticCredentials(auditor, "any", ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
	if err != nil {
		return err
	}
	a.session = s
	for _, account := range accounts {
		role := stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/"+auditor, func(p *stscreds.AssumeRoleProvider) {
			p.ExternalID = aws.String("local")
			p.RoleSessionName = auditor
		})
		a.clients[account] = ecr.New(s, &aws.Config{Credentials: role})
		a.iam[account] = iam.New(s, &aws.Config{Credentials: role})
	}
	return nil
}

// isAuditor tells whether this program itself makes a call, also as docker.
func isAuditor(call localaws.Call) bool {
	return call.AccessKey == auditor || strings.HasPrefix(call.AccessKey, userKeys) || strings.HasSuffix(call.Principal, "/"+auditor) || isDocker(call)
}

// isDocker tells whether docker makes a call, with the password of a caller. The
// session of such a password may make passwords, and no other session may. Only
// the service itself does that.
func isDocker(call localaws.Call) bool {
	const makePassword = "GetAuthorizationToken"
	return strings.Contains(call.Policy, "ecr:"+makePassword) && call.Operation != makePassword
}

// throttled is the only kind of fault after which it is certain that nothing
// was done.
const throttled = "throttled"

// faultKind is a kind of fault and the share of the calls that it hits.
type faultKind struct {
	name  string
	share float64
	fault localaws.Fault
}

// faultKinds returns the faults of one service, which has these error codes and
// throttles that share of the calls. The stall is longer than any request: the service gives up first, and nothing
// is done.
func faultKinds(throttle string, share float64, failure string) []faultKind {
	return []faultKind{
		{throttled, share, localaws.Fault{Code: throttle, Message: "Rate exceeded"}},
		{"failed before the work", 0.10, localaws.Fault{Code: failure, Status: 500}},
		{"failed after the work", 0.05, localaws.Fault{Code: failure, Status: 500, AfterWork: true}},
		{"dropped before the work", 0.025, localaws.Fault{Drop: true}},
		{"dropped after the work", 0.025, localaws.Fault{Drop: true, AfterWork: true}},
		{"stalled", 0.02, localaws.Fault{Delay: time.Minute}},
	}
}

// lostAnswers are more of the faults after which it is hardest to say what was
// done. They hit the operations in awaited before the others do.
var lostAnswers = []faultKind{
	{"failed after the work", 0.10, localaws.Fault{Code: "ServerException", Status: 500, AfterWork: true}},
	{"dropped after the work", 0.10, localaws.Fault{Drop: true, AfterWork: true}},
}

// injectFaults makes calls fail at random, except the auditor's.
func (a *faultyAWS) injectFaults() {
	go a.changeDelays(a.ended)
	always := func() bool { return true }
	for _, operation := range awaited {
		a.inject(strings.Split(operation, ":")[0], operation, always, lostAnswers)
	}
	a.inject("ecr", "*", inStorm, faultKinds("ThrottlingException", 0.20, "ServerException"))
	a.inject("iam", "*", inStorm, faultKinds("Throttling", 0.10, "ServiceFailure"))
	// If STS throttles more, the service starts hardly any sessions. Each
	// repository that is shared takes one.
	a.inject("sts", "*", inStorm, faultKinds("Throttling", 0.01, "InternalFailure"))
}

// inStorm tells whether a fault hits now. Every other second few faults do. So
// requests of many calls succeed too, and the service has retries to spend: it has
// none left where everything fails.
func inStorm() bool { return time.Now().Unix()%2 == 0 || rand.IntN(5) == 0 }

func (a *faultyAWS) inject(service, operation string, hits func() bool, kinds []faultKind) {
	remaining := 1.0 // the share of the calls that no earlier fault hits
	for _, kind := range kinds {
		f := kind.fault
		f.Operation = operation
		f.Probability = kind.share / remaining
		f.When = func(call localaws.Call) bool {
			if call.Service != service || isAuditor(call) || !hits() {
				return false
			}
			a.noteFault(call, kind.name)
			return true
		}
		a.Inject(f)
		remaining -= kind.share
	}
}

// noteFault counts a fault that hits a call.
func (a *faultyAWS) noteFault(call localaws.Call, kind string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults[kind]++
	if kind != throttled {
		a.uncertain[call.Account+"/"+repositoryOf(call)]++
	}
	a.keep(call, kind)
}

// watch counts a call of the service that was answered.
func (a *faultyAWS) watch(call localaws.Call) {
	a.noteWrite(call)
	if isAuditor(call) {
		return
	}
	a.noteTouch(call)
	if follow := a.count(call); follow != nil {
		follow(call)
	}
	a.endChange(call)
}

// count returns who follows the call, or nil.
func (a *faultyAWS) count(call localaws.Call) func(localaws.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[call.Service+":"+call.Operation]++
	a.keep(call, "-> "+call.ErrorCode+" "+call.RequestID)
	return a.followers[call.Account+"/"+repositoryOf(call)]
}

// counts returns how many calls were answered and how many faults hit one. A call
// of a service that has ended may still come to its end.
func (a *faultyAWS) counts() (calls, faults map[string]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.calls), maps.Clone(a.faults)
}

// follow calls the function with each call of the service that names the
// repository, before the call is answered. If it is nil, nobody follows any
// more.
func (a *faultyAWS) follow(account, name string, follower func(localaws.Call)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.followers[account+"/"+name] = follower; follower == nil {
		delete(a.followers, account+"/"+name)
	}
}

// keep adds a line to the recent calls of a repository.
func (a *faultyAWS) keep(call localaws.Call, result string) {
	name := repositoryOf(call)
	if name == "" {
		return
	}
	key := call.Account + "/" + name
	line := fmt.Sprintf("%s %s %s", time.Now().Format("05.000"), call.Operation, result)
	a.recent[key] = append(a.recent[key], line)
	if n := len(a.recent[key]); n > recentCalls {
		a.recent[key] = a.recent[key][n-recentCalls:]
	}
}

// recentCallsOf returns the recent calls that named the repository, for a
// report.
func (a *faultyAWS) recentCallsOf(account, name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.recent[account+"/"+name], "\n    ")
}

// uncertainCallsOf returns how many calls that named the repository may or may
// not have done their work.
func (a *faultyAWS) uncertainCallsOf(account, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.uncertain[account+"/"+name]
}

// stateOf returns the state of a repository in AWS.
func (a *faultyAWS) stateOf(account, name string) (state, error) {
	found, err := a.describe(account, name)
	if isCode(err, ecr.ErrCodeRepositoryNotFoundException) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	return a.stateOfPresent(account, found[0])
}

// stateOfPresent returns the state of a repository that AWS has described.
func (a *faultyAWS) stateOfPresent(account string, d *description) (state, error) {
	out, err := a.clients[account].ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: d.RepositoryArn})
	if err != nil {
		return state{}, err
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[*t.Key] = *t.Value
	}
	images, err := a.imagesOf(account, *d.RepositoryName)
	if err != nil {
		return state{}, err
	}
	policy, err := a.policyOf(account, *d.RepositoryName)
	if err != nil {
		return state{}, err
	}
	lifecycle, err := a.lifecycleOf(account, *d.RepositoryName)
	return state{
		Exists:     true,
		Scan:       *d.ImageScanningConfiguration.ScanOnPush,
		Mutability: d.mutability(),
		Tags:       mergeTags("", tags),
		Sharing:    readPolicy(policy, account),
		Lifecycle:  lifecycle,
		Images:     newLibrary(images),
	}, err
}

// states returns the states of all repositories of an account, by name.
func (a *faultyAWS) states(account string) (map[string]state, error) {
	found, err := a.describe(account)
	if err != nil {
		return nil, err
	}
	states := map[string]state{}
	for _, d := range found {
		if states[*d.RepositoryName], err = a.stateOfPresent(account, d); err != nil {
			return nil, err
		}
	}
	return states, nil
}
