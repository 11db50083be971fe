package roles

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws/awserr"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	failed := func(cause error) error {
		return awserr.New("RequestError", "send request failed", &url.Error{Op: "Post", URL: "https://sts.us-est-1.amazonaws.com/", Err: cause})
	}
	for name, test := range map[string]struct {
		err  error
		want string // the beginning
	}{
		"DNS":            {failed(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "sts.us-est-1.amazonaws.com", IsNotFound: true}}), "the name of AWS's host is not known: "},
		"timeout":        {failed(os.ErrDeadlineExceeded), "AWS did not answer in time: "},
		"deadline":       {fmt.Errorf("wrapped: %w", context.DeadlineExceeded), "AWS did not answer in time: "},
		"SDK's deadline": {awserr.New("RequestCanceled", "canceled", context.DeadlineExceeded), "AWS did not answer in time: "},
		"refused":        {failed(errors.New("connection refused")), "AWS cannot be reached: "},
		"another":        {errors.New("something else"), "something else"},
	} {
		if got := Explain(test.err); !strings.HasPrefix(got, test.want) || !strings.Contains(got, innermost(test.err)) {
			t.Errorf("%s: %s, want %s...", name, got, test.want)
		}
	}
}

// innermost returns the text of the innermost error.
func innermost(err error) string {
	var sdk awserr.Error
	if errors.As(err, &sdk) {
		err = sdk.OrigErr()
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// Of an answer with AWS's id but without a code, the status is told.
func TestExplainAnswerWithoutACode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ code, message, want string }{
		{"Throttling", "", "Throttling"},
		{"Throttling", "Rate exceeded", "Throttling: Rate exceeded"},
		{"", "", "AWS answered without an error code: status code: 503, request id: 5f6a"},
		{"", "busy", "AWS answered without an error code: busy\n\tstatus code: 503, request id: 5f6a"},
	} {
		err := awserr.NewRequestFailure(awserr.New(test.code, test.message, nil), 503, "5f6a")
		if got := Explain(err); got != test.want {
			t.Errorf("%q: %q: %q, want %q", test.code, test.message, got, test.want)
		}
	}
}
