package api

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxPolicyTexts is how many texts of session policies are kept.
const maxPolicyTexts = 1024

// A connector makes the clients of requests. It is safe for concurrent use.
type connector struct {
	roles *roles.Roles
	ecr   *ecr.API
	texts *lru.Cache[policyKey, string] // encoding a policy again would cost more than a lookup
}

// A policyKey is what the text of a session policy depends on.
type policyKey struct {
	row   string // its name
	scope iam.Scope
}

func newConnector(c *common.Config, o observer) (*connector, error) {
	sdk, err := roles.NewSDKSession(c, o)
	if err != nil {
		return nil, err
	}
	r, err := roles.New(sdk, c, o)
	if err != nil {
		return nil, err
	}
	texts, err := lru.New[policyKey, string](maxPolicyTexts)
	if err != nil {
		return nil, err
	}
	return &connector{roles: r, ecr: ecr.New(sdk), texts: texts}, nil
}

// connect returns the clients of a request. They can do what the row's policy
// allows in the scope, and nothing else.
func (c *connector) connect(rt route, scope iam.Scope, rec *record) clients {
	key := policyKey{rt.Name, scope}
	text, ok := c.texts.Get(key)
	if !ok {
		text = rt.Policy(scope).String()
		c.texts.Add(key, text)
	}
	session := c.roles.Session(roles.Want{
		Registry: scope.Registry,
		Policy:   text,
		Key:      rec.key,
		Listed:   rec.settings.config.Accounts != nil, // no other account comes this far
	})
	return clients{connector: c, registry: scope.Registry, session: session}
}

// clients has the AWS clients of one request, which all use its session. A
// handler takes the clients that it needs.
type clients struct {
	connector *connector
	registry  common.Registry
	session   *roles.Session
}

// ECR returns the client of the request's registry.
func (c clients) ECR() *ecr.Client {
	return c.connector.ecr.Client(c.registry, c.session.Apply)
}
