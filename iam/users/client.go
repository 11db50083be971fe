// Package users manages the IAM users of repositories and their access keys. It
// returns the types that callers of the service see as JSON.
package users

import (
	"context"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/iam"
)

// pageSize is the largest number of entries that IAM puts on a page.
const pageSize = 1000

// An API is what all Clients share.
type API struct {
	iam   *iam.IAM
	clock *calls.Clock
	turns *calls.Turns // of changes of users, by the user's ARN
	made  memory       // users and access keys that this process has made
	gone  memory       // users and access keys that it has deleted
}

// New returns an API that uses the AWS session, but not its credentials. So a
// call that does not go through a Client is not signed, and AWS refuses it.
func New(session client.ConfigProvider) *API {
	config := aws.NewConfig().WithCredentials(credentials.AnonymousCredentials)
	api := &API{
		iam:   iam.New(session, config.WithRegion(signingRegion(session))),
		clock: calls.NewClock(),
		turns: calls.NewTurns(),
		made:  newMemory(),
		gone:  newMemory(),
	}
	// The clock reads the header before the body is read, so that the time is
	// exact.
	api.iam.Handlers.UnmarshalMeta.PushFront(api.clock.Note)
	api.iam.Handlers.Unmarshal.PushBack(wantResult)
	api.iam.Handlers.Complete.PushFront(translate)
	return api
}

// signingRegion returns the region for which requests to IAM are signed. IAM is
// in one region of each partition. The SDK finds that region only if the
// configuration has no endpoint of its own.
// https://docs.aws.amazon.com/general/latest/gr/iam-service.html
func signingRegion(session client.ConfigProvider) string {
	own := aws.StringValue(session.ClientConfig(iam.EndpointsID).Config.Region)
	endpoint, err := endpoints.DefaultResolver().EndpointFor(iam.EndpointsID, own)
	if err != nil {
		return own
	}
	return endpoint.SigningRegion
}

// A Place says where the users of one repository are in IAM, and what makes them
// the service's.
type Place struct {
	ARNs   string // how the ARNs of its users begin, up to the name
	Path   string // with a slash at both ends; it shows whose the users are
	Prefix string // of the users' names in IAM; the short name follows

	Boundary    string            // ARN of the permissions boundary that each must have
	FormerGroup string            // ARN of the IAM group that they leave; may be empty
	Policies    map[string]string // text of the one inline policy, by Access
	Tags        []common.Tag      // that each must have, but for Name
}

// nameIn returns the name in IAM of the user with that short name.
func (p Place) nameIn(user string) string { return p.Prefix + user }

// shortName returns the short name of a user of the place. It returns false if
// the user is somebody else's. IAM ignores the case of names, but a name in
// another case is not one that the service gives.
func (p Place) shortName(u *iam.User) (string, bool) {
	short, ok := strings.CutPrefix(aws.StringValue(u.UserName), p.Prefix)
	return short, ok && short != "" && aws.StringValue(u.Path) == p.Path
}

// nameTag is the tag that has the name of a user in IAM.
const nameTag = "Name"

// tagsOf returns the tags that the service sets on the user, sorted by key.
func (p Place) tagsOf(user string) []common.Tag {
	return common.MergeTags(p.Tags, []common.Tag{{Key: nameTag, Value: p.nameIn(user)}})
}

// A Client calls IAM about the users of one place. Its errors are common.Errors.
type Client struct {
	*API
	place   Place
	session request.Option
	listing request.Option

	// KeyDeleted is told the id of each access key that is deleted, unless the
	// caller has named the key. Several calls may come at the same time.
	KeyDeleted func(id string)
}

// Client returns a Client of the place. The first option puts the credentials of
// a session into each of its requests. The second is for a session that may list
// users, and nothing else. A Client costs little: make one for each request.
func (a *API) Client(place Place, session, listing request.Option) *Client {
	return &Client{API: a, place: place, session: session, listing: listing, KeyDeleted: func(string) {}}
}

// send makes one call to IAM. All calls go through it. The error is the one that
// translate made, so that metrics, log and answer have the same code.
func send[In, Out any](ctx context.Context, session request.Option, build func(*In) (*request.Request, *Out), in *In, options ...request.Option) (*Out, error) {
	r, out := build(in)
	r.SetContext(ctx)
	r.ApplyOptions(session)
	r.ApplyOptions(options...)
	_ = r.Send() // the same error, not yet translated
	return out, r.Error
}

// A write makes one call that changes something and whose answer says nothing, and
// notes how its attempts end.
type write func(context.Context, *calls.Attempts) error

func writing[In, Out any](c *Client, build func(*In) (*request.Request, *Out), in *In) write {
	return func(ctx context.Context, tries *calls.Attempts) error {
		_, err := send(ctx, c.session, build, in, tries.Watch)
		return err
	}
}
