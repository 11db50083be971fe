//lint:file-ignore SA1019 The service uses the SDK's first version.

package fault_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// exchange is a request about faults, and its answer.
type exchange struct {
	method, path, body string
	contentType        string // if it is not application/json
	status             int
	location, allow    string
	answer             string // without the newline at its end
}

// do sends the request of an exchange. It returns the exchange with the answer
// that came.
func do(t *testing.T, b *awstest.AWS, e exchange) exchange {
	t.Helper()
	r, err := http.NewRequest(e.method, b.URL+e.path, strings.NewReader(e.body))
	awstest.Must(t, err)
	r.Header.Set("Content-Type", "application/json")
	if e.contentType != "" {
		r.Header.Set("Content-Type", e.contentType)
	}
	w, err := http.DefaultClient.Do(r)
	awstest.Must(t, err)
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	awstest.Must(t, err)
	if kind := w.Header.Get("Content-Type"); len(answer) > 0 && kind != "application/json" {
		t.Errorf("%s %s: Content-Type %q", e.method, e.path, kind)
	}
	return exchange{e.method, e.path, e.body, e.contentType, w.StatusCode, w.Header.Get("Location"), w.Header.Get("Allow"),
		strings.TrimSuffix(string(answer), "\n")}
}

func wantExchanges(t *testing.T, b *awstest.AWS, list ...exchange) {
	t.Helper()
	for _, want := range list {
		if diff := cmp.Diff(want, do(t, b, want), cmp.AllowUnexported(exchange{})); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", want.method, want.path, diff)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	wantExchanges(t, b,
		exchange{method: "GET", path: "/faults", status: 200, answer: `[]`},
		exchange{method: "POST", path: "/faults", status: 201, location: "/faults/1",
			body:   `{"operation": "ecr:DescribeRepositories", "code": "ThrottlingException", "message": "<slow down>"}`,
			answer: `{"id":1,"operation":"ecr:DescribeRepositories","code":"ThrottlingException","message":"<slow down>","hits":0}`},
		exchange{method: "POST", path: "/faults", status: 201, location: "/faults/2",
			body:   `{"operation": "*", "times": 3, "probability": 1, "code": "X", "status": 503, "delay": "1ms", "afterWork": true}`,
			answer: `{"id":2,"operation":"*","times":3,"code":"X","status":503,"afterWork":true,"probability":1,"delay":"1ms","hits":0}`},
		exchange{method: "POST", path: "/faults", status: 201, location: "/faults/3",
			body:   `{"operation": "ecr:UploadLayerPart", "drop": true, "afterBytes": 5000000000, "times": 1}`,
			answer: `{"id":3,"operation":"ecr:UploadLayerPart","times":1,"afterBytes":5000000000,"drop":true,"hits":0}`},
		exchange{method: "DELETE", path: "/faults/3", status: 204},
	)
	remove := b.Inject(localaws.Fault{Operation: "sts:AssumeRole", Drop: true, Probability: 0.5, When: func(localaws.Call) bool { return false }})

	for range 2 {
		_, err := b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
		awstest.WantError(t, "first of two faults", err, "ThrottlingException", "<slow down>")
	}
	_, err := b.ECR(awstest.Here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	awstest.WantError(t, "second of two faults", err, "X", "")

	const theFirst = `{"id":1,"operation":"ecr:DescribeRepositories","code":"ThrottlingException","message":"<slow down>","hits":2}`
	const theSecond = `{"id":2,"operation":"*","times":3,"code":"X","status":503,"afterWork":true,"probability":1,"delay":"1ms","hits":1}`
	const theFourth = `{"id":4,"operation":"sts:AssumeRole","drop":true,"probability":0.5,"when":true,"hits":0}`
	wantExchanges(t, b,
		exchange{method: "GET", path: "/faults", status: 200, answer: "[" + theFirst + "," + theSecond + "," + theFourth + "]"},
		exchange{method: "GET", path: "/faults/2", status: 200, answer: theSecond},
		exchange{method: "DELETE", path: "/faults/1", status: 204},
		exchange{method: "GET", path: "/faults/1", status: 404, answer: `{"error":"there is no /faults/1; GET /faults lists the faults in force"}`},
		exchange{method: "DELETE", path: "/faults/1", status: 404, answer: `{"error":"there is no /faults/1; GET /faults lists the faults in force"}`},
	)
	remove()
	wantExchanges(t, b, exchange{method: "GET", path: "/faults", status: 200, answer: "[" + theSecond + "]"})
	for range 2 {
		_, err := b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
		awstest.WantError(t, "only fault left", err, "X", "")
	}
	wantExchanges(t, b, exchange{method: "GET", path: "/faults", status: 200, answer: `[]`}) // it is removed after its three calls

	b.Inject(localaws.Fault{Operation: "*", Drop: true})
	wantExchanges(t, b,
		exchange{method: "DELETE", path: "/faults", status: 204},
		exchange{method: "GET", path: "/faults", status: 200, answer: `[]`},
		exchange{method: "DELETE", path: "/faults", status: 204},
	)
	awstest.Must(t, awstest.ErrorOf(b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))
	for _, c := range b.Calls() {
		if c.Service == "" {
			t.Errorf("a request about faults is among the calls: %+v", c)
		}
	}
}

// TestEveryKindOfFaultOverHTTP adds a fault of each kind.
func TestEveryKindOfFaultOverHTTP(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault string // without its operation
		code  string // of a create
		made  int    // how many repositories exist afterwards
	}{
		"throttle":    {`"code": "ThrottlingException", "message": "Rate exceeded"`, "ThrottlingException", 0},
		"fail before": {`"code": "ServerException", "status": 500`, "ServerException", 0},
		"fail after":  {`"code": "ServerException", "status": 500, "afterWork": true`, "ServerException", 1},
		"drop before": {`"drop": true`, "RequestError", 0},
		"drop after":  {`"drop": true, "afterWork": true`, "RequestError", 1},
		"stall":       {`"delay": "1h"`, "RequestCanceled", 0},
		"stall after": {`"delay": "1h", "afterWork": true`, "RequestCanceled", 1},
		"slow":        {`"delay": "1ms"`, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := awstest.New(t)
			if got := do(t, b, exchange{method: "POST", path: "/faults", body: `{"operation": "ecr:CreateRepository", ` + test.fault + `}`}); got.status != 201 {
				t.Fatalf("status %d: %s", got.status, got.answer)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				done <- awstest.ErrorOf(b.ECR(awstest.Here).CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")}))
			}()
			if test.code == "RequestCanceled" {
				waitForHit(t, b)
				cancel()
			}
			awstest.WantError(t, name, <-done, test.code, "")
			for len(b.Calls()) == 0 { // the server may notice later that the client has hung up
				time.Sleep(time.Millisecond)
			}
			wantRepositories(t, b, test.made)
		})
	}
}

