package roles

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

type sdkError = awserr.Error // another name for embedding: a field Error would hide the method

// A foreignAnswer is an error of the SDK about an answer that is not of AWS, but
// of a proxy or of a wrong endpoint.
type foreignAnswer struct {
	sdkError
	text string
}

func (e *foreignAnswer) Error() string   { return e.text }
func (e *foreignAnswer) Message() string { return e.text }

// nameForeign is a handler of the SDK. It says of an error whose answer it is,
// because the SDK's text is empty or speaks of XML.
func nameForeign(r *request.Request) {
	var fault awserr.Error
	if r.HTTPResponse == nil || r.RequestID != "" || !errors.As(r.Error, &fault) {
		return
	}
	if fault.Code() == "" || fault.Code() == request.ErrCodeSerialization {
		r.Error = &foreignAnswer{fault, fmt.Sprintf("something other than AWS answered (HTTP %d) at %s: look at account.endpoint and HTTPS_PROXY",
			r.HTTPResponse.StatusCode, r.HTTPRequest.URL.Host)}
	}
}

// wantResult is a handler of the SDK. It refuses an answer of STS without the
// result: the SDK reads any web page as one, and would panic.
func wantResult(r *request.Request) {
	complete := true
	switch out := r.Data.(type) {
	case *sts.AssumeRoleOutput:
		c := out.Credentials
		complete = c != nil && c.AccessKeyId != nil && c.SecretAccessKey != nil && c.SessionToken != nil && c.Expiration != nil
	case *sts.GetCallerIdentityOutput:
		complete = out.Arn != nil
	}
	if r.Error == nil && !complete {
		r.Error = awserr.New(request.ErrCodeSerialization, "the answer has no result", nil)
	}
}
