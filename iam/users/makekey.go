package users

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/iam"
)

// keyPart is the part of a change that is about an access key.
var keyPart = []string{"AccessKey"}

// A NewAccessKey is an access key that was just made, with its secret. AWS tells
// it once.
type NewAccessKey struct {
	common.Unprintable
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Status          string
	CreateDate      common.Timestamp
}

// shown returns the key as a list has it.
func (k *NewAccessKey) shown() AccessKey {
	return AccessKey{AccessKeyID: k.AccessKeyID, Status: k.Status, CreateDate: k.CreateDate}
}

// A keyMaker makes one access key of a user. It has a turn of the user's.
type keyMaker struct {
	*Client
	user string
	was  []AccessKey // before
}

// shortestTry is how much time a second try needs.
const shortestTry = 2 * time.Second

// makeKey makes an access key. AWS tells the secret in one answer, and a repeated
// call makes another key. So if the answer is lost, makeKey looks for the key that
// nobody knows, deletes it, and tries once more.
func (m keyMaker) makeKey(ctx context.Context) (*NewAccessKey, error) {
	for second := false; ; second = true {
		key, tries, err := m.try(ctx)
		switch {
		case err == nil:
			m.made.addKey(m.keyOf(m.user, key.AccessKeyID), key.shown())
			return key, nil
		case !tries.Unsure:
			return nil, m.explain(ctx, err)
		}
		if lost := m.deleteLost(ctx, tries, err); lost != nil {
			return nil, lost
		}
		if deadline, ok := ctx.Deadline(); second || ok && time.Until(deadline) < shortestTry {
			return nil, err
		}
	}
}

// try makes the call. The SDK does not repeat it after an attempt that may have
// made a key.
func (m keyMaker) try(ctx context.Context) (*NewAccessKey, *calls.Attempts, error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tries := new(calls.Attempts)
	var out *iam.CreateAccessKeyOutput
	in := &iam.CreateAccessKeyInput{UserName: aws.String(m.place.nameIn(m.user))}
	err := m.whileThere(ctx, m.user, func(ctx context.Context) (err error) {
		out, err = send(ctx, m.session, m.iam.CreateAccessKeyRequest, in, keepSecret, tries.WatchOnce)
		return err
	})
	if err != nil {
		return nil, tries, err
	}
	return &NewAccessKey{
		AccessKeyID:     aws.StringValue(out.AccessKey.AccessKeyId),
		SecretAccessKey: aws.StringValue(out.AccessKey.SecretAccessKey),
		Status:          aws.StringValue(out.AccessKey.Status),
		CreateDate:      common.Timestamp{Time: aws.TimeValue(out.AccessKey.CreateDate)},
	}, tries, nil
}

// explain says which two keys a user has if AWS refuses a third.
func (m keyMaker) explain(ctx context.Context, err error) error {
	if awsCode(err) != iam.ErrCodeLimitExceededException {
		return err
	}
	keys := m.was
	for _, wait := range lookAfter { // a list may lack a key that was just made
		if len(keys) >= maxKeys || !calls.Pause(ctx, wait) {
			break
		}
		if now, err := m.keysNow(ctx); err == nil {
			keys = now
		}
	}
	return reworded(err, common.TwoAccessKeys, twoKeys(m.user, keys))
}

// keysNow reads the keys of the user, and when they were last used.
func (m keyMaker) keysNow(ctx context.Context) ([]AccessKey, error) {
	keys, err := m.keys(ctx, m.user)
	if err != nil {
		return nil, err
	}
	return m.readUses(ctx, m.user, keys)
}

// maxKeys is how many access keys a user may have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxKeys = 2

