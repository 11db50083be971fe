package ecr

import (
	"errors"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const accessDenied = "AccessDeniedException"

// codes is what ECR's error codes mean to our caller. What is not here is an
// internal error, above all ServerException and credentials that do not work.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
var codes = map[string]common.Code{
	ecr.ErrCodeInvalidParameterException:        common.BadRequest,
	ecr.ErrCodeInvalidTagParameterException:     common.BadRequest,
	ecr.ErrCodeTooManyTagsException:             common.BadRequest,
	ecr.ErrCodeValidationException:              common.BadRequest,
	ecr.ErrCodeKmsException:                     common.BadRequest, // the key that the caller named cannot be used
	ecr.ErrCodeRepositoryNotFoundException:      common.NotFound,
	ecr.ErrCodeRepositoryAlreadyExistsException: common.Conflict,
	ecr.ErrCodeRepositoryNotEmptyException:      common.Conflict,
	ecr.ErrCodeLimitExceededException:           common.Throttled, // a quota of the account
	accessDenied:                                common.Forbidden,
}

// deniedByECR tells ECR's own refusal from one of STS.
func deniedByECR(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.AWSCode == accessDenied
}

// deniedBySessionPolicy tells a refusal by an explicit Deny of the session policy
// from all others. AWS says it in words only.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func deniedBySessionPolicy(err error) bool {
	return deniedByECR(err) && strings.Contains(err.Error(), "explicit deny in a session policy")
}

// Translate turns an error of ECR into a common.Error.
func Translate(err error) error { return common.FromAWS(err, codes) }
