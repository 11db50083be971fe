package roles

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
)

// codes maps STS's error codes to ours. A code that is missing here is an
// internal error: our own credentials do not work (InvalidClientTokenId,
// SignatureDoesNotMatch, ExpiredToken), AWS cannot read a policy of ours
// (MalformedPolicyDocument, PackedPolicyTooLarge), or AWS is down.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var codes = map[string]common.Code{
	"AccessDenied": common.Forbidden,
}

// translate is a handler of the SDK. It turns the error of a call to STS into a
// common.Error before the observer sees it.
func translate(r *request.Request) { r.Error = common.FromAWS(r.Error, codes) }
