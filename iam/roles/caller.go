package roles

import (
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// A caller is the context of a request that asks for a session. Of the requests
// that ask at the same time, one asks STS for all.
type caller struct {
	context.Context
	asked bool // this one asks STS
}

// callerKey is the key of a context's caller. The SDK keeps the values of a
// context and drops its end.
type callerKey struct{}

// context returns the caller's context with the caller as a value.
func (c *caller) context() context.Context { return context.WithValue(c.Context, callerKey{}, c) }

// callerOf returns the context of the caller, or else the context itself.
func callerOf(ctx context.Context) context.Context {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c.Context
	}
	return ctx
}

// mayAskNext tells whether an error is due to the request that was to ask STS
// for all who wait: its caller has hung up, or left it no time to wait for its
// turn. Then another one of them asks.
func (c *caller) mayAskNext(err error, start time.Time) bool {
	if common.CodeOf(err) == common.Canceled {
		return true
	}
	return isLimit(err) && !c.asked && time.Since(start) < maxWait
}
