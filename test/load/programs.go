package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"golang.org/x/sync/errgroup"
)

// listen serves on a free port, which it prints, until the process is killed.
func listen(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return http.Serve(listener, handler)
}

// serveAWS serves a local AWS with one repository. A GET returns the number of
// calls so far.
func serveAWS(delay time.Duration, large bool) error {
	server, err := localaws.New(localaws.Options{Roles: local.Roles()})
	if err != nil {
		return err
	}
	if delay > 0 {
		server.Inject(localaws.Fault{Operation: "*", Delay: delay})
	}
	if err := server.AddRepository(account, region, repository, map[string]string{
		"Name": repository, "spinup:org": org, "spinup:spaceid": "spindev-00001",
	}); err != nil {
		return err
	}
	if large {
		if err := enlarge(server); err != nil {
			return err
		}
	}
	var calls atomic.Int64
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, calls.Load())
			return
		}
		calls.Add(1)
		server.ServeHTTP(w, r)
	}))
}

// enlarge adds many groups with one repository each, and a repository with many
// images.
func enlarge(server *localaws.Server) error {
	tags := map[string]string{"spinup:org": org}
	for i := range many {
		if err := server.AddRepository(account, region, fmt.Sprintf("group-%05d/r", i), tags); err != nil {
			return err
		}
	}
	if err := server.AddRepository(account, region, images, tags); err != nil {
		return err
	}
	for i := range many {
		if err := server.AddImage(account, region, images, localaws.Image{Tags: []string{fmt.Sprint("v", i)}, Size: 1 << 20}); err != nil {
			return err
		}
	}
	return nil
}

// serveSDK serves a program that makes the two ECR calls of a show at the same
// time with the SDK. It assumes the same role with the same policy as the
// service.
func serveSDK(url string) error {
	s, err := session.NewSession(&aws.Config{
		Region:              aws.String(region),
		Endpoint:            aws.String(url),
		HTTPClient:          newClient(),
		STSRegionalEndpoint: endpoints.RegionalSTSEndpoint,
		Credentials:         credentials.NewStaticCredentials("AKIDLOCAL", "local", ""),
	})
	if err != nil {
		return err
	}
	scope := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: "spindev-00001"}
	api := ecr.New(s, &aws.Config{Credentials: assumeRole(s, scope)})
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var described *ecr.DescribeRepositoriesOutput
		var tags *ecr.ListTagsForResourceOutput
		both, ctx := errgroup.WithContext(r.Context())
		both.Go(func() (err error) {
			described, err = api.DescribeRepositoriesWithContext(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []*string{aws.String(repository)}})
			return err
		})
		both.Go(func() (err error) {
			tags, err = api.ListTagsForResourceWithContext(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String(scope.ARN(repository))})
			return err
		})
		if err := both.Wait(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(struct{ Repository, Tags any }{described.Repositories[0], tags.Tags})
	}))
}

func assumeRole(s *session.Session, scope iam.Scope) *credentials.Credentials {
	policy := iam.NewPolicy(iam.Allow(scope.GroupRepositories(), "ecr:DescribeRepositories", "ecr:ListTagsForResource"))
	return stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
		p.ExternalID = aws.String("local")
		p.Policy = aws.String(policy.String())
		p.Tags = []*sts.Tag{{Key: aws.String("spinup:org"), Value: aws.String(org)}}
	})
}

// serveHTTP serves a program that makes the same two calls with net/http alone.
func serveHTTP(url string) error {
	client := newClient()
	describe := fmt.Sprintf(`{"repositoryNames":[%q]}`, repository)
	list := fmt.Sprintf(`{"resourceArn":"arn:aws:ecr:%s:%s:repository/%s"}`, region, account, repository)
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var described, tags string
		var both errgroup.Group
		both.Go(func() (err error) {
			described, err = callECR(r.Context(), client, url, "DescribeRepositories", describe)
			return err
		})
		both.Go(func() (err error) {
			tags, err = callECR(r.Context(), client, url, "ListTagsForResource", list)
			return err
		})
		if err := both.Wait(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, described+tags)
	}))
}

// callECR makes a call without a valid signature. The local AWS does not check
// the signature if the access key is not one that AssumeRole issued.
func callECR(ctx context.Context, client *http.Client, url, operation, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDLOCAL/20261123/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=none")
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return string(answer), err
}

// newClient returns a client that keeps as many connections as the service
// does.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	return &http.Client{Transport: transport}
}
