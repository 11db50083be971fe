package users

import (
	"context"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
)

// Users returns the short names of the users of the place, sorted. It is never
// nil.
func (c *Client) Users(ctx context.Context) ([]string, error) {
	users := []string{}
	for marker := (*string)(nil); ; {
		// The prefix is one of a text, so users in paths below come too.
		in := &iam.ListUsersInput{PathPrefix: aws.String(c.place.Path), Marker: marker, MaxItems: aws.Int64(pageSize)}
		page, err := send(ctx, c.listing, c.iam.ListUsersRequest, in)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			if short, ok := c.place.shortName(u); ok && !c.gone.isFresh(aws.StringValue(u.UserId)) {
				users = append(users, short)
			}
		}
		if marker = page.Marker; !aws.BoolValue(page.IsTruncated) || aws.StringValue(marker) == "" {
			slices.Sort(users)
			return users, nil
		}
	}
}

// The waits for AWS to know what it was told.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 2 * time.Second
)

// whileThere makes a call about a user. AWS may not know a user who was made a
// moment ago, and denies a call about a user who is missing. So if the call ends
// with such an error, only the list of users says whether the user exists. If so,
// or if this process has just made the user, the call is made again.
func (c *Client) whileThere(ctx context.Context, user string, call func(context.Context) error) error {
	waiting, cancel := calls.ReserveTime(ctx)
	defer cancel()
	fresh := c.made.isFresh(c.arnOf(user)) // also if that is over before the wait is
	denied := 0                            // while the user is listed
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := call(ctx)
		if !mayBeMissing(err) {
			return err
		}
		listed, listErr := c.isListed(ctx, user)
		if listed {
			denied++
		}
		switch {
		case listErr != nil:
			return listErr
		case !listed && !fresh:
			return notFound(user)
		case denied >= patience(fresh):
			return err // it is meant
		case calls.Pause(waiting, wait): // once more
		case fresh:
			return notYet("user "+user, err)
		default:
			return err
		}
	}
}

// patience returns how often a call about a user who is listed may be denied,
// until that is meant. Other parts of IAM know a user who was just made later
// than the list.
func patience(fresh bool) int {
	if fresh {
		return listWait + 2
	}
	return listWait
}

func (c *Client) isListed(ctx context.Context, user string) (bool, error) {
	users, err := c.Users(ctx)
	return slices.Contains(users, user), err
}

// arnOf returns the ARN of the user with that short name.
func (c *Client) arnOf(user string) string { return c.place.ARNs + c.place.nameIn(user) }

// notYet returns the error if AWS does not show in time what this process has
// made. The code is timeout: the same request can succeed later, and nothing says
// that AWS throttles. AWS's error is for the log only: it is no lack of rights.
func notYet(what string, cause error) error {
	return &common.Error{Code: common.Timeout, Message: "AWS does not know the " + what + " yet, though it was made a moment ago: try again.", Cause: cause}
}

func notFound(user string) error {
	return common.Errorf(common.UserNotFound, "The repository has no user %s.", user)
}
