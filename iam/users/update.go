package users

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
)

// An Update says what to change of a user.
type Update struct {
	Access   *string      // a key of Place.Policies; nil: the present one
	Default  string       // the Access of a user of the earlier service, if there is none
	Tags     []common.Tag // to merge into the present ones
	MakeKey  bool
	ResetKey bool // make a key, and delete the others

	Keys *Client     // in whose session keys are made and deleted
	Gone func() bool // tells whether nobody waits for the answer any more
}

// An UpdatedUser is a user after an update.
type UpdatedUser struct {
	User
	AccessKey         *NewAccessKey `json:",omitempty"`
	DeletedAccessKeys []string      `json:",omitzero"` // nil, unless keys were reset

	TakenOver bool  `json:"-"` // the user was not as the service makes one, and is so now
	KeyLeft   error `json:"-"` // why a key that the new one replaces is still there
}

// Update updates the user with that short name, which read reads. A user that is
// not as the service makes one becomes so before its access changes and before it
// gets a key. If a part fails, those after it are not done. The error says which
// are done.
//
// The result is made of what was read and of what AWS has confirmed. A read right
// after the update might still show old values.
func (c *Client) Update(ctx context.Context, name string, u Update, read func(context.Context) (*User, error)) (*UpdatedUser, error) {
	end, err := c.turn(ctx, name)
	if err != nil {
		return nil, err
	}
	defer end()
	present, err := c.readForUpdate(ctx, u, read)
	if err != nil {
		return nil, err
	}
	if err := c.checkUpdate(u, present); err != nil {
		return nil, err
	}
	updated := &UpdatedUser{User: *present}
	applied, err := c.applySteps(ctx, c.steps(u, present), &updated.User)
	if err != nil {
		return nil, err
	}
	updated.TakenOver = present.Access == nil && updated.Access != nil
	if u.MakeKey || u.ResetKey {
		err = u.changeKeys(ctx, updated)
	}
	if err != nil {
		return nil, withApplied(err, applied)
	}
	return updated, nil
}

// readForUpdate reads the user. If it seems to have no policy of the service, that
// may be because IAM does not show yet what this process, or another one, has set a
// moment ago. So it is read again for some time.
func (c *Client) readForUpdate(ctx context.Context, u Update, read func(context.Context) (*User, error)) (present *User, err error) {
	for _, wait := range lookAfter {
		if !calls.Pause(ctx, wait) {
			break
		}
		present, err = read(ctx)
		if err != nil || !u.takesOver() || c.accessAfter(u, present) != "" || !c.mayBeStale(present) {
			break
		}
	}
	return present, err
}

// mayBeStale tells whether IAM may not show the user's policy yet.
func (c *Client) mayBeStale(u *User) bool {
	return c.newPolicy(u.UserName) != "" || c.clock.MayBeAfter(time.Now().Add(-unseen), lastMoment(u.created))
}

// takesOver tells whether the user must be as the service makes one.
func (u Update) takesOver() bool { return u.Access != nil || u.MakeKey || u.ResetKey }

// checkUpdate refuses what cannot be done before anything is changed.
func (c *Client) checkUpdate(u Update, present *User) error {
	if !u.takesOver() {
		return nil
	}
	if err := c.checkTags(present); err != nil {
		return err
	}
	if err := c.checkGroups(present); err != nil {
		return err
	}
	if c.accessAfter(u, present) == "" {
		return common.Errorf(common.UserConflict, "The user %s has no policy of this service, so nobody knows what it may do. "+
			"Set its Access in an update, and send the request again.", present.UserName)
	}
	if (u.ResetKey || u.MakeKey && present.Access == nil) && len(present.AccessKeys) >= maxKeys {
		return &common.Error{Code: common.TwoAccessKeys, Message: twoKeys(present.UserName, present.AccessKeys)}
	}
	return nil
}

// accessAfter returns the access that the user is to have. It is empty if the
// update does not say it, and the user has no policy of the service although it was
// made by it: somebody may have taken its rights away.
func (c *Client) accessAfter(u Update, present *User) string {
	known := c.place.accessByPolicy(present.policy)
	switch {
	case u.Access != nil:
		return *u.Access
	case known != nil:
		return *known
	case present.boundary == "" || len(present.groups) > 0 || c.made.isFresh(c.takeoverOf(present.UserName)): // of the earlier service
		return u.Default
	default:
		return ""
	}
}

