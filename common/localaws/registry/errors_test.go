package registry_test

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// A fault hits the operation that a request does. Its code and status become
// those of the protocol.
func TestErrorsOfFaults(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	c.pushImage(one, "v1")
	for _, test := range []struct {
		fault  localaws.Fault
		status int
		code   string
	}{
		{localaws.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}, 429, "TOOMANYREQUESTS"},
		{localaws.Fault{Code: "ServerException", Message: "Rate exceeded"}, 500, "UNKNOWN"},
		{localaws.Fault{Code: "ServerException", Message: "Rate exceeded", Status: 503}, 503, "UNKNOWN"},
		{localaws.Fault{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400}, 400, "TOOMANYREQUESTS"},
		{localaws.Fault{Code: "AccessDeniedException", Message: "Rate exceeded"}, 403, "DENIED"},
		{localaws.Fault{Code: "KmsException", Message: "Rate exceeded"}, 500, "UNKNOWN"},
		{localaws.Fault{Code: "ServerException", Message: "Rate exceeded", AfterWork: true}, 500, "UNKNOWN"},
	} {
		for operation, path := range map[string]string{
			"ecr:BatchGetImage":          one + "/manifests/v1",
			"ecr:ListImages":             one + "/tags/list",
			"ecr:GetDownloadUrlForLayer": one + "/blobs/" + layerDigest,
		} {
			test.fault.Operation, test.fault.Times = operation, 1
			b.Inject(test.fault)
			c.wantError(operation, c.send("GET", path, ""), test.status, test.code, "Rate exceeded")
			c.wantStatus(operation+", after the fault", c.send("GET", path, ""), 200)
		}
	}
	b.Inject(localaws.Fault{Operation: "ecr:BatchGetImage", Times: 1, Code: "ServerException"})
	c.wantError("without a message", c.send("GET", one+"/manifests/v1", ""), 500, "UNKNOWN", "ServerException")
}
