package api

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// What a caller may get access for.
const (
	pull = "pull"
	push = "push" // and pull
)

// A credentialsInput is the body of a request for credentials.
type credentialsInput struct {
	Access *string
}

func (credentialsInput) accesses() []string { return []string{pull, push} }

func (in credentialsInput) check() error {
	if in.Access == nil {
		return common.Errorf(common.BadRequest, "Access is needed: %s.", strings.Join(in.accesses(), " or "))
	}
	return checkOneOf("Access", in.Access, in.accesses()...)
}

// dockerCredentials are what docker needs for one repository.
type dockerCredentials struct {
	common.Unprintable
	Access        string
	ExpiresAt     common.Timestamp
	Username      string
	Password      string
	Registry      string // host
	RepositoryURI string `json:"RepositoryUri"`
	DockerConfig  dockerConfig
}

// A dockerConfig is a ~/.docker/config.json.
type dockerConfig struct {
	common.Unprintable
	Auths map[string]dockerAuth `json:"auths"` // by registry
}

type dockerAuth struct {
	common.Unprintable
	Auth string `json:"auth"` // user name and password, in base64
}

// createCredentials checks that the repository is our org's before it makes a
// session for it, one after the other: nobody asks for credentials often.
func createCredentials(ctx context.Context, t target, in credentialsInput) (*dockerCredentials, error) {
	t.record.access.asked = *in.Access
	repository, err := showRepository(ctx, t, nothing{})
	if err != nil {
		return nil, err
	}
	registry, _, named := strings.Cut(repository.RepositoryURI, "/")
	if !named || registry == "" {
		return nil, common.Errorf(common.Internal, "ECR says that the repository's URI is %q", repository.RepositoryURI)
	}
	var login *ecr.Login
	sessionEnds, err := t.inOwnSession(ctx, *in.Access, func(c *ecr.Client) (err error) {
		login, err = c.Login(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	expires := earlier(login.ExpiresAt, sessionEnds)
	t.record.access.expires = expires
	auth := base64.StdEncoding.EncodeToString([]byte(login.Username + ":" + login.Password))
	return &dockerCredentials{
		Access:        *in.Access,
		ExpiresAt:     common.Timestamp{Time: expires},
		Username:      login.Username,
		Password:      login.Password,
		Registry:      registry,
		RepositoryURI: repository.RepositoryURI,
		DockerConfig:  dockerConfig{Auths: map[string]dockerAuth{registry: {Auth: auth}}},
	}, nil
}

// earlier returns the earlier of two times. AWS does not say whether a password
// ends with the session that it stands for, so callers are told the earlier end.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// accessPolicies are the policies of the sessions whose rights callers get, by
// Access.
var accessPolicies = map[string]func(iam.Scope) iam.Policy{
	pull: accessPolicy("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
	push: accessPolicy(
		"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
		"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
}

// getToken is the action that makes a password. It is about no repository.
const getToken = "ecr:GetAuthorizationToken"

// accessPolicy allows the actions on one repository while its tag names our org,
// and a password for that. It denies everything else: a repository's own policy
// may allow the session more, and only an explicit Deny is stronger.
func accessPolicy(actions ...string) func(iam.Scope) iam.Policy {
	return func(s iam.Scope) iam.Policy {
		return iam.NewPolicy(
			iam.Allow("*", getToken),
			iam.Allow(s.Repository(), actions...).When("StringEquals", resourceOrg, s.Org),
			iam.Deny("*", actions...).When("StringNotEquals", resourceOrg, s.Org), // also without a tag
			iam.DenyOtherActions(append([]string{getToken}, actions...)...),
			iam.DenyElsewhere(s.Repository(), getToken),
		)
	}
}
