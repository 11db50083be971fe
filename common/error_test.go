package common

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err   *Error
		text  string
		cause error
	}{
		{&Error{Code: RepositoryNotFound, Message: "there is none"}, "there is none", nil},
		{&Error{Code: Internal, Message: "internal error", Cause: io.ErrUnexpectedEOF}, "internal error: unexpected EOF", io.ErrUnexpectedEOF},
	} {
		if got := test.err.Error(); got != test.text {
			t.Errorf("text %q, want %q", got, test.text)
		}
		if got := errors.Unwrap(test.err); got != test.cause {
			t.Errorf("%s: cause %v, want %v", test.text, got, test.cause)
		}
	}
}

func TestErrorf(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("wrapped: %w", Errorf(RepositoryExists, "%s is there, %d times", "it", 2))
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("%v holds no Error", err)
	}
	if diff := cmp.Diff(&Error{Code: RepositoryExists, Message: "it is there, 2 times"}, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, ""},
		{io.EOF, Internal},
		{Errorf(Throttled, "slowly"), Throttled},
		{fmt.Errorf("wrapped: %w", Errorf(RepositoryNotFound, "none")), RepositoryNotFound},
	} {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