// twoKeys says which keys a user has.
func twoKeys(user string, keys []AccessKey) string {
	said := fmt.Sprintf("The user %s has two access keys, which is AWS's limit.", user)
	for _, k := range keys {
		used := "AWS knows of no use of it"
		if k.LastUsedDate != nil {
			used = "it was last used at " + k.LastUsedDate.UTC().Format(time.RFC3339)
		}
		said += fmt.Sprintf(" %s is %s, and %s.", k.AccessKeyID, k.Status, used)
	}
	return said + " AWS tells uses hours late. Delete one of them first."
}

// deleteLost looks for the key that a failed call may have made, and deletes it.
// The error says what is not known. It is nil if the key is gone.
func (m keyMaker) deleteLost(ctx context.Context, tries *calls.Attempts, failure error) error {
	for _, wait := range lookAfter {
		if !calls.Pause(ctx, wait) {
			break
		}
		now, err := m.keysNow(ctx)
		if err != nil {
			continue
		}
		if lost, doubtful := m.lostOf(now, tries); len(lost)+len(doubtful) > 0 {
			return m.deleteCertain(ctx, lost, doubtful, tries, failure)
		}
	}
	return unknownKey(failure, "AWS may have made a key. Show the user in a minute: if it has a key that nobody knows, delete that.")
}

// deleteCertain deletes the key that the failed call has made, if that is certain:
// there is one, and the call took so short a time that hardly anybody else has
// made it. After a second look it is still unused.
func (m keyMaker) deleteCertain(ctx context.Context, lost, doubtful []string, tries *calls.Attempts, failure error) error {
	found := append(slices.Clone(lost), doubtful...)
	certain := len(found) == 1 && doubtful == nil && isClear(tries)
	if certain {
		now, err := m.keysNow(ctx)
		again, doubts := m.lostOf(now, tries)
		certain = err == nil && doubts == nil && slices.Equal(again, lost)
	}
	switch {
	case !certain:
		return unknownKey(failure, "AWS may have made the key "+strings.Join(found, " or ")+
			" for this request, or for somebody else. Delete it if nobody knows it.")
	case m.removeKey(ctx, m.user, lost[0]) != nil:
		return unknownKey(failure, "AWS has made the key "+lost[0]+", and did not delete it. Delete it, since nobody knows it.")
	default:
		m.KeyDeleted(lost[0])
		return nil
	}
}

// longestClear is how long a failed call may have taken, if a key of that time is
// to be taken for its own.
const longestClear = 3 * time.Second

// isClear tells whether a key that was made during the failed call is hardly
// anybody else's. An AWS that says that it failed has probably made none.
func isClear(tries *calls.Attempts) bool {
	var answer awserr.RequestFailure
	hasFailed := errors.As(tries.Failure, &answer) && answer.StatusCode() >= http.StatusInternalServerError
	return !hasFailed && tries.End.Sub(tries.Start) <= longestClear
}

func unknownKey(failure error, advice string) error {
	unknown := common.WithOutcome(failure, nil, keyPart)
	unknown.Advice = advice + " Then send the same request again."
	return unknown
}

// lostOf returns which keys the failed call has made, by all that AWS shows, and
// of which that is in doubt. It cannot have made a key that was there before,
// whose secret somebody has, or that is too old. A key that somebody has
// switched off, or that is younger than the call's answer, may be another's.
func (m keyMaker) lostOf(now []AccessKey, tries *calls.Attempts) (lost, doubtful []string) {
	for _, k := range now {
		before := slices.ContainsFunc(m.was, func(w AccessKey) bool { return w.AccessKeyID == k.AccessKeyID })
		switch {
		case before || k.LastUsedDate != nil || m.made.isFresh(m.keyOf(m.user, k.AccessKeyID)) || !m.clock.MayBeAfter(tries.Start, lastMoment(k.CreateDate.Time)):
		case k.Status != iam.StatusTypeActive || !m.clock.MayBeBefore(tries.End, k.CreateDate.Time):
			doubtful = append(doubtful, k.AccessKeyID)
		default:
			lost = append(lost, k.AccessKeyID)
		}
	}
	return lost, doubtful
}