// waitForHit waits until the first fault has hit a call.
func waitForHit(t *testing.T, b *awstest.AWS) {
	t.Helper()
	for !strings.Contains(do(t, b, exchange{method: "GET", path: "/faults/1"}).answer, `"hits":1`) {
		time.Sleep(time.Millisecond)
	}
}

func TestRefusedFaults(t *testing.T) {
	t.Parallel()
	const keys = "the keys of a fault are operation, code, message and delay (strings), times, status, " +
		"afterBytes and probability (numbers), afterWork and drop (true or false)"
	const operations = "ecr:BatchCheckLayerAvailability, ecr:BatchDeleteImage, ecr:BatchGetImage, ecr:BatchGetRepositoryScanningConfiguration, ecr:CompleteLayerUpload, " +
		"ecr:CreateRepository, ecr:DeleteLifecyclePolicy, ecr:DeleteRepository, ecr:DeleteRepositoryPolicy, ecr:DescribeImageScanFindings, " +
		"ecr:DescribeImages, ecr:DescribeRepositories, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer, " +
		"ecr:GetLifecyclePolicy, ecr:GetLifecyclePolicyPreview, ecr:GetRegistryScanningConfiguration, ecr:GetRepositoryPolicy, ecr:InitiateLayerUpload, ecr:ListImageReferrers, ecr:ListImages, ecr:ListTagsForResource, " +
		"ecr:PutImage, ecr:PutImageScanningConfiguration, ecr:PutImageTagMutability, ecr:PutLifecyclePolicy, ecr:PutRegistryScanningConfiguration, ecr:SetRepositoryPolicy, " +
		"ecr:StartImageScan, ecr:StartLifecyclePolicyPreview, ecr:TagResource, ecr:UntagResource, ecr:UpdateImageStorageClass, ecr:UploadLayerPart, " +
		"iam:CreateAccessKey, iam:CreateUser, iam:DeleteAccessKey, iam:DeleteUser, iam:DeleteUserPolicy, iam:DetachUserPolicy, iam:GetAccessKeyLastUsed, " +
		"iam:GetUser, iam:GetUserPolicy, iam:ListAccessKeys, iam:ListAttachedUserPolicies, iam:ListGroupsForUser, iam:ListUserPolicies, iam:ListUsers, " +
		"iam:PutUserPermissionsBoundary, iam:PutUserPolicy, iam:RemoveUserFromGroup, iam:TagUser, iam:UpdateAccessKey, sts:AssumeRole, sts:GetCallerIdentity"
	b := awstest.New(t)
	for body, want := range map[string]string{
		``:                     `the body is not a JSON object (EOF): ` + keys,
		`{"drop": true`:        `the body is not a JSON object (unexpected EOF): ` + keys,
		`operation=*`:          `the body is not a JSON object (invalid character 'o' looking for beginning of value): ` + keys,
		`[]`:                   `a fault cannot be array: ` + keys,
		`{"times": "3"}`:       `times cannot be string: ` + keys,
		`{"times": 1.5}`:       `times cannot be number 1.5: ` + keys,
		`{"delay": 2}`:         `delay cannot be number: ` + keys,
		`{"chance": 1}`:        `there is no key \"chance\": ` + keys,
		`{"id": 1}`:            `there is no key \"id\": ` + keys,
		`{"hits": 1}`:          `there is no key \"hits\": ` + keys,
		`{"when": true}`:       `there is no key \"when\": ` + keys,
		`{"operation":"*"} {}`: `the body goes on after the fault: send one JSON object`,

		`{}`:                            `there is no operation \"\" here: write \"*\" for all, or one of ` + operations,
		`{"operation":"ecr:PutImages"}`: `there is no operation \"ecr:PutImages\" here: write \"*\" for all, or one of ` + operations,
		`{"operation":"ecr:*"}`:         `there is no operation \"ecr:*\" here: write \"*\" for all, or one of ` + operations,

		`{"operation":"*","drop":true,"probability":1.01}`: `the probability 1.01 is not above 0 and at most 1: leave it out to hit every call`,
		`{"operation":"*","drop":true,"probability":-0.1}`: `the probability -0.1 is not above 0 and at most 1: leave it out to hit every call`,
		`{"operation":"*","drop":true,"probability":0}`:    `the probability 0 is not above 0 and at most 1: leave it out to hit every call`,
		`{"operation":"*","drop":true,"times":-1}`:         `times is negative: write how many calls to hit, or leave it out for all`,
		`{"operation":"*","delay":"2"}`:                    `the delay \"2\" cannot be read: write one such as \"300ms\", \"2s\" or \"1h\"`,
		`{"operation":"*","delay":"-2s"}`:                  `the delay is negative: write one such as \"2s\"`,
		`{"operation":"*","status":500}`:                   `message and status belong to an error: give its code too`,
		`{"operation":"*","drop":true,"message":"x"}`:      `message and status belong to an error: give its code too`,
		`{"operation":"*","drop":true,"code":"X"}`:         `a dropped connection answers no code: leave out code or drop`,
		`{"operation":"*","code":"X","status":200}`:        `200 is not the status of an error: write one of 400 to 599`,
		`{"operation":"*","code":"X","status":-1}`:         `-1 is not the status of an error: write one of 400 to 599`,
		`{"operation":"*"}`:                                `the fault would do nothing: give it a code, a delay or drop`,
		`{"operation":"*","delay":"0s","afterWork":true}`:  `the fault would do nothing: give it a code, a delay or drop`,

		`{"operation":"*","code":"X","afterBytes":5}`:                                     `no bytes of a layer flow in *: with afterBytes write one of ecr:GetDownloadUrlForLayer, ecr:UploadLayerPart`,
		`{"operation":"ecr:PutImage","drop":true,"afterBytes":5}`:                         `no bytes of a layer flow in ecr:PutImage: with afterBytes write one of ecr:GetDownloadUrlForLayer, ecr:UploadLayerPart`,
		`{"operation":"ecr:UploadLayerPart","drop":true,"afterBytes":-5}`:                 `afterBytes is negative: write how many bytes of a layer go first, or leave it out`,
		`{"operation":"ecr:UploadLayerPart","drop":true,"afterBytes":5,"afterWork":true}`: `afterBytes and afterWork exclude each other: leave out one of them`,
		`{"operation":"ecr:UploadLayerPart","afterBytes":5}`:                              `the fault would do nothing: give it a code, a delay or drop`,
		`{"operation":"*","drop":true,"afterBytes":"1MB"}`:                                `afterBytes cannot be string: ` + keys,
	} {
		wantExchanges(t, b, exchange{method: "POST", path: "/faults", body: body, status: 400, answer: `{"error":"` + want + `"}`})
	}
	const good = `{"operation": "*", "drop": true}`
	for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/plain; application/json", ";"} {
		wantExchanges(t, b, exchange{method: "POST", path: "/faults", body: good, contentType: contentType, status: 415,
			answer: `{"error":"the Content-Type must be application/json"}`})
	}
	wantExchanges(t, b,
		exchange{method: "POST", path: "/faults", body: strings.Repeat(" ", 65<<10), status: 400,
			answer: `{"error":"the body is not a JSON object (http: request body too large): ` + keys + `"}`},
		exchange{method: "GET", path: "/faults", status: 200, answer: `[]`},
		exchange{method: "POST", path: "/faults", body: good, contentType: "Application/JSON; charset=utf-8", status: 201, location: "/faults/1",
			answer: `{"id":1,"operation":"*","drop":true,"hits":0}`},

		exchange{method: "PUT", path: "/faults", status: 405, allow: "DELETE, GET, HEAD, POST", answer: `{"error":"/faults takes DELETE, GET, HEAD, POST, not PUT"}`},
		exchange{method: "POST", path: "/faults/1", status: 405, allow: "DELETE, GET, HEAD", answer: `{"error":"/faults/1 takes DELETE, GET, HEAD, not POST"}`},
		exchange{method: "DELETE", path: "/faults/x", status: 404, answer: `{"error":"there is no /faults/x; GET /faults lists the faults in force"}`},
		exchange{method: "GET", path: "/faults/", status: 404, answer: `{"error":"there is no /faults/; GET /faults lists the faults in force"}`},
		exchange{method: "GET", path: "/faults/1/2", status: 404, answer: `{"error":"there is no /faults/1/2; GET /faults lists the faults in force"}`},
	)
	if got := do(t, b, exchange{method: "HEAD", path: "/faults"}); got.status != 200 || got.answer != "" {
		t.Errorf("HEAD: %+v", got)
	}
}
