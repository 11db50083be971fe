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
type API struct {
	ecr    *ecr.ECR
	claims claims
	clock  *clock
}

// New returns the API of that AWS session, without its credentials: a call that
// is not signed by a Client is not signed at all, and AWS refuses it.
func New(session client.ConfigProvider) *API {
	api := &API{
		ecr:    ecr.New(session, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials)),
		claims: newClaims(),
		clock:  newClock(),
	}
	api.ecr.Handlers.UnmarshalMeta.PushFront(api.clock.note) // when the header is there, before the body
	return api
}

// Client calls one registry in one session. Its errors are common.Errors.
type Client struct {
	api      *ecr.ECR
	claims   claims
	clock    *clock
	registry common.Registry
	signed   request.Option // given to every call: makes it one of the session
}

// Client returns a Client of the registry, which makes each of its requests one
// of a session by that option. It costs next to nothing: one for every request
// is well.
func (a *API) Client(registry common.Registry, session request.Option) *Client {
	return &Client{api: a.ecr, claims: a.claims, clock: a.clock, registry: registry, signed: session}
}
