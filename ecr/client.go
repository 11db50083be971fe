// Package ecr calls Amazon ECR and returns the types that callers of the
// service see as JSON.
package ecr

import (
	"context"
	"net/http"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// pageSize is the largest number of entries that ECR puts on a page.
const pageSize = 1000

// An API is what all Clients share.
type API struct {
	// Removed, if set, is told what was removed from repositories. It is called
	// before the change is answered, and must be safe for concurrent use.
	Removed func(context.Context, Removal)

	ecr    *ecr.ECR
	claims claims
	clock  *calls.Clock
	turns  *calls.Turns // of changes of policies, by the repository's ARN
}

// New returns an API that uses the AWS session, but not its credentials. So a
// call that does not go through a Client is not signed, and AWS refuses it.
func New(session client.ConfigProvider) *API {
	api := &API{
		ecr:    ecr.New(session, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials)),
		claims: newClaims(),
		clock:  calls.NewClock(),
		turns:  calls.NewTurns(),
	}
	// The clock reads the header before the body is read, so that the time is
	// exact.
	api.ecr.Handlers.UnmarshalMeta.PushFront(api.clock.Note)
	api.ecr.Handlers.Complete.PushFront(translate)
	replaceEncoder(&api.ecr.Handlers)
	replaceDecoder(&api.ecr.Handlers)
	return api
}

// A Client calls one registry in one session of the management role. Its errors
// are common.Errors.
type Client struct {
	api      *ecr.ECR
	removed  func(context.Context, Removal)
	claims   claims
	clock    *calls.Clock
	turns    *calls.Turns
	registry common.Registry
	session  request.Option
}

// Client returns a Client of the registry. The option puts the credentials of a
// session into each of its requests. A Client costs little: make one for each
// request.
func (a *API) Client(registry common.Registry, session request.Option) *Client {
	return &Client{api: a.ecr, removed: a.Removed, claims: a.claims, clock: a.clock, turns: a.turns, registry: registry, session: session}
}

// send makes one call to ECR in the client's session. All calls go through it.
// The input and the output are structs of the SDK, or structs of our own with
// the SDK's tags (wire.go). The error is the one that translate made, so that
// metrics, log and answer have the same code.
func send[Out any](ctx context.Context, c *Client, operation string, in any, options ...request.Option) (*Out, error) {
	out := new(Out)
	return out, c.sendInto(ctx, operation, in, out, options...)
}

// sendInto is send for an output that there is already.
func (c *Client) sendInto(ctx context.Context, operation string, in, out any, options ...request.Option) error {
	r := c.api.NewRequest(&request.Operation{Name: operation, HTTPMethod: http.MethodPost, HTTPPath: "/"}, in, out)
	r.SetContext(ctx)
	r.ApplyOptions(c.session)
	r.ApplyOptions(options...)
	_ = r.Send() // the same error, not yet translated
	return r.Error
}
