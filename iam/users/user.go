package users

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"
)

// policyName is the name of the one inline policy of a user.
const policyName = "ecr-api"

// A User is an IAM user of a repository.
type User struct {
	UserName   string       // the short name
	Access     *string      // a key of Place.Policies; nil if the user is not as the service makes one
	AccessKeys []AccessKey  // the oldest first
	Groups     []string     // names of IAM groups, sorted
	Tags       []common.Tag // sorted by key

	id       string // unique, also if another user gets the name
	created  time.Time
	boundary string       // ARN; may be empty
	policy   string       // document of the inline policy; may be empty
	groups   []*iam.Group // of IAM
}

// An AccessKey is an access key of a user, without its secret.
type AccessKey struct {
	AccessKeyID  string `json:"AccessKeyId"`
	Status       string // Active, Inactive or Expired
	CreateDate   common.Timestamp
	LastUsedDate *common.Timestamp // nil: never, or it is too new for AWS to know
}

// User returns the user with that short name. The error has the code
// user-not-found if the repository has no such user.
func (c *Client) User(ctx context.Context, name string) (u *User, err error) {
	err = c.whileThere(ctx, name, func(ctx context.Context) (err error) {
		u, err = c.read(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	u.AccessKeys, err = c.readUses(ctx, name, u.AccessKeys)
	return u, err
}

// read reads all about a user but when its keys were used, with calls at the same
// time.
func (c *Client) read(ctx context.Context, name string) (*User, error) {
	u := &User{UserName: name}
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() error { return c.readUser(ctx, u) })
	reads.Go(func() (err error) { u.policy, err = c.readPolicy(ctx, name); return err })
	reads.Go(func() (err error) { u.groups, err = c.readGroups(ctx, name); return err })
	reads.Go(func() (err error) { u.AccessKeys, err = c.keys(ctx, name); return err })
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	u.Groups = []string{}
	for _, g := range u.groups {
		u.Groups = append(u.Groups, aws.StringValue(g.GroupName))
	}
	slices.Sort(u.Groups)
	u.Access = c.accessOf(u)
	return u, nil
}

// readUser reads what IAM keeps with the user itself. A user of another path is
// somebody else's, although the name is the same.
func (c *Client) readUser(ctx context.Context, u *User) error {
	in := &iam.GetUserInput{UserName: aws.String(c.place.nameIn(u.UserName))}
	out, err := send(ctx, c.session, c.iam.GetUserRequest, in)
	if err != nil {
		return err
	}
	if short, ours := c.place.shortName(out.User); !ours || short != u.UserName {
		return notFound(u.UserName)
	}
	if c.gone.isFresh(aws.StringValue(out.User.UserId)) { // as IAM says soon, unless there is another of that name
		gone := common.WithOutcome(notFound(u.UserName), nil, nil)
		gone.AWSCode = iam.ErrCodeNoSuchEntityException
		return gone
	}
	u.id, u.created = aws.StringValue(out.User.UserId), aws.TimeValue(out.User.CreateDate)
	if b := out.User.PermissionsBoundary; b != nil {
		u.boundary = aws.StringValue(b.PermissionsBoundaryArn)
	}
	u.Tags = make([]common.Tag, len(out.User.Tags))
	for i, t := range out.User.Tags {
		u.Tags[i] = common.Tag{Key: aws.StringValue(t.Key), Value: aws.StringValue(t.Value)}
	}
	common.SortTags(u.Tags)
	return nil
}

// readPolicy returns the document of the service's inline policy, and "" if the
// user has none. IAM may not know yet one that was set a moment ago. Whether the
// user exists, another call tells.
func (c *Client) readPolicy(ctx context.Context, name string) (string, error) {
	in := &iam.GetUserPolicyInput{UserName: aws.String(c.place.nameIn(name)), PolicyName: aws.String(policyName)}
	out, err := send(ctx, c.session, c.iam.GetUserPolicyRequest, in)
	if awsCode(err) == iam.ErrCodeNoSuchEntityException {
		return c.newPolicy(name), nil
	}
	if err != nil {
		return "", err
	}
	return decoded(aws.StringValue(out.PolicyDocument)), nil
}

// decoded returns a document that IAM has encoded as in RFC 3986. One that is not
// is none of ours, and stays as it is.
func decoded(document string) string {
	if text, err := url.PathUnescape(document); err == nil {
		return text
	}
	return document
}

// newPolicy returns the document that this process has set a short time ago, and
// "" if it has set none.
func (c *Client) newPolicy(name string) string {
	for access, policy := range c.place.Policies {
		if c.made.isFresh(c.policyOf(name, access)) {
			return policy
		}
	}
	return ""
}

func (c *Client) readGroups(ctx context.Context, name string) ([]*iam.Group, error) {
	in := &iam.ListGroupsForUserInput{UserName: aws.String(c.place.nameIn(name)), MaxItems: aws.Int64(pageSize)} // a user is in 10 at most
	out, err := send(ctx, c.session, c.iam.ListGroupsForUserRequest, in)
	return out.Groups, err
}

// accessOf returns the access of a user who is as the service makes one, and
// nil for any other: a user under another boundary, in an IAM group, with another
// policy, or with other tags, on which the boundary's rights depend.
func (c *Client) accessOf(u *User) *string {
	if u.boundary != c.place.Boundary || len(u.groups) > 0 || c.checkTags(u) != nil {
		return nil
	}
	return c.place.accessByPolicy(u.policy)
}

// accessByPolicy returns the access of a user with that inline policy.
func (p Place) accessByPolicy(document string) *string {
	for access, policy := range p.Policies {
		if sameJSON(policy, document) {
			return &access
		}
	}
	return nil
}

// sameJSON tells whether two texts are the same JSON value.
func sameJSON(a, b string) bool {
	var valueA, valueB any
	return json.Unmarshal([]byte(a), &valueA) == nil && json.Unmarshal([]byte(b), &valueB) == nil && reflect.DeepEqual(valueA, valueB)
}

// checkTags returns an error unless the user has the tags that the service sets.
// Nobody changes them on a user who is there: the rights of the user's keys
// depend on them.
func (c *Client) checkTags(u *User) error {
	for _, t := range c.place.tagsOf(u.UserName) {
		if t.Key != nameTag && !slices.Contains(u.Tags, t) {
			return common.Errorf(common.UserConflict, "The tag %s of the user %s is not %q. The service does not change it: "+
				"delete the user, and create one anew.", t.Key, u.UserName, t.Value)
		}
	}
	return nil
}

// checkGroups returns an error if the user is in a group that is not the former
// one. The service has no right to take users out of others.
func (c *Client) checkGroups(u *User) error {
	for _, g := range u.groups {
		if aws.StringValue(g.Arn) != c.place.FormerGroup {
			return common.Errorf(common.UserConflict, "The user %s is in the IAM group %s, which the service does not know. "+
				"Take it out of that group in IAM, and send the request again. If it is the group of the earlier service, "+
				"the service's configuration (users.formerGroup) must have its name with its path.", u.UserName, aws.StringValue(g.Arn))
		}
	}
	return nil
}
