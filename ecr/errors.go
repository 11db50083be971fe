package ecr

import (
	"errors"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const accessDenied = "AccessDeniedException"

// removeSecondTag says how to mend a repository that AWS denies although its
// org is right. IAM ignores the case of tag keys, so it sees a tag with two
// values.
const removeSecondTag = "a second one whose key IAM may take for " + common.OrgTag + ", such as Spinup:Org, must be removed in AWS."

// codes maps ECR's error codes to ours. A code that is missing here is an
// internal error, such as ServerException or credentials that do not work.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
var codes = map[string]common.Code{
	ecr.ErrCodeInvalidParameterException:        common.BadRequest,
	ecr.ErrCodeInvalidTagParameterException:     common.BadRequest,
	ecr.ErrCodeTooManyTagsException:             common.BadRequest,
	ecr.ErrCodeValidationException:              common.BadRequest,
	ecr.ErrCodeKmsException:                     common.BadRequest, // the key that the caller named cannot be used
	ecr.ErrCodeRepositoryNotFoundException:      common.RepositoryNotFound,
	ecr.ErrCodeImageNotFoundException:           common.ImageNotFound,
	ecr.ErrCodeRepositoryAlreadyExistsException: common.RepositoryExists,
	ecr.ErrCodeRepositoryNotEmptyException:      common.RepositoryNotEmpty,
	ecr.ErrCodeLimitExceededException:           common.QuotaReached,
	accessDenied:                                common.DeniedByAWS,
}

// translate is a handler of the SDK. It turns the error of a call to ECR into a
// common.Error before the observer sees it.
func translate(r *request.Request) {
	if r.Error == nil {
		return
	}
	r.Error = common.FromAWS(r.Error, codes, "AWS denied ecr:"+r.Operation.Name+" to the role of that account. "+
		"Look at the permissions of the role, at the repository's own policy, and at its tags: "+removeSecondTag)
	if isRead(r) && isDeniedByPolicy(r.Error) {
		r.Error = otherOrg(r.Error)
	}
}

// isRead tells whether the call changes nothing.
func isRead(r *request.Request) bool {
	return strings.HasPrefix(r.Operation.Name, "Describe") || strings.HasPrefix(r.Operation.Name, "List")
}

// otherOrg returns the denial with the reason that callers understand: the
// session policies deny reads of other orgs' repositories, and no other reads.
func otherOrg(denial error) error {
	e := new(common.Error)
	errors.As(denial, &e)
	told := *e
	told.Code, told.Message = common.OtherOrg, common.OtherOrgMessage+" Look at its tags, too: "+removeSecondTag
	return &told
}

// isDenied tells whether ECR itself refused the call. STS refuses with another
// code.
func isDenied(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.AWSCode == accessDenied
}

// isDeniedByPolicy tells whether an explicit Deny in the session policy or in the
// role's own policy refused the call. Both deny other orgs' repositories, and
// AWS names one of them. It does so only in the message.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func isDeniedByPolicy(err error) bool {
	return isDenied(err) && (strings.Contains(err.Error(), "explicit deny in a session policy") ||
		strings.Contains(err.Error(), "explicit deny in an identity-based policy"))
}
