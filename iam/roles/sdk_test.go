package roles

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

// unobserved is an Observer that does nothing.
type unobserved struct{}

func (unobserved) Called(context.Context, Call)   {}
func (unobserved) SessionRequested(SessionResult) {}
func (unobserved) LimitReached(Limit)             {}
func (unobserved) NoSourceIdentity(string)        {}

func TestPartition(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"us-east-1":      "aws",
		"eu-central-2":   "aws",
		"cn-north-1":     "aws-cn",
		"cn-northwest-1": "aws-cn",
		"us-gov-west-1":  "aws-us-gov",
		"us-iso-east-1":  "aws-iso",
		"us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e",
		"us-west-99":     "aws", // the SDK knows its form
		"mars-north-1":   "aws",
		"":               "aws",
	} {
		if got := Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

// ECR and STS have the addresses of the region, unless the configuration has an
// endpoint.
func TestSessionEndpoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ region, endpoint, sts, ecr string }{
		{"us-east-1", "", "https://sts.us-east-1.amazonaws.com", "https://api.ecr.us-east-1.amazonaws.com"},
		{"eu-west-1", "", "https://sts.eu-west-1.amazonaws.com", "https://api.ecr.eu-west-1.amazonaws.com"},
		{"us-gov-west-1", "", "https://sts.us-gov-west-1.amazonaws.com", "https://api.ecr.us-gov-west-1.amazonaws.com"},
		{"cn-north-1", "", "https://sts.cn-north-1.amazonaws.com.cn", "https://api.ecr.cn-north-1.amazonaws.com.cn"},
		{"us-east-1", "http://127.0.0.1:4566", "http://127.0.0.1:4566", "http://127.0.0.1:4566"},
	} {
		session, err := NewSDKSession(&common.Config{Account: common.Account{Region: test.region, Endpoint: test.endpoint, AKID: "AKID", Secret: "hush"}}, unobserved{})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{sts.New(session).Endpoint, ecr.New(session).Endpoint, aws.StringValue(session.Config.Region)}
		if diff := cmp.Diff([]string{test.sts, test.ecr, test.region}, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.region, test.endpoint, diff)
		}
	}
}

func TestSessionCredentials(t *testing.T) {
	t.Parallel()
	session, err := NewSDKSession(&common.Config{Account: common.Account{Region: "us-east-1", AKID: "AKID", Secret: "hush"}}, unobserved{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := session.Config.Credentials.Get()
	if err != nil {
		t.Fatal(err)
	}
	want := credentials.Value{AccessKeyID: "AKID", SecretAccessKey: "hush", ProviderName: credentials.StaticProviderName}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}

// A burst of calls uses the connections of the burst before.
func TestSessionKeepsConnections(t *testing.T) {
	t.Parallel()
	const burst = 40
	aws, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var arrived sync.WaitGroup // all calls of a burst are under way at once
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait()
		aws.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	session, err := NewSDKSession(&common.Config{Account: common.Account{Region: "us-east-1", Endpoint: server.URL, AKID: "AKID", Secret: "hush"}}, unobserved{})
	if err != nil {
		t.Fatal(err)
	}
	client := sts.New(session)
	for range 3 {
		arrived.Add(burst)
		var answered sync.WaitGroup
		for range burst {
			answered.Go(func() {
				if _, err := client.GetCallerIdentity(nil); err != nil {
					t.Error(err)
				}
			})
		}
		answered.Wait()
		time.Sleep(20 * time.Millisecond) // the last connections become idle after their answers
	}
	if n := connections.Load(); n < burst || n > burst+burst/2 {
		t.Errorf("%d connections for bursts of %d", n, burst)
	}
}

// A redirect would take the session token to another host.
func TestNoRedirect(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		redirecting := httptest.NewServer(http.RedirectHandler(other.URL, status))
		t.Cleanup(redirecting.Close)
		session, err := NewSDKSession(&common.Config{
			Account: common.Account{Region: "us-east-1", Endpoint: redirecting.URL, AKID: "AKID", Secret: "hush"}, RequestTimeout: time.Minute,
		}, unobserved{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ecr.New(session).ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: aws.String("arn")}); err == nil {
			t.Errorf("%d: there is no error", status)
		}
	}
	if n := visits.Load(); n > 0 {
		t.Errorf("the other host was called %d times", n)
	}
}
