package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// This test has one whole problem document of each kind, written out. The other
// tests make theirs with problemOf, problemByAWS and failedChange.
func TestProblemDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 4 * time.Second })
	w.addRepository(account, "g/a", org)
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account, "g/others", "another-org")
	fails := func(operation, code string, status int) func() {
		return w.aws.Inject(localaws.Fault{Operation: operation, Code: code, Status: status, Message: "hidden"})
	}
	stalls := func(operation string) func() {
		return w.aws.Inject(localaws.Fault{Operation: operation, Delay: time.Hour})
	}
	const everything = `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "k", "Value": "v"}]}`
	for _, test := range []struct {
		exchange
		fault func() (mend func())
	}{
		{exchange: exchange{name: "bad request", method: "POST", path: base + "/g", body: `{}`, status: 400,
			want: `{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "RepositoryName is needed.", "code": "bad-request", "requestId": "test"}`}},
		{exchange: exchange{name: "query parameter", method: "GET", path: base + "?tag=a", status: 400,
			want: `{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "\"tag\" is not a query parameter of this request.", "code": "bad-request", "requestId": "test"}`}},
		{exchange: exchange{name: "bad request by AWS's words", method: "POST", path: base + "/g", body: `{"RepositoryName": "A"}`, status: 400,
			want: `{"type": "about:blank", "title": "Bad Request", "status": 400,
				"detail": "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*''",
				"code": "bad-request", "requestId": "test", "awsCode": "InvalidParameterException", "awsRequestId": "aws"}`}},
		{exchange: exchange{name: "no token", method: "GET", path: base, header: map[string]string{"X-Auth-Token": ""}, status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost 12 at most.", "code": "token-missing", "requestId": "test"}`}},
		{exchange: exchange{name: "wrong token", method: "GET", path: base, header: map[string]string{"X-Auth-Token": "wrong"}, status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost 12 at most.", "code": "token-refused", "requestId": "test"}`}},
		{exchange: exchange{name: "another org's", method: "GET", path: base + "/g/untagged", status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used.", "code": "other-org", "requestId": "test"}`}},
		{exchange: exchange{name: "role that AWS refuses", method: "GET", path: "/v1/ecr/111111111111/repositories", status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "AWS refused sts:AssumeRole for the role ecr-api of that account. Look at the role's trust policy, at the external id and sts:TagSession in it, and at the permission of the service's own identity to assume the role.",
				"code": "role-refused", "requestId": "test", "awsCode": "AccessDenied", "awsRequestId": "aws"}`}},
		{exchange: exchange{name: "denied by AWS", method: "GET", path: base, status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "AWS denied ecr:DescribeRepositories to the role of that account. Look at the permissions of the role, at the repository's own policy, and at its tags: a second one whose key IAM may take for spinup:org, such as Spinup:Org, must be removed in AWS.",
				"code": "denied-by-aws", "requestId": "test", "awsCode": "AccessDeniedException", "awsRequestId": "aws"}`},
			fault: func() func() { return fails("ecr:DescribeRepositories", "AccessDeniedException", 400) }},
		{exchange: exchange{name: "another org's, denied by AWS", method: "GET", path: base + "/g/others", status: 403,
			want: `{"type": "about:blank", "title": "Forbidden", "status": 403,
				"detail": "That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used. Look at its tags, too: a second one whose key IAM may take for spinup:org, such as Spinup:Org, must be removed in AWS.",
				"code": "other-org", "requestId": "test", "awsCode": "AccessDeniedException", "awsRequestId": "aws"}`}},
		{exchange: exchange{name: "unknown path", method: "GET", path: "/v1/ecr/nothing", status: 404,
			want: `{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "There is nothing at this path. The README lists the endpoints.", "code": "path-unknown", "requestId": "test"}`}},
		{exchange: exchange{name: "unknown account", method: "GET", path: "/v1/ecr/main/repositories", status: 404,
			want: `{"type": "about:blank", "title": "Not Found", "status": 404,
				"detail": "account not found: name it by its twelve digits or a configured alias", "code": "account-unknown", "requestId": "test"}`}},
		{exchange: exchange{name: "no such repository", method: "GET", path: base + "/g/b", status: 404,
			want: `{"type": "about:blank", "title": "Not Found", "status": 404,
				"detail": "The repository with name 'g/b' does not exist in the registry with id '012345678901'",
				"code": "repository-not-found", "requestId": "test", "awsCode": "RepositoryNotFoundException", "awsRequestId": "aws"}`}},
		{exchange: exchange{name: "method", method: "PATCH", path: base + "/g/a", status: 405,
			want: `{"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "This path answers DELETE, GET, HEAD, PUT.", "code": "method-not-allowed", "requestId": "test"}`}},
		{exchange: exchange{name: "conflict", method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`, status: 409,
			want: `{"type": "about:blank", "title": "Conflict", "status": 409, "detail": "The repository with name 'g/a' already exists in the registry with id '012345678901'",
				"code": "repository-exists", "requestId": "test", "awsCode": "RepositoryAlreadyExistsException", "awsRequestId": "aws"}`}},
		{exchange: exchange{name: "throttled", method: "GET", path: base, status: 429,
			want: `{"type": "about:blank", "title": "Too Many Requests", "status": 429,
				"detail": "AWS limits how much may be asked of that account, and the limit is reached. Try again later.",
				"code": "throttled", "requestId": "test", "awsCode": "ThrottlingException", "awsRequestId": "aws"}`},
			fault: func() func() { return fails("ecr:DescribeRepositories", "ThrottlingException", 400) }},
		{exchange: exchange{name: "quota", method: "POST", path: base + "/g", body: `{"RepositoryName": "new"}`, status: 429, wants: http.Header{"Retry-After": nil},
			want: `{"type": "about:blank", "title": "Too Many Requests", "status": 429,
				"detail": "A quota of AWS is reached in that account. Delete what is not needed, or have the quota raised. Too many repositories.",
				"code": "quota-reached", "requestId": "test", "awsCode": "LimitExceededException", "awsRequestId": "aws"}`},
			fault: func() func() {
				return w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "LimitExceededException", Message: "Too many repositories."})
			}},
		{exchange: exchange{name: "internal", method: "GET", path: base, status: 500,
			want: `{"type": "about:blank", "title": "Internal Server Error", "status": 500,
				"detail": "internal error: quote the requestId to whoever runs this service",
				"code": "internal", "requestId": "test", "awsCode": "ServerException", "awsRequestId": "aws"}`},
			fault: func() func() { return fails("ecr:DescribeRepositories", "ServerException", 500) }},
		{exchange: exchange{name: "unknown", method: "DELETE", path: base + "/g/a", status: 500,
			want: `{"type": "about:blank", "title": "Internal Server Error", "status": 500,
				"detail": "internal error: quote the requestId to whoever runs this service. It is not known whether this was done: Repository. Look at the repository, or send the same request again.",
				"code": "internal", "requestId": "test", "awsCode": "ServerException", "awsRequestId": "aws", "unknown": ["Repository"]}`},
			fault: func() func() { return fails("ecr:DeleteRepository", "ServerException", 500) }},
		{exchange: exchange{name: "applied", method: "PUT", path: base + "/g/a", body: everything, status: 429,
			want: `{"type": "about:blank", "title": "Too Many Requests", "status": 429,
				"detail": "AWS limits how much may be asked of that account, and the limit is reached. Try again later. Done all the same: Tags, ImageTagMutability. Look at the repository, or send the same request again.",
				"code": "throttled", "requestId": "test", "awsCode": "ThrottlingException", "awsRequestId": "aws", "applied": ["Tags", "ImageTagMutability"]}`},
			fault: func() func() { return fails("ecr:PutImageScanningConfiguration", "ThrottlingException", 400) }},
		{exchange: exchange{name: "applied and unknown", method: "PUT", path: base + "/g/a", body: strings.Replace(everything, "IMMUTABLE", "MUTABLE", 1), status: 504,
			want: `{"type": "about:blank", "title": "Gateway Timeout", "status": 504,
				"detail": "AWS did not answer in time. Done all the same: Tags, ScanOnPush. It is not known whether this was done: ImageTagMutability. Look at the repository, or send the same request again.",
				"code": "timeout", "requestId": "test", "applied": ["Tags", "ScanOnPush"], "unknown": ["ImageTagMutability"]}`},
			fault: func() func() { return stalls("ecr:PutImageTagMutability") }},
		{exchange: exchange{name: "timeout", method: "GET", path: base, status: 504,
			want: `{"type": "about:blank", "title": "Gateway Timeout", "status": 504, "detail": "AWS did not answer in time.", "code": "timeout", "requestId": "test"}`},
			fault: func() func() { return stalls("ecr:DescribeRepositories") }},
		{exchange: exchange{name: "timeout of a change", method: "DELETE", path: base + "/g/a", status: 504,
			want: `{"type": "about:blank", "title": "Gateway Timeout", "status": 504, "detail": "AWS did not answer in time. Nothing was changed.", "code": "timeout", "requestId": "test"}`},
			fault: func() func() { return stalls("ecr:DescribeRepositories") }},
	} {
		mend := func() {}
		if test.fault != nil {
			mend = test.fault()
		}
		w.run(test.exchange)
		mend()
	}
	w.service.Stop(time.Now().Add(time.Minute))
	w.run(exchange{name: "unavailable", method: "GET", path: "/v1/ecr/ready", status: 503,
		want: `{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "This copy of the service is stopping. Ask another.", "code": "stopping", "requestId": "test"}`})
}
