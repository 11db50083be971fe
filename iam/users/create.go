package users

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
)

// The parts of changes, as callers know them.
const (
	userPart     = "User"
	policyPart   = "Policy"
	keysPart     = "AccessKeys"
	groupsPart   = "Groups"
	policiesPart = "Policies"
)

// lookAfter are the waits before IAM is asked for what was written a moment ago.
// It is asked again as long as it does not know it.
var lookAfter = []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 900 * time.Millisecond, 2700 * time.Millisecond}

// Create creates a user with that access, and with these tags beside those that
// the service sets. When the user is there, it asks stillOurs whether the
// repository is: somebody may have deleted that and its users meanwhile. If
// anything fails, Create deletes what it has made. The result is made of what
// IAM has confirmed, because a read may not know the user yet.
func (c *Client) Create(ctx context.Context, name, access string, tags []common.Tag, stillOurs func(context.Context) error) (*User, error) {
	end, err := c.turn(ctx, name)
	if err != nil {
		return nil, err
	}
	defer end()
	working, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tags = common.MergeTags(tags, c.place.tagsOf(name))
	made, err := c.createOrFind(working, name, tags)
	if err != nil {
		return nil, err
	}
	c.made.add(c.arnOf(name))
	c.made.add(made.id)
	c.gone.forget(c.arnOf(name))
	put := new(calls.Attempts)
	hasPolicy := false
	if err = c.putPolicy(working, name, access, put); err == nil {
		hasPolicy = true
		err = stillOurs(working)
	}
	if err != nil {
		u := undo{Client: c, user: made, hasPolicy: hasPolicy || put.Unsure}
		return nil, u.run(ctx, err)
	}
	return &User{UserName: name, Access: &access, AccessKeys: []AccessKey{}, Groups: []string{}, Tags: tags}, nil
}

// turn waits until no other change of the user runs in this process.
func (c *Client) turn(ctx context.Context, user string) (end func(), err error) {
	return c.turns.Wait(ctx, c.arnOf(user), "Other changes of this user took too long.")
}

// createOrFind creates the user, or finds it after a lost answer. Of the user that it
// returns, only the name, the id and the time of creation are known. IAM may refuse
// the name of a user who was just deleted for a while.
func (c *Client) createOrFind(ctx context.Context, name string, tags []common.Tag) (made *User, err error) {
	for waits := lookAfter[1:]; ; waits = waits[1:] {
		tries := new(calls.Attempts)
		out, err := send(ctx, c.session, c.iam.CreateUserRequest, c.createInput(name, tags), tries.Watch)
		switch {
		case err == nil:
			return &User{UserName: name, id: aws.StringValue(out.User.UserId), created: aws.TimeValue(out.User.CreateDate)}, nil
		case tries.Unsure:
			if made, err = c.findCreated(ctx, name, tags, tries, err); err != nil {
				c.made.put(c.perhapsOf(name), note{tags: tags})
			}
			return made, err
		}
		refused := awsCode(err) == accessDenied || awsCode(err) == iam.ErrCodeEntityAlreadyExistsException
		if !refused || !c.gone.isFresh(c.arnOf(name)) || len(waits) == 0 || !calls.Pause(ctx, waits[0]) {
			return nil, c.explainRefusal(ctx, name, err)
		}
	}
}

func (c *Client) createInput(name string, tags []common.Tag) *iam.CreateUserInput {
	return &iam.CreateUserInput{
		UserName:            aws.String(c.place.nameIn(name)),
		Path:                aws.String(c.place.Path),
		PermissionsBoundary: aws.String(c.place.Boundary),
		Tags:                awsTags(tags),
	}
}

func awsTags(tags []common.Tag) []*iam.Tag {
	list := make([]*iam.Tag, len(tags))
	for i, t := range tags {
		list[i] = &iam.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)}
	}
	return list
}

// findCreated ends a create after an attempt that may have done the work without
// saying so. It returns the user if this create has made it. Otherwise the error
// says that the name was taken before, or what failed.
func (c *Client) findCreated(ctx context.Context, name string, tags []common.Tag, tries *calls.Attempts, failure error) (*User, error) {
	isOlder := func(u *User) bool { return !c.clock.MayBeAfter(tries.Start, lastMoment(u.created)) }
	found, err := c.readNew(ctx, name, isOlder)
	switch {
	case calls.IsGone(err) && awsCode(failure) == iam.ErrCodeEntityAlreadyExistsException:
		return nil, perhapsMade(c.nameIsTaken(name, failure)) // by another user, or by this one, which IAM does not show yet
	case err != nil:
		return nil, perhapsMade(calls.UnknownReason(failure, err))
	case isOlder(found) || c.made.isFresh(found.id):
		return nil, c.alreadyExists(name, failure)
	case found.boundary == c.place.Boundary && slices.Equal(found.Tags, tags) && !c.mayBeEarlier(found):
		return found, nil
	default: // somebody made it just now, or an earlier create did, and somebody may have changed it since
		return nil, perhapsMade(c.alreadyExists(name, failure))
	}
}

