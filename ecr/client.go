// Package ecr calls Amazon ECR and answers in the shapes of the contract.
package ecr

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// pageSize is the most that ECR gives at once.
const pageSize = 1000

// API is the way to ECR that all clients share.
type API struct{ ecr *ecr.ECR }

// New returns the API of that AWS session, without its credentials: a call that
// is not signed by a Client is not signed at all, and AWS refuses it.
func New(session client.ConfigProvider) *API {
	return &API{ecr.New(session, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials))}
}

// Client calls one registry with one session's credentials. Its errors are
// common.Errors.
type Client struct {
	api      *ecr.ECR
	registry common.Registry
	signed   request.Option // given to every call: signs it with the credentials
}

// Client returns a Client of the registry that signs with these credentials. It
// costs next to nothing: one for every request is well.
func (a *API) Client(registry common.Registry, c *credentials.Credentials) *Client {
	return &Client{
		api:      a.ecr,
		registry: registry,
		signed:   func(r *request.Request) { r.Config.Credentials = c },
	}
}
