package roles

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// A signer signs requests with the credentials of a session, as the SDK's
// signer does. It is faster, because it keeps the key that it derives from the
// secret, and because it signs one kind of request only.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
type signer struct {
	unprintable
	credentials.Value
	lastKey atomic.Pointer[signingKey]
}

// A signingKey is derived from the secret for a scope: a day, a region and a
// service.
type signingKey struct {
	unprintable
	scope string // such as 20260301/us-east-1/ecr/aws4_request
	key   []byte
}

// unprintable keeps the secrets of a struct out of %v and its relatives.
type unprintable struct{}

// Format implements fmt.Formatter.
func (unprintable) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// signedHeaders are all headers of a request to ECR or IAM, except User-Agent,
// in the order in which they are signed.
var signedHeaders = []struct{ name, key string }{
	{"content-length", "Content-Length"},
	{"content-type", "Content-Type"},
	{"host", ""},
	{"x-amz-date", "X-Amz-Date"},
	{"x-amz-security-token", "X-Amz-Security-Token"},
	{"x-amz-target", "X-Amz-Target"},
}

// sign signs a request of the SDK whose headers are complete. The SDK's signer
// signs what is not plain.
func (s *signer) sign(r *request.Request, now time.Time) {
	if !isPlain(r) {
		v4.SignSDKRequestWithCurrentTime(r, func() time.Time { return now })
		return
	}
	date := now.UTC().Format("20060102T150405Z")
	region := cmp.Or(r.ClientInfo.SigningRegion, aws.StringValue(r.Config.Region))
	service := cmp.Or(r.ClientInfo.SigningName, r.ClientInfo.ServiceName)
	scope := date[:len("20060102")] + "/" + region + "/" + service + "/aws4_request"
	header := r.HTTPRequest.Header
	header.Set("X-Amz-Date", date)
	header.Set("X-Amz-Security-Token", s.SessionToken)
	names, hash := canonicalHash(r.HTTPRequest, setBody(r))
	signature := hmacSHA256(s.key(scope), "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(hash[:]))
	header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.AccessKeyID+"/"+scope+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(signature))
	r.LastSignedAt = now
}

// isPlain tells whether a request is what all calls to ECR and IAM are: a POST
// to the root of a host, with a body. It has a path if the configured endpoint
// has one.
func isPlain(r *request.Request) bool {
	body, inMemory := r.Body.(*bytes.Reader)
	return inMemory && body.Len() > 0 && r.HTTPRequest.Method == http.MethodPost && r.HTTPRequest.URL.RequestURI() == "/"
}

// setBody sets the body that net/http sends, and returns its hash. net/http
// knows the type of this reader, so it sends header and body in one write. Each
// attempt has its own reader, because net/http may still read the one before.
func setBody(r *request.Request) []byte {
	body := *r.Body.(*bytes.Reader)
	hash := sha256.New()
	body.WriteTo(hash)
	body.Seek(r.BodyStart, io.SeekStart)
	r.HTTPRequest.Body = io.NopCloser(&body)
	return hash.Sum(nil)
}

// canonicalHash returns the names of the signed headers, and the hash of the
// text that stands for the request.
func canonicalHash(r *http.Request, bodyHash []byte) (names string, hash [sha256.Size]byte) {
	text := append(make([]byte, 0, 2048), "POST\n/\n\n"...)
	list := make([]byte, 0, 128)
	for _, h := range signedHeaders {
		value := cmp.Or(r.Host, r.URL.Host)
		if h.name != "host" {
			value = strings.Join(r.Header[h.key], ",")
		}
		if value == "" {
			continue
		}
		list = append(append(list, h.name...), ';')
		text = append(append(text, h.name...), ':')
		text = append(append(text, trim(value)...), '\n')
	}
	list = list[:len(list)-1]
	text = append(append(append(text, '\n'), list...), '\n')
	return string(list), sha256.Sum256(hex.AppendEncode(text, bodyHash))
}

// key returns the signing key for the scope. It keeps the last one: a session
// that calls two services would only derive the keys more often.
func (s *signer) key(scope string) []byte {
	if last := s.lastKey.Load(); last != nil && last.scope == scope {
		return last.key
	}
	key := []byte("AWS4" + s.SecretAccessKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	s.lastKey.Store(&signingKey{scope: scope, key: key})
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
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
