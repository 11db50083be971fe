package ecr

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// largestPage is the size of a large page of images, in bytes. Memory for a
// larger answer grows as it arrives.
const largestPage = 2 << 20

// sdkDecoder is the name of the SDK's own handler that reads answers.
const sdkDecoder = "awssdk.jsonrpc.Unmarshal"

// replaceDecoder makes the client read its answers with decode. The SDK's own
// handler needs several times as long: it reads an answer into maps first, and
// from there into the output by reflection.
func replaceDecoder(h *request.Handlers) {
	if !h.Unmarshal.Swap(sdkDecoder, request.NamedHandler{Name: "ecr-api.Decode", Fn: decode}) {
		panic("ecr: the SDK has no handler " + sdkDecoder)
	}
}

// decode is a handler of the SDK. It reads AWS's answer into the output of the
// call.
func decode(r *request.Request) {
	err := readAnswer(r)
	switch ended := r.Context().Err(); {
	case err == nil:
	case errors.Is(err, errTooLong):
		r.Error, r.Retryable = awserr.New("AnswerTooLong", "an answer is too long", err), aws.Bool(false)
	case ended != nil: // as the SDK says it; such a call is not repeated
		r.Error = awserr.New(request.CanceledErrorCode, "request context canceled", ended)
	default:
		err := awserr.New(request.ErrCodeSerialization, "failed decoding an answer", err)
		r.Error = awserr.NewRequestFailure(err, r.HTTPResponse.StatusCode, r.RequestID)
	}
}

func readAnswer(r *request.Request) (err error) {
	defer r.HTTPResponse.Body.Close()
	room, length := newMeter(r.Context()), r.HTTPResponse.ContentLength
	defer func() { room.settle(r.Data, err) }()
	source, err := checkLength(r.Context(), r.HTTPResponse.Body, length)
	if err != nil {
		return err
	}
	source, err = room.body(source, length)
	if err != nil {
		return err
	}
	body := bodies.Get().(*bytes.Buffer)
	defer keep(body)
	body.Grow(int(min(max(length, 0), largestPage)) + bytes.MinRead)
	if _, err := body.ReadFrom(source); err != nil {
		return err
	}
	if _, none := r.Data.(*struct{}); none && body.Len() == 0 { // such as that of TagResource
		return nil
	}
	return withoutSecret(r.Data, unmarshal(body.Bytes(), r.Data))
}

// withoutSecret returns another error for an answer that may have a password:
// the words of an error may be those of the answer.
func withoutSecret(out any, err error) error {
	if _, secret := out.(*authorization); secret && err != nil {
		return errors.New("it may have a password, so the reason is not told")
	}
	return err
}

// bodies keeps the memory of answers, because a page can have a megabyte.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func keep(body *bytes.Buffer) {
	if body.Cap() <= 2*largestPage {
		body.Reset()
		bodies.Put(body)
	}
}

// unmarshal reads JSON into an output of the SDK's types or of ours. The Go
// names of their fields are AWS's names, in other case. Like the SDK, it takes
// the last of two members with the same name, and replaces what is not UTF-8.
func unmarshal(body []byte, out any) error { return json.Unmarshal(body, out, decodeOptions) }

var decodeOptions = json.JoinOptions(
	json.MatchCaseInsensitiveNames(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(readTime),
		json.UnmarshalFromFunc(readTimestamp),
		json.UnmarshalFromFunc(readInteger),
	)),
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
)

// readTime reads a time. AWS writes it as the seconds since 1970, with
// fractions (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
// Like the SDK, it keeps milliseconds. The added microsecond makes up for what
// a float64 loses.
func readTime(d *jsontext.Decoder, t *time.Time) error {
	seconds, err := readNumber(d)
	*t = time.UnixMilli(int64(seconds*1000 + 0.001)).UTC()
	return err
}

// readInteger reads a whole number of at most 53 bits. Like the SDK, it cuts
// off a fraction.
func readInteger(d *jsontext.Decoder, n *int64) error {
	number, err := readNumber(d)
	*n = int64(number)
	return err
}
