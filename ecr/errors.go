package ecr

import (
	"errors"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const accessDenied = "AccessDeniedException"

// codes maps ECR's error codes to ours. A code that is missing here is an
// internal error, such as ServerException or credentials that do not work.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
var codes = map[string]common.Code{
	ecr.ErrCodeInvalidParameterException:        common.BadRequest,
	ecr.ErrCodeInvalidTagParameterException:     common.BadRequest,
	ecr.ErrCodeTooManyTagsException:             common.BadRequest,
	ecr.ErrCodeValidationException:              common.BadRequest,
	ecr.ErrCodeKmsException:                     common.BadRequest, // the key that the caller named cannot be used
	ecr.ErrCodeRepositoryNotFoundException:      common.NotFound,
	ecr.ErrCodeImageNotFoundException:           common.NotFound,
	ecr.ErrCodeRepositoryAlreadyExistsException: common.Conflict,
	ecr.ErrCodeRepositoryNotEmptyException:      common.Conflict,
	ecr.ErrCodeLimitExceededException:           common.Throttled, // a quota of the account
	accessDenied:                                common.Forbidden,
}

// translate is a handler of the SDK. It turns the error of a call to ECR into a
// common.Error before the observer sees it.
func translate(r *request.Request) { r.Error = common.FromAWS(r.Error, codes) }

// isDenied tells whether ECR itself refused the call. STS refuses with another
// code.
func isDenied(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.AWSCode == accessDenied
}

// isDeniedByPolicy tells whether an explicit Deny in the session policy refused
// the call. AWS says that only in the message.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func isDeniedByPolicy(err error) bool {
	return isDenied(err) && strings.Contains(err.Error(), "explicit deny in a session policy")
}
