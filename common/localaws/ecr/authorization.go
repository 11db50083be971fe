package ecr

import (
	"encoding/base64"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// authorizationInput is the input of GetAuthorizationToken. ECR ignores its only
// member, registryIds, nowadays.
type authorizationInput struct{ noRepository }

// Check finds nothing wrong.
func (authorizationInput) Check(*service.Request) error { return nil }

type authorizationOutput struct {
	Data []authorizationData `json:"authorizationData"`
}

// authorizationData is a password for docker, as "user:password" in base64.
type authorizationData struct {
	Token     string            `json:"authorizationToken"`
	ExpiresAt service.Timestamp `json:"expiresAt"`
	Endpoint  string            `json:"proxyEndpoint"`
}

func (s *Store) getAuthorizationToken(c *service.Request, _ authorizationInput) (any, error) {
	password, expires := c.NewPassword()
	return authorizationOutput{[]authorizationData{{
		Token:     base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
		ExpiresAt: service.Timestamp(expires),
		Endpoint:  s.endpoint(c.Place()),
	}}}, nil
}

// endpoint returns the URL of the registry of a place, for docker.
func (s *Store) endpoint(p service.Place) string {
	if s.host != "" {
		return "http://" + s.host
	}
	return "https://" + registryHost(p)
}

// uri returns the name of a repository for docker. AWS has a host for each
// account and region. Here one host has all of them, so that docker reaches it
// without TLS and without a name server.
func (s *Store) uri(p service.Place, name string) string {
	if s.host != "" {
		return s.host + "/" + p.Account + "/" + string(p.Region) + "/" + name
	}
	return registryHost(p) + "/" + name
}

func registryHost(p service.Place) string {
	return p.Account + ".dkr.ecr." + string(p.Region) + "." + p.Region.Domain()
}
