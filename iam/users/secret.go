package users

import (
	"errors"
	"os"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
)

// keepSecret is an option for a request whose answer has a secret. The words of
// an error about that answer may be those of the answer, so they are dropped.
func keepSecret(r *request.Request) {
	r.Handlers.UnmarshalError.PushBack(dropWords)
	r.Handlers.Unmarshal.PushBack(dropWords)
}

// dropWords replaces the error about an answer that cannot be read. The SDK puts
// the whole answer into some of these.
func dropWords(r *request.Request) {
	var fault awserr.Error
	if !errors.As(r.Error, &fault) || fault.Code() != request.ErrCodeSerialization {
		return
	}
	if ended := r.Context().Err(); ended != nil { // as the SDK says it
		r.Error = awserr.New(request.CanceledErrorCode, "request context canceled", ended)
		return
	}
	cause := common.Origin(fault)
	if !os.IsTimeout(cause) {
		cause = nil
	}
	broken := awserr.New(request.ErrCodeSerialization, "the answer is broken, and may have a secret, so it is not told", cause)
	r.Error = awserr.NewRequestFailure(broken, r.HTTPResponse.StatusCode, r.RequestID)
}
