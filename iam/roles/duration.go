package roles

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

// durations are how long a session of the longest time may last. They are the
// maxima that AWS's console offers for a role. Every role allows the last one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html
var durations = []time.Duration{12 * time.Hour, 8 * time.Hour, 4 * time.Hour, 2 * time.Hour, maxChained}

const (
	// maxChained is the most if a session of a role assumes the role.
	maxChained = time.Hour
	// durationRetry is after which time a longer duration is tried again in an
	// account where STS refused it.
	durationRetry = time.Hour
)

// A tooLong is why AssumeRole failed: no session may last as long as asked.
type tooLong struct {
	error
	next time.Duration // the longest that is worth a try
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
	most := time.Duration(aws.Int64Value(in.DurationSeconds))*time.Second - 1
	if strings.Contains(fault.Message(), "role chaining") {
		most = min(most, maxChained)
	}
	if i := slices.IndexFunc(durations, func(d time.Duration) bool { return d <= most }); i >= 0 {
		refused := common.Errorf(common.BadRequest, "AWS gives no session of that length.")
		refused.Cause = &tooLong{call.Error, durations[i]}
		call.Error = refused
	}
}

// maxDuration remembers of an account how long a session may last.
type maxDuration struct {
	mu    sync.Mutex
	known time.Duration
	until time.Time
}

// get returns the longest duration that STS has not refused.
func (m *maxDuration) get() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current()
}

func (m *maxDuration) current() time.Duration {
	if time.Now().Before(m.until) {
		return m.known
	}
	return durations[0]
}

// lower notes that STS refused every duration over this one. Another request
// may have found out more.
func (m *maxDuration) lower(to time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.until = min(to, m.current()), time.Now().Add(durationRetry)
}
