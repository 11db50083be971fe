package roles

import (
	"errors"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
)

// codes maps STS's error codes to ours. A code that is missing here is an
// internal error: our own credentials do not work (InvalidClientTokenId,
// SignatureDoesNotMatch, ExpiredToken), AWS cannot read a policy of ours
// (MalformedPolicyDocument, PackedPolicyTooLarge), or AWS is down.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var codes = map[string]common.Code{
	"AccessDenied": common.RoleRefused,
}

// translate is a handler of the SDK. It turns the error of a call to STS into a
// common.Error before the observer sees it.
func (r *Roles) translate(call *request.Request) {
	asTooLong(call)
	call.Error = r.fromSTS(call.Error)
}

func (r *Roles) fromSTS(err error) error {
	err = common.FromAWS(err, codes, r.refusal)
	var e *common.Error
	if !errors.As(err, &e) || e.Code != common.Throttled || e.AWSCode == "" { // without an AWSCode it is our own limit
		return err
	}
	told := *e
	told.Message = throttleText
	return &told
}

// throttleText says whose limit STS's is: not that of the account of the role.
const throttleText = "AWS STS limits how fast this service's own account may ask for sessions, in all accounts together. " +
	"The limit is reached. Try again later."

// refusalText says to callers what to look at if STS refuses the role.
func refusalText(role string) string {
	return "AWS refused sts:AssumeRole for the role " + role + " of that account. Look at the role's trust policy, " +
		"at the external id and sts:TagSession in it, and at the permission of the service's own identity to assume the role."
}
