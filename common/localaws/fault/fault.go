// Package fault makes calls to this AWS fail, wait or lose their answers.
//
// A Fault says which calls it hits and what happens to them: an error, a delay
// or a closed connection. A List holds the faults that are in force. They are
// added in Go with Inject, and over HTTP with the handler of NewHandler.
package fault

import (
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Fault is something that goes wrong with a call. At most one fault hits a
// call. The faults are tried in the order in which they were injected, and the
// first one that hits ends the search. Example: of two faults with a
// probability of 0.5 each, the first hits half of the calls and the second hits
// a quarter.
type Fault struct {
	// Operation is "ecr:DescribeRepositories", "sts:AssumeRole" or "*".
	Operation string `json:"operation"`
	// Times is how many calls the fault hits. 0 means all calls, until the
	// fault is removed.
	Times int `json:"times,omitempty"`
	// Probability is how likely the fault hits a call. 0 means 1.
	Probability float64 `json:"-"` // see faultJSON
	// When, if set, chooses among the calls of the operation. The Call has all
	// fields except those of the outcome. When must be safe for concurrent use.
	When func(service.Call) bool `json:"-"`

	// Code, if set, is the AWS error to answer, with Message and Status (an
	// HTTP status, 0 means 400).
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"`
	// Delay is a wait before the error and before the work. If the client hangs
	// up during the delay, the work is not done. Removing the fault does not
	// shorten a delay that has begun.
	Delay time.Duration `json:"-"` // see faultJSON
	// AfterWork means that the work is done before the delay and the error, so
	// that the answer is late or lost. If the work fails, the answer is its own
	// error instead of Code.
	AfterWork bool `json:"afterWork,omitempty"`
	// AfterBytes, if not 0, is how many bytes of a layer flow before the delay and
	// the error. It counts the bytes of one call. If the call has fewer, nothing
	// happens, and that is no hit. If a layer is sent to the client, Code closes
	// the connection, because the answer has begun. AfterBytes excludes AfterWork.
	// It is for the operations in flowing: calls of others have no bytes.
	AfterBytes int64 `json:"afterBytes,omitempty"`
	// Drop closes the connection instead of answering.
	Drop bool `json:"drop,omitempty"`
}

// flowing are the operations in which bytes of a layer flow.
var flowing = []string{"ecr:GetDownloadUrlForLayer", "ecr:UploadLayerPart"}

// Error codes of calls that get no answer.
const (
	CodeDropped    = "localaws.Dropped"    // a Fault closed the connection
	CodeClientGone = "localaws.ClientGone" // the client hung up during the delay of a Fault
)

var (
	errDropped    = &service.Error{Code: CodeDropped, NoAnswer: true}
	errClientGone = &service.Error{Code: CodeClientGone, NoAnswer: true}
)

// hit is a fault that hits one call.
type hit struct {
	Fault
	// count counts the hit of a fault with AfterBytes, when it acts. It returns
	// false if the fault is no longer in force.
	count func() bool
}

// Before waits or fails before the work.
func (h hit) Before(ctx context.Context) error {
	if h.AfterWork || h.AfterBytes > 0 {
		return nil
	}
	return h.act(ctx)
}

// act waits, and returns the error to answer.
func (h hit) act(ctx context.Context) error {
	if !h.wait(ctx) {
		return errClientGone
	}
	return h.err()
}

// After waits or fails after the work.
func (h hit) After(ctx context.Context, out any, err error) (any, error) {
	if !h.AfterWork {
		return out, err
	}
	if !h.wait(ctx) {
		return nil, errClientGone
	}
	if err != nil && !h.Drop {
		return nil, err // the work failed, so there is no success to hide
	}
	if err := h.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// wait returns false if the client hung up before the end of the delay.
func (f Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// err returns the error to answer. It is nil if the fault is only a delay.
func (f Fault) err() error {
	if f.Drop {
		return errDropped
	}
	if f.Code == "" {
		return nil
	}
	return &service.Error{Code: f.Code, Message: f.Message, Status: f.Status, Literal: true}
}
