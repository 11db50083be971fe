package roles

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

// How long a session of Once may last. Whole hours are tried.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html
const (
	longestMax  = 12 * time.Hour // that AWS takes as the maximum of a role
	shortestMax = time.Hour      // every role allows it, and role chaining no more
	// durationRetry is after which time all is tried again in an account where
	// STS refused a duration.
	durationRetry = time.Hour
)

// A tooLong is why AssumeRole failed: no session may last as long as asked.
type tooLong struct {
	error
	asked time.Duration // or less, if AWS has said that this is too long too
}

// asTooLong turns the error of a call into a tooLong if STS refuses the duration
// of an AssumeRole, and a shorter one is worth a try. Its code is that of a bad
// request, so that metrics count the call as answered: nothing is broken.
func asTooLong(call *request.Request) {
	var fault awserr.Error
	in, ok := call.Params.(*sts.AssumeRoleInput)
	if !ok || !errors.As(call.Error, &fault) || fault.Code() != "ValidationError" || !strings.Contains(fault.Message(), "DurationSeconds") {
		return
	}
	asked := time.Duration(aws.Int64Value(in.DurationSeconds)) * time.Second
	if asked <= shortestMax {
		return
	}
	if strings.Contains(fault.Message(), "role chaining") {
		asked = min(asked, shortestMax+time.Hour)
	}
	refused := common.Errorf(common.BadRequest, "AWS gives no session of that length.")
	refused.Cause = &tooLong{call.Error, asked}
	call.Error = refused
}

// maxDuration remembers of an account how long a session may last. It lies
// between two whole hours: one that STS gave, and one that it refused.
type maxDuration struct {
	mu             sync.Mutex
	given, refused time.Duration
	until          time.Time // nothing is known after it
}

// next returns the duration to ask for: the one in the middle, or the one that
// STS gave if no whole hour lies between.
func (m *maxDuration) next() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !time.Now().Before(m.until) {
		return longestMax
	}
	return ((m.given + m.refused) / 2).Truncate(time.Hour)
}

// give notes that STS gave a session of that duration. What it refused may be
// newer.
func (m *maxDuration) give(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d < m.refused {
		m.given = max(m.given, d)
	}
}

// refuse notes that STS refused that duration. Another request may have found
// out more.
func (m *maxDuration) refuse(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !time.Now().Before(m.until) {
		m.given, m.refused = shortestMax, longestMax+time.Hour
	}
	m.refused = min(m.refused, d)
	if m.given >= m.refused {
		m.given = shortestMax
	}
	m.until = time.Now().Add(durationRetry)
}
