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
// nil. IAM may not show yet those that were made a moment ago.
func (c *Client) Users(ctx context.Context) ([]string, error) {
	users, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, user := range c.newUsers() {
		if !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users, nil
}

// list returns the users of the place that IAM shows. It is never nil.
func (c *Client) list(ctx context.Context) ([]string, error) {
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
				c.made.noteListed(c.arnOf(short))
				users = append(users, short)
			}
		}
		if marker = page.Marker; !aws.BoolValue(page.IsTruncated) || aws.StringValue(marker) == "" {
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
// or if this process has just made the user and IAM has not shown it yet, the call
// is made again for some time.
func (c *Client) whileThere(ctx context.Context, user string, call func(context.Context) error) error {
	waiting, cancel := calls.ReserveTime(ctx)
	defer cancel()
	fresh, unlisted := c.made.isFresh(c.arnOf(user)), c.made.isUnseen(c.arnOf(user)) // also if that is over before the wait is
	denied, missing := 0, 0                                                          // how often, while the user is listed and is not
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := call(ctx)
		if !mayBeMissing(err) {
			return err
		}
		listed, listErr := c.isListed(ctx, user)
		if listed {
			denied, unlisted = denied+1, false
		} else {
			missing++
		}
		switch {
		case listErr != nil:
			return listErr
		case !listed && !unlisted:
			return notFound(user)
		case missing >= missingWait:
			return notYet("user "+user, err)
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
	users, err := c.list(ctx)
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
