package main

import (
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
	ours "github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"golang.org/x/sync/errgroup"
)

// listen serves on a free port and says which, until the process is ended.
func listen(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return http.Serve(listener, handler)
}

// serveAWS is a local AWS with one repository, which counts its calls at /calls.
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

// enlarge adds very many repositories, one in each group, and images in one.
func enlarge(server *localaws.Server) error {
	tags := map[string]string{"spinup:org": org}
	for i := range large {
		if err := server.AddRepository(account, region, fmt.Sprintf("group-%05d/r", i), tags); err != nil {
			return err
		}
	}
	if err := server.AddRepository(account, region, images, tags); err != nil {
		return err
	}
	for i := range large {
		if err := server.AddImage(account, region, images, localaws.Image{Tags: []string{fmt.Sprint("v", i)}, Size: 1 << 20}); err != nil {
			return err
		}
	}
	return nil
}

// serveSDK makes the two ECR calls of a show at the same time by the SDK, as the
// role and under the policy that the service would use.
func serveSDK(url string) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	s, err := session.NewSession(&aws.Config{
		Region:              aws.String(region),
		Endpoint:            aws.String(url),
		HTTPClient:          &http.Client{Transport: transport},
		STSRegionalEndpoint: endpoints.RegionalSTSEndpoint,
		Credentials:         admin(),
	})
	if err != nil {
		return err
	}
	scope := ours.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: "spindev-00001"}
	policy := ours.NewPolicy(ours.Allow(scope.GroupRepositories(), "ecr:DescribeRepositories", "ecr:ListTagsForResource"))
	role := stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
		p.ExternalID = aws.String("local")
		p.Policy = aws.String(policy.String())
		p.Tags = []*sts.Tag{{Key: aws.String("spinup:org"), Value: aws.String(org)}}
	})
	api := ecr.New(s, &aws.Config{Credentials: role})
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

// serveHTTP makes the same two calls with net/http alone: unsigned but for a key
// that the local AWS takes for its administrator's.
func serveHTTP(url string) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	client := &http.Client{Transport: transport}
	call := func(r *http.Request, operation, body string) (string, error) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, url, strings.NewReader(body))
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
	describe := fmt.Sprintf(`{"repositoryNames":[%q]}`, repository)
	list := fmt.Sprintf(`{"resourceArn":"arn:aws:ecr:%s:%s:repository/%s"}`, region, account, repository)
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var described, tags string
		var both errgroup.Group
		both.Go(func() (err error) { described, err = call(r, "DescribeRepositories", describe); return err })
		both.Go(func() (err error) { tags, err = call(r, "ListTagsForResource", list); return err })
		if err := both.Wait(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, described+tags)
	}))
}
