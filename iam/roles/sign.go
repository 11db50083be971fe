package roles

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/corehandlers"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// The headers that are signed: all that requests of the SDK's two protocols have,
// except User-Agent.
const (
	queryHeaders = "content-length;content-type;host;x-amz-date;x-amz-security-token"
	jsonHeaders  = queryHeaders + ";x-amz-target"
)

// A signer signs requests with the credentials of a session, as the SDK's
// signer does. It takes a quarter of the time, because it keeps the key that it
// derives from the secret, and because it signs one kind of request only.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
type signer struct {
	unprintable
	credentials.Value
	last atomic.Pointer[signingKey]
}

// A signingKey is derived from the secret for a scope: a day, a region and a
// service.
type signingKey struct {
	unprintable
	scope string // such as 20260301/us-east-1/ecr/aws4_request
	key   []byte
}

// sign signs a request of the SDK that is complete but for the headers about
// its length and the signature. The SDK's signer signs what is not plain.
func (s *signer) sign(r *request.Request, now time.Time) {
	if !isPlain(r) {
		corehandlers.BuildContentLengthHandler.Fn(r)
		v4.SignSDKRequestWithCurrentTime(r, func() time.Time { return now })
		return
	}
	date := now.UTC().Format("20060102T150405Z")
	region := cmp.Or(r.ClientInfo.SigningRegion, aws.StringValue(r.Config.Region))
	service := cmp.Or(r.ClientInfo.SigningName, r.ClientInfo.ServiceName)
	scope := date[:len("20060102")] + "/" + region + "/" + service + "/aws4_request"

	header, bodyHash := r.HTTPRequest.Header, setBody(r)
	header.Set("X-Amz-Date", date)
	header.Set("X-Amz-Security-Token", s.SessionToken)
	headers, requestHash := canonicalHash(r.HTTPRequest, bodyHash)
	text := join(make([]byte, 0, 512), "AWS4-HMAC-SHA256\n", date, "\n", scope, "\n")
	signature := hmacSHA256(s.key(scope), hex.AppendEncode(text, requestHash[:]))
	text = join(text[:0], "AWS4-HMAC-SHA256 Credential=", s.AccessKeyID, "/", scope, ", SignedHeaders=", headers, ", Signature=")
	header.Set("Authorization", string(hex.AppendEncode(text, signature)))
	r.LastSignedAt = now
}

// isPlain tells whether a request is a POST of a body to the root of a host. All
// calls to ECR and IAM are, unless the configured endpoint has a path.
func isPlain(r *request.Request) bool {
	body, inMemory := r.Body.(*bytes.Reader)
	return inMemory && body.Len() > 0 && r.HTTPRequest.Method == http.MethodPost && r.HTTPRequest.URL.RequestURI() == "/"
}

// setBody sets the body that net/http sends, and returns its hash. net/http
// knows the type of this reader, so it sends header and body in one write. Each
// attempt has its own reader, because net/http may still read the one before.
func setBody(r *request.Request) [sha256.Size]byte {
	body := *r.Body.(*bytes.Reader)
	text := make([]byte, body.Len())
	body.Read(text)
	body.Seek(r.BodyStart, io.SeekStart)
	r.HTTPRequest.Body = io.NopCloser(&body)
	r.HTTPRequest.ContentLength = int64(len(text))
	r.HTTPRequest.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return sha256.Sum256(text)
}

// canonicalHash returns the names of the headers that are signed, and the hash
// of the text that stands for the request.
func canonicalHash(r *http.Request, bodyHash [sha256.Size]byte) (headers string, sum [sha256.Size]byte) {
	headers = queryHeaders
	text := join(make([]byte, 0, 2048), "POST\n/\n\n",
		"content-length:", r.Header.Get("Content-Length"), "\n",
		"content-type:", trim(r.Header.Get("Content-Type")), "\n",
		"host:", cmp.Or(r.Host, r.URL.Host), "\n",
		"x-amz-date:", r.Header.Get("X-Amz-Date"), "\n",
		"x-amz-security-token:", trim(r.Header.Get("X-Amz-Security-Token")), "\n")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		headers = jsonHeaders
		text = join(text, "x-amz-target:", trim(target), "\n")
	}
	text = join(text, "\n", headers, "\n")
	return headers, sha256.Sum256(hex.AppendEncode(text, bodyHash[:]))
}

// key returns the signing key for the scope. It keeps the last one: a session
// that calls two services would only derive the keys more often.
func (s *signer) key(scope string) []byte {
	if last := s.last.Load(); last != nil && last.scope == scope {
		return last.key
	}
	key := []byte("AWS4" + s.SecretAccessKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, []byte(part))
	}
	s.last.Store(&signingKey{scope: scope, key: key})
	return key
}

func hmacSHA256(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}

// join appends the parts to the text.
func join(text []byte, parts ...string) []byte {
	for _, part := range parts {
		text = append(text, part...)
	}
	return text
}

// trim removes spaces around the value of a header, and writes several spaces
// inside it as one.
func trim(value string) string {
	value = strings.TrimSpace(value)
	for strings.Contains(value, "  ") {
		value = strings.ReplaceAll(value, "  ", " ")
	}
	return value
}
