package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const (
	region  = "us-east-1"
	org     = "spindev"
	auditor = "AUDITOR" // access key and session name of who looks at AWS past the service
	recent  = 15        // calls that are remembered of each repository
)

var (
	accounts = []string{localaws.AdministratorAccount, "210987654321", "111122223333"}
	groups   = []string{"spindev-00001", "spindev-00002", "research"}
)

// A cloud is a local AWS that listens and, where it is told to, misbehaves.
type cloud struct {
	*localaws.Server
	url    string
	http   *http.Server
	audits map[string]*ecr.ECR // by account; no fault hits them

	mu     sync.Mutex
	faults map[string]int      // calls hit, by kind
	calls  map[string]int      // all of the service's, by operation
	last   map[string][]string // calls and faults, by account/repository
	unsure map[string]int      // calls whose outcome the service cannot know, by account/repository
}

func startCloud() (*cloud, error) {
	c := &cloud{audits: map[string]*ecr.ECR{}, faults: map[string]int{}, calls: map[string]int{}, last: map[string][]string{}, unsure: map[string]int{}}
	var roles []localaws.Role
	for _, account := range accounts {
		roles = append(roles, localaws.Role{Account: account, Name: "ecr-api", Trust: config.TrustPolicy, Permissions: config.RolePolicy})
	}
	server, err := localaws.New(localaws.Options{Roles: roles, Watch: c.watch})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.Server, c.url = server, "http://"+listener.Addr().String()
	c.http = &http.Server{Handler: server, ReadHeaderTimeout: time.Minute}
	go c.http.Serve(listener) // until Close
	return c, c.enter()
}

func (c *cloud) Close() { c.http.Close() }

// enter makes a client for each account that signs as the auditor.
func (c *cloud) enter() error {
	s, err := session.NewSession(&aws.Config{
		Region:      aws.String(region),
		Endpoint:    aws.String(c.url),
		Credentials: credentials.NewStaticCredentials(auditor, "any", ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
	if err != nil {
		return err
	}
	for _, account := range accounts {
		role := stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
			p.ExternalID = aws.String("local")
			p.RoleSessionName = auditor
		})
		c.audits[account] = ecr.New(s, &aws.Config{Credentials: role})
	}
	return nil
}

func isAuditor(call localaws.Call) bool {
	return call.AccessKey == auditor || strings.HasSuffix(call.Principal, "/"+auditor)
}

// throttled is the one fault after which it is certain that nothing was done.
const throttled = "throttled"

// A misbehaviour is a kind of fault and the share of calls that it hits.
type misbehaviour struct {
	name  string
	share float64
	fault localaws.Fault
}

// misbehaviours of one service, whose codes these are. A stall is longer than
// any request lives: the caller leaves, and nothing is done.
func misbehaviours(throttle, failure string) []misbehaviour {
	return []misbehaviour{
		{throttled, 0.20, localaws.Fault{Code: throttle, Message: "Rate exceeded"}},
		{"failed before the work", 0.10, localaws.Fault{Code: failure, Status: 500}},
		{"failed after the work", 0.05, localaws.Fault{Code: failure, Status: 500, AfterWork: true}},
		{"dropped before the work", 0.025, localaws.Fault{Drop: true}},
		{"dropped after the work", 0.025, localaws.Fault{Drop: true, AfterWork: true}},
		{"stalled", 0.02, localaws.Fault{Delay: time.Minute}},
	}
}

// misbehave has the faults hit all calls but the auditor's.
func (c *cloud) misbehave() {
	c.inject("ecr", misbehaviours("ThrottlingException", "ServerException"))
	c.inject("sts", misbehaviours("Throttling", "InternalFailure"))
}

func (c *cloud) inject(service string, kinds []misbehaviour) {
	left := 1.0 // the share of calls that no fault before has hit
	for _, kind := range kinds {
		f := kind.fault
		f.Operation = "*"
		f.Probability = kind.share / left
		f.When = func(call localaws.Call) bool {
			if call.Service != service || isAuditor(call) {
				return false
			}
			c.note(call, kind.name)
			return true
		}
		c.Inject(f)
		left -= kind.share
	}
}

// note remembers that a fault hits a call.
func (c *cloud) note(call localaws.Call, fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[fault]++
	if fault != throttled {
		c.unsure[call.Account+"/"+call.Repository]++
	}
	c.remember(call, fault)
}

// watch remembers an answered call.
func (c *cloud) watch(call localaws.Call) {
	if isAuditor(call) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call.Service+":"+call.Operation]++
	c.remember(call, "-> "+call.ErrorCode+" "+call.RequestID)
}

func (c *cloud) remember(call localaws.Call, what string) {
	if call.Repository == "" {
		return
	}
	key := call.Account + "/" + call.Repository
	line := fmt.Sprintf("%s %s %s", time.Now().Format("05.000"), call.Operation, what)
	c.last[key] = append(c.last[key], line)
	if n := len(c.last[key]); n > recent {
		c.last[key] = c.last[key][n-recent:]
	}
}

// callsOf returns the last calls that named the repository, for a report.
func (c *cloud) callsOf(account, name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.last[account+"/"+name], "\n    ")
}

// unsureOf returns how many calls that named the repository may have done their
// work or not.
func (c *cloud) unsureOf(account, name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsure[account+"/"+name]
}

// look returns the state of a repository in AWS.
func (c *cloud) look(account, name string) (state, error) {
	out, err := c.audits[account].DescribeRepositories(&ecr.DescribeRepositoriesInput{RepositoryNames: []*string{&name}})
	if fault, ok := err.(awserr.Error); ok && fault.Code() == ecr.ErrCodeRepositoryNotFoundException {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	return c.stateOf(account, out.Repositories[0])
}

func (c *cloud) stateOf(account string, r *ecr.Repository) (state, error) {
	out, err := c.audits[account].ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
	if err != nil {
		return state{}, err
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[*t.Key] = *t.Value
	}
	return state{
		Exists:     true,
		Scan:       *r.ImageScanningConfiguration.ScanOnPush,
		Mutability: *r.ImageTagMutability,
		Tags:       mergeTags("", tags),
	}, nil
}

// all returns the states of all repositories of an account, by name.
func (c *cloud) all(account string) (map[string]state, error) {
	states := map[string]state{}
	var failed error
	err := c.audits[account].DescribeRepositoriesPages(&ecr.DescribeRepositoriesInput{}, func(page *ecr.DescribeRepositoriesOutput, _ bool) bool {
		for _, r := range page.Repositories {
			if states[*r.RepositoryName], failed = c.stateOf(account, r); failed != nil {
				return false
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return states, err
}