// The parts of an update that are not parts of other changes.
const (
	boundaryPart = "Boundary"
	accessPart   = "Access"
)

// A step is one change of an update. It makes one call to AWS, which can be
// repeated.
type step struct {
	part string // its name in the outcome
	call write
	note func(*User)      // sets what AWS has confirmed
	done func(*User) bool // tells whether a user shows the change
}

// steps returns what is to be done. The order is such that the user can never do
// more than before or than it may, and loses no access on the way.
func (c *Client) steps(u Update, present *User) (steps []step) {
	if u.takesOver() {
		steps = append(steps, c.boundaryStep(present.UserName), c.policyStep(u, present), c.groupStep(present))
	}
	steps = append(steps, c.tagsStep(present.UserName, u.Tags))
	written := c.written(u, present)
	return slices.DeleteFunc(steps, func(s step) bool { return s.done(present) && s.done(written) })
}

// written returns the present user with what this process has written a short time
// ago and the update asks for. A read may not show that yet.
func (c *Client) written(u Update, present *User) *User {
	now := *present
	if policy := c.newPolicy(present.UserName); u.Access != nil && policy != "" {
		now.policy = policy
	}
	now.Tags = MergeTags(present.Tags, c.made.tags(c.newTagsOf(present.UserName)))
	return &now
}

func (c *Client) boundaryStep(name string) step {
	in := &iam.PutUserPermissionsBoundaryInput{UserName: aws.String(c.place.nameIn(name)), PermissionsBoundary: aws.String(c.place.Boundary)}
	return step{
		part: boundaryPart,
		call: writing(c, c.iam.PutUserPermissionsBoundaryRequest, in),
		note: func(u *User) {
			c.made.add(c.takeoverOf(name))
			u.boundary = c.place.Boundary
		},
		done: func(u *User) bool { return u.boundary == c.place.Boundary },
	}
}

func (c *Client) policyStep(u Update, present *User) step {
	access := c.accessAfter(u, present)
	policy := c.place.Policies[access]
	in := c.policyInput(present.UserName, access)
	return step{
		part: accessPart,
		call: writing(c, c.iam.PutUserPolicyRequest, in),
		note: func(u *User) {
			c.notePolicy(u.UserName, access)
			u.policy = policy
		},
		done: func(u *User) bool { return sameJSON(u.policy, policy) },
	}
}

// groupStep takes the user out of the earlier service's IAM group. AWS does not
// document what it answers if the user is not in the group.
func (c *Client) groupStep(present *User) step {
	_, group, _ := strings.Cut(c.place.FormerGroup, ":group/")
	in := &iam.RemoveUserFromGroupInput{UserName: aws.String(c.place.nameIn(present.UserName)), GroupName: aws.String(group[strings.LastIndex(group, "/")+1:])}
	return step{
		part: groupsPart,
		call: unlessGone(writing(c, c.iam.RemoveUserFromGroupRequest, in)),
		note: func(u *User) { u.groups, u.Groups = nil, []string{} },
		done: func(u *User) bool { return len(u.groups) == 0 },
	}
}

func (c *Client) tagsStep(name string, tags []common.Tag) step {
	in := &iam.TagUserInput{UserName: aws.String(c.place.nameIn(name)), Tags: awsTags(tags)}
	return step{
		part: "Tags",
		call: writing(c, c.iam.TagUserRequest, in),
		note: func(u *User) {
			c.made.addTags(c.newTagsOf(u.UserName), tags)
			u.Tags = MergeTags(u.Tags, tags)
		},
		done: func(u *User) bool {
			return !slices.ContainsFunc(tags, func(t common.Tag) bool { return !slices.Contains(u.Tags, t) })
		},
	}
}

// MergeTags is common.MergeTags for tags of a user. IAM takes two keys that
// differ only in case for the same.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
func MergeTags(present, more []common.Tag) []common.Tag {
	kept := slices.DeleteFunc(slices.Clone(present), func(t common.Tag) bool {
		return slices.ContainsFunc(more, func(m common.Tag) bool { return strings.EqualFold(m.Key, t.Key) })
	})
	return common.MergeTags(kept, more)
}