// mayBeEarlier tells whether an earlier create, of which nobody knows what it did, may
// have made the user.
func (c *Client) mayBeEarlier(u *User) bool {
	earlier, ok := c.made.fresh(c.perhapsOf(u.UserName))
	return ok && slices.Equal(earlier.tags, u.Tags)
}

// perhapsMade returns the failure of a create that may have made the user.
func perhapsMade(failure error) error { return unfinished(failure, nil, []string{userPart}) }

// unfinished returns the failure of a create with what it has done.
func unfinished(failure error, applied, unknown []string) error {
	e := common.WithOutcome(failure, applied, unknown)
	e.Advice = "If the repository has the user, delete it. Then send the same request again."
	return e
}

// readNew reads a user whom IAM may not know yet. It may still show an older one of
// the same name who is gone, so it is asked again then, too.
func (c *Client) readNew(ctx context.Context, name string, isOlder func(*User) bool) (*User, error) {
	u, err := &User{UserName: name}, error(nil)
	for _, wait := range lookAfter {
		calls.Pause(ctx, wait) // if the time is over, the next call to IAM says so
		err = c.readUser(ctx, u)
		if err == nil && !isOlder(u) || err != nil && !mayBeMissing(err) && !calls.IsGone(err) {
			return u, err
		}
	}
	if err != nil {
		return nil, notFound(name)
	}
	return u, nil
}

// explainRefusal returns the error for a create that IAM refused. IAM may deny the
// create of a user who has tags already, before it says that the user exists.
func (c *Client) explainRefusal(ctx context.Context, name string, refusal error) error {
	switch awsCode(refusal) {
	case iam.ErrCodeNoSuchEntityException: // the user itself is not asked for
		return c.noBoundary(refusal)
	case iam.ErrCodeEntityAlreadyExistsException, accessDenied:
	default:
		return refusal
	}
	users, err := c.list(ctx)
	inCase := func(user string) bool { return strings.EqualFold(user, name) } // IAM's rule for names
	switch i := slices.IndexFunc(users, inCase); {
	case slices.Contains(users, name) || c.made.isFresh(c.arnOf(name)):
		return c.alreadyExists(name, refusal)
	case i >= 0:
		return exists(refusal, "The repository has the user "+users[i]+" already. Upper and lower case make no difference.")
	case awsCode(refusal) == iam.ErrCodeEntityAlreadyExistsException && err == nil:
		return c.nameIsTaken(name, refusal)
	case awsCode(refusal) == accessDenied && err != nil: // nobody knows why it was refused
		return err
	default:
		return refusal
	}
}

// noBoundary returns the error for a boundary that does not exist.
func (c *Client) noBoundary(refusal error) error {
	return reworded(refusal, common.DeniedByAWS, "AWS does not have the permissions boundary "+c.place.Boundary+
		", which the service's configuration names (users.boundary). Set it up in that account (config/aws/users-boundary.json).")
}

func (c *Client) alreadyExists(name string, failure error) error {
	return exists(failure, "The repository has the user "+name+" already.")
}

func (c *Client) nameIsTaken(name string, failure error) error {
	return exists(failure, "IAM has a user "+c.place.nameIn(name)+" that is not the repository's, perhaps with other letters in upper case. "+
		"Names of users are unique in an account: choose another.")
}

// exists returns the error that IAM would have answered if it looked for the name
// first. A denial is not its cause, or the log would look as if the role lacked a
// permission.
func exists(failure error, message string) error {
	e := reworded(failure, common.UserExists, message)
	if e.AWSCode == accessDenied {
		e.Cause = nil
	}
	e.AWSCode = iam.ErrCodeEntityAlreadyExistsException
	return e
}

// reworded returns the error of a call with another code and message.
func reworded(err error, code common.Code, message string) *common.Error {
	e := &common.Error{Cause: err}
	if of := new(common.Error); errors.As(err, &of) {
		*e = *of
	}
	e.Code, e.Message = code, message
	return e
}

func (c *Client) putPolicy(ctx context.Context, name, access string, tries *calls.Attempts) error {
	in := c.policyInput(name, access)
	err := c.whileThere(ctx, name, func(ctx context.Context) error {
		_, err := send(ctx, c.session, c.iam.PutUserPolicyRequest, in, tries.Watch)
		return err
	})
	if err == nil {
		c.notePolicy(name, access)
	}
	return err
}

func (c *Client) policyInput(name, access string) *iam.PutUserPolicyInput {
	return &iam.PutUserPolicyInput{
		UserName:       aws.String(c.place.nameIn(name)),
		PolicyName:     aws.String(policyName),
		PolicyDocument: aws.String(c.place.Policies[access]),
	}
}
