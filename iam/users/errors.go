package users

import (
	"errors"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/iam"
)

// Error codes that the SDK does not have.
const (
	accessDenied = "AccessDenied"
	validation   = "ValidationError"
)

// codes maps IAM's error codes to ours. A code that is missing here is an
// internal error, such as ServiceFailure or MalformedPolicyDocument: the service
// has made the document.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var codes = map[string]common.Code{
	iam.ErrCodeInvalidInputException:                  common.BadRequest,
	validation:                                        common.BadRequest,
	iam.ErrCodeNoSuchEntityException:                  common.UserNotFound,
	iam.ErrCodeEntityAlreadyExistsException:           common.UserExists,
	iam.ErrCodeDeleteConflictException:                common.UserConflict,
	iam.ErrCodeConcurrentModificationException:        common.UserConflict,
	iam.ErrCodeEntityTemporarilyUnmodifiableException: common.UserConflict,
	iam.ErrCodeLimitExceededException:                 common.QuotaReached,
	accessDenied:                                      common.DeniedByAWS,
}

// translate is a handler of the SDK. It turns the error of a call to IAM into a
// common.Error before the observer sees it.
func translate(r *request.Request) {
	if r.Error == nil {
		return
	}
	r.Error = common.FromAWS(r.Error, codes, refusal("iam:"+r.Operation.Name))
	var e *common.Error
	if errors.As(r.Error, &e) && passes[e.AWSCode] {
		e.Message = "Somebody else changes the user at the same time: send the request again. " + e.Message
	}
}

// passes has IAM's codes for a conflict that is over soon.
var passes = map[string]bool{
	iam.ErrCodeConcurrentModificationException:        true,
	iam.ErrCodeEntityTemporarilyUnmodifiableException: true,
}

// refusal says to callers what to look at if AWS denies the action.
func refusal(action string) string {
	said := "AWS denied " + action + " to the role of that account. Give the role the permissions for users " +
		"(config/aws/users-policy.json), and look for a policy that denies them."
	if action == "iam:CreateUser" || action == "iam:PutUserPermissionsBoundary" {
		said += " They are for one permissions boundary, which must be the one in the service's configuration (users.boundary)."
	}
	return said
}

// awsCode returns AWS's own code of an error of a call.
func awsCode(err error) string {
	var e *common.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.AWSCode
}

// mayBeMissing tells whether the user that a call is about may not exist. IAM
// authorizes a call about a missing user on an ARN without a path, so the session
// policies deny it.
func mayBeMissing(err error) bool {
	code := awsCode(err)
	return code == iam.ErrCodeNoSuchEntityException || code == accessDenied
}
