package roles

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	ecrclient "github.com/YaleSpinup/ecr-api/ecr"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client/metadata"
	"github.com/aws/aws-sdk-go/aws/corehandlers"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

// signed is what a signature is about and what it changes.
type signed struct {
	Header        http.Header
	Body          string
	NoBody        bool
	ContentLength int64
}

// signWith signs a request.
func signWith(t *testing.T, r *request.Request, sign func(*request.Request)) signed {
	t.Helper()
	r.Handlers.Sign.Clear()
	r.Handlers.Sign.PushBack(sign)
	if err := r.Sign(); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.HTTPRequest.Body)
	if err != nil {
		t.Fatal(err)
	}
	return signed{r.HTTPRequest.Header, string(body), r.HTTPRequest.Body == http.NoBody, r.HTTPRequest.ContentLength}
}

// bySDK returns a function that signs with the SDK at a time.
func bySDK(now time.Time) func(*request.Request) {
	return func(r *request.Request) {
		corehandlers.BuildContentLengthHandler.Fn(r)
		v4.SignSDKRequestWithCurrentTime(r, func() time.Time { return now })
	}
}

func pick[T any](rnd *rand.Rand, values ...T) T { return values[rnd.IntN(len(values))] }

// text returns printable characters, many of which are spaces.
func text(rnd *rand.Rand, maxLength int) string {
	b := make([]byte, rnd.IntN(maxLength+1))
	for i := range b {
		b[i] = pick(rnd, ' ', '\t', byte('!'+rnd.IntN(94)))
	}
	return string(b)
}

// randomRequest returns a request that is nearly always of the plain kind, in
// one of a few regions and services, as they come together in a session.
func randomRequest(rnd *rand.Rand) *request.Request {
	usually := func(value string, others ...string) string {
		if rnd.IntN(20) > 0 {
			return value
		}
		return pick(rnd, others...)
	}
	info := metadata.ClientInfo{
		ServiceName:   pick(rnd, "ecr", "iam"),
		SigningName:   pick(rnd, "", "ecr", "iam"),
		SigningRegion: pick(rnd, "", "us-east-1", "us-gov-west-1"),
		Endpoint:      pick(rnd, "https://api.ecr.us-east-1.amazonaws.com", "https://iam.amazonaws.com:443", "http://127.0.0.1:4566"),
	}
	operation := &request.Operation{
		HTTPMethod: usually("POST", "GET", "PUT"),
		HTTPPath:   usually("/", "", "/a b/", "/%2F", "//", "/?Action=ListUsers&A"),
	}
	r := request.New(aws.Config{Region: aws.String("eu-west-1")}, info, request.Handlers{}, nil, operation, nil, nil)
	r.HTTPRequest.Host = pick(rnd, "", "aws.example", "aws.example:8443")
	r.HTTPRequest.Header.Set("Content-Type", "x"+text(rnd, 40))
	for _, name := range []string{"X-Amz-Target", "User-Agent"} {
		if rnd.IntN(2) > 0 {
			r.HTTPRequest.Header.Set(name, "x"+text(rnd, 40))
		}
	}
	body := bytes.Repeat([]byte(text(rnd, 100)), pick(rnd, 1, 1, 30))
	switch rnd.IntN(20) {
	case 0:
		r.SetStringBody(string(body))
	case 1:
		from := bytes.NewReader(body)
		from.Seek(int64(rnd.IntN(len(body)+1)), io.SeekStart)
		r.SetReaderBody(from)
	default:
		r.SetBufferBody(body)
	}
	return r
}

// Our signer and the SDK's make the same of every request, in any order of days,
// regions and services.
func TestSignaturesAreThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	midnight := time.Date(2026, 2, 28, 24, 0, 0, 0, time.UTC)
	signers := make([]*signer, 5)
	for i := range signers {
		signers[i] = &signer{Value: credentials.Value{
			AccessKeyID: fmt.Sprint("ASIA", i), SecretAccessKey: "x" + text(rnd, 40), SessionToken: "x" + text(rnd, 3000),
		}}
	}
	plain := 0
	for n := range uint64(10000) {
		s := pick(rnd, signers...)
		now := midnight.Add(time.Duration(rnd.IntN(4000)-2000) * time.Millisecond).In(time.FixedZone("", 3600*rnd.IntN(12)))
		newRequest := func() *request.Request {
			r := randomRequest(rand.New(rand.NewPCG(seed, n)))
			r.Config.Credentials = credentials.NewStaticCredentialsFromCreds(s.Value)
			return r
		}
		if isPlain(newRequest()) {
			plain++
		}
		want := signWith(t, newRequest(), bySDK(now))
		got := signWith(t, newRequest(), func(r *request.Request) { s.sign(r, now) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("request %d of seed %d (-SDK +got):\n%s", n, seed, diff)
		}
	}
	if plain < 5000 || plain > 9900 {
		t.Errorf("%d requests are plain", plain)
	}
}

// The clients of the SDK make requests that our signer signs itself, with all
// their headers.
func TestSignedHeadersOfClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.listSession(account)
	value := w.get(s)
	now := time.Now()
	for name, test := range map[string]struct {
		request func() *request.Request
		scope   string
		headers string
	}{
		"JSON": {func() *request.Request {
			r, _ := ecr.New(w.session).DescribeRepositoriesRequest(&ecr.DescribeRepositoriesInput{})
			return r
		}, "us-east-1/ecr", "content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target"},
		"query": {func() *request.Request {
			r, _ := sts.New(w.session).GetCallerIdentityRequest(nil)
			return r
		}, "us-east-1/sts", "content-length;content-type;host;x-amz-date;x-amz-security-token"},
	} {
		newRequest := func() *request.Request {
			r := test.request()
			r.ApplyOptions(s.Apply)
			return r
		}
		want := signWith(t, newRequest(), bySDK(now))
		r := newRequest()
		got := signWith(t, r, func(r *request.Request) { s.provider.last.sign(r, now) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-SDK +got):\n%s", name, diff)
		}
		if !isPlain(r) {
			t.Errorf("%s: the SDK signs it", name)
		}
		authorization, _, _ := strings.Cut(got.Header.Get("Authorization"), "Signature=")
		if diff := cmp.Diff("AWS4-HMAC-SHA256 Credential="+value.AccessKeyID+"/"+now.UTC().Format("20060102")+"/"+test.scope+
			"/aws4_request, SignedHeaders="+test.headers+", ", authorization); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// Each attempt is signed with the time at which it begins, because AWS refuses a
// signature that is some minutes old. The local AWS verifies each.
func TestAttemptsAreSignedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.listSession(account)
		w.get(s)
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Delay: 5 * time.Second, Code: "ServerException", Status: 500, Times: 2})
		r := w.listRequest(t.Context(), s)
		var late []time.Duration
		r.Handlers.Send.PushFront(func(r *request.Request) {
			date, err := time.Parse("20060102T150405Z", r.HTTPRequest.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Error(err)
			}
			late = append(late, time.Since(date).Truncate(time.Second), time.Since(r.LastSignedAt))
		})
		if err := r.Send(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(make([]time.Duration, 6), late); diff != "" {
			t.Errorf("age of the signatures of three attempts (-want +got):\n%s", diff)
		}
	})
}

// A call whose context has ended is not signed, so it does not count as a call.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.listSession(account)
	w.get(s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := w.listRequest(ctx, s)
	if err := r.Send(); common.CodeOf(common.FromAWS(err, nil, "")) != common.Canceled || !r.LastSignedAt.IsZero() {
		t.Errorf("signed at %v: %v", r.LastSignedAt, err)
	}
}

// No way of printing a session shows its secrets.
func TestSessionsPrintNoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.listSession(account)
	value := w.get(s)
	if err := w.list(s); err != nil {
		t.Fatal(err)
	}
	valid := s.provider.valid.Load()
	key := valid.last.Load()
	secrets := []string{value.SecretAccessKey, value.SessionToken, string(key.key)}
	for _, printed := range []any{s, *s, s.provider, valid, *valid, valid.signer, key, *key, []any{valid, key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			output := fmt.Sprintf(verb, printed)
			for _, secret := range secrets {
				for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
					if strings.Contains(output, form) {
						t.Errorf("%s of %T shows %q: %s", verb, printed, secret, output)
					}
				}
			}
		}
	}
}

// A call without a session is not signed, although the AWS session of the
// process has credentials.
func TestCallWithoutSessionIsNotSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := ecrclient.New(w.session).Client(registryOf(account), func(*request.Request) {})
	_, err := client.Tags(t.Context(), "g/a")
	wantError(t, "without a session", err, common.Error{
		Code: common.Internal, Message: "internal error", AWSCode: "MissingAuthenticationTokenException",
	})
}

// A countedConn counts the writes to a connection.
type countedConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// Header and body of an attempt leave in one write. Each attempt has the whole
// body.
func TestAttemptIsOneWrite(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		if len(bodies) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	w := newWorld(t)
	s := w.listSession(account)
	w.get(s)
	var writes atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return countedConn{c, &writes}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	w.session.Config.HTTPClient.Transport = transport
	w.session.Config.Endpoint = &server.URL
	client := ecrclient.New(w.session).Client(registryOf(account), s.Apply)
	if _, err := client.Tags(t.Context(), "g/a"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range len(bodies) {
		got = append(got, <-bodies)
	}
	const body = `{"resourceArn":"arn:aws:ecr:us-east-1:012345678901:repository/g/a"}`
	if diff := cmp.Diff([]string{body, body, body}, got); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	if n := writes.Load(); n != 3 {
		t.Errorf("3 attempts in %d writes", n)
	}
}
