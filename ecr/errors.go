package ecr

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// Error codes that the SDK does not have.
const (
	accessDenied  = "AccessDeniedException"
	imageArchived = "ImageArchivedException"
)

// removeSecondTag says how to mend a repository that AWS denies although its
// org is right. IAM ignores the case of tag keys, so it sees a tag with two
// values.
const removeSecondTag = "a second one whose key IAM may take for " + common.OrgTag + ", such as Spinup:Org, must be removed in AWS."

// codes maps ECR's error codes to ours. A code that is missing here is an
// internal error, such as ServerException or credentials that do not work.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
var codes = map[string]common.Code{
	ecr.ErrCodeInvalidParameterException:                 common.BadRequest,
	ecr.ErrCodeInvalidTagParameterException:              common.BadRequest,
	ecr.ErrCodeTooManyTagsException:                      common.BadRequest,
	ecr.ErrCodeValidationException:                       common.BadRequest,
	ecr.ErrCodeUnsupportedImageTypeException:             common.BadRequest,
	imageArchived:                                        common.BadRequest,
	ecr.ErrCodeKmsException:                              common.BadRequest, // the key that the caller named cannot be used; see translate for a denial
	ecr.ErrCodeRepositoryNotFoundException:               common.RepositoryNotFound,
	ecr.ErrCodeImageNotFoundException:                    common.ImageNotFound,
	ecr.ErrCodeScanNotFoundException:                     common.ImageNotFound,      // for metrics; callers get an image without a scan
	ecr.ErrCodeRepositoryPolicyNotFoundException:         common.RepositoryNotFound, // for metrics; callers get a repository that is not shared
	ecr.ErrCodeLifecyclePolicyNotFoundException:          common.LifecycleNotFound,
	ecr.ErrCodeLifecyclePolicyPreviewNotFoundException:   common.PreviewNotFound,
	ecr.ErrCodeLifecyclePolicyPreviewInProgressException: common.PreviewUnderWay,
	ecr.ErrCodeRepositoryAlreadyExistsException:          common.RepositoryExists,
	ecr.ErrCodeRepositoryNotEmptyException:               common.RepositoryNotEmpty,
	ecr.ErrCodeLimitExceededException:                    common.QuotaReached,
	accessDenied:                                         common.DeniedByAWS,

	// Of the failures in the answer of a call about several images:
	ecr.ImageFailureCodeInvalidImageDigest:            common.BadRequest,
	ecr.ImageFailureCodeInvalidImageTag:               common.BadRequest,
	ecr.ImageFailureCodeImageTagDoesNotMatchDigest:    common.BadRequest,
	ecr.ImageFailureCodeKmsError:                      common.BadRequest,
	ecr.ImageFailureCodeImageNotFound:                 common.ImageNotFound,
	ecr.ImageFailureCodeImageReferencedByManifestList: common.ImageInIndex,
	ecr.ImageFailureCodeUpstreamTooManyRequests:       common.Throttled,
}

// translate is a handler of the SDK. It turns the error of a call to ECR into a
// common.Error before the observer sees it.
func translate(r *request.Request) {
	if r.Error == nil {
		return
	}
	r.Error = fromAWS(r.Error, "ecr:"+r.Operation.Name)
	if r.Operation.Name == "StartImageScan" {
		r.Error = refusedScan(r.Error)
	}
}

// fromAWS returns the common.Error for an error of the action. If AWS names an
// action that the role may not do, an error about a KMS key is a denial too.
func fromAWS(err error, action string) error {
	table := codes
	if named := unauthorized.FindStringSubmatch(err.Error()); named != nil {
		action = named[1]
		table = maps.Clone(codes)
		table[ecr.ErrCodeKmsException] = common.DeniedByAWS
		table[ecr.ImageFailureCodeKmsError] = common.DeniedByAWS
	}
	return common.FromAWS(err, table, refusal(action, err))
}

// unauthorized matches the words with which AWS names the action that the role
// may not do. It may be another than the operation: ECR uses a KMS key with the
// rights of the role.
var unauthorized = regexp.MustCompile(`User: arn:\S+ is not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)`)

// refusal says to callers what to look at if AWS denies the action.
func refusal(action string, denial error) string {
	denied := "AWS denied " + action + " to the role of that account. "
	switch {
	case action == "ecr:GetAuthorizationToken": // has no repository, and so no tags
		return denied + "Give the role the permissions for docker credentials (config/aws/credentials-policy.json), " +
			"and look for a policy that denies them."
	case strings.HasPrefix(action, "kms:"):
		return denied + "Either the role lacks a permission: look at its KMS statements (config/aws/role-policy.json). " +
			"Or the key is not for the role: look at the key's policy, or name another key."
	case strings.HasPrefix(action, inspector):
		return denied + "The registry has enhanced scanning, and ECR asks Inspector with the rights of the role. " +
			"Give the role the permissions for that (config/aws/inspector-policy.json), and look for a policy that denies them. " +
			"Or leave the findings out, with findings=false."
	case strings.Contains(denial.Error(), deniedByRole):
		return denied + "The reason is an explicit Deny in the role's own policies. " +
			"It may be the one of other orgs' repositories, if the request is about a repository: look at its tags, too."
	default:
		return denied + "Look at the permissions of the role, at the repository's own policy, and at its tags: " + removeSecondTag
	}
}

// inspector begins the actions of Inspector.
const inspector = "inspector2:"

// NeedsInspector tells whether AWS has denied a call because ECR may not ask
// Inspector for the caller. So the registry has enhanced scanning.
func NeedsInspector(err error) bool {
	if !isDenied(err) {
		return false
	}
	named := unauthorized.FindStringSubmatch(err.Error())
	return named != nil && strings.HasPrefix(named[1], inspector)
}

// AWS says only in the message that an explicit Deny refused a call, and in
// which kind of policy it is. If several kinds deny the call, AWS names one of
// them. It does not say which.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
const (
	deniedBySession = "explicit deny in a session policy"
	deniedByRole    = "explicit deny in an identity-based policy"
)

// isDenied tells whether ECR itself refused the call. STS refuses with another
// code.
func isDenied(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.AWSCode == accessDenied
}

// hasNoPolicy tells whether ECR says that the repository has no policy.
func hasNoPolicy(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.AWSCode == ecr.ErrCodeRepositoryPolicyNotFoundException
}

// isInvalid tells whether ECR refuses an input, and returns its error.
func isInvalid(err error) (e *common.Error, invalid bool) {
	invalid = errors.As(err, &e) && e.AWSCode == ecr.ErrCodeInvalidParameterException
	return e, invalid
}

func isDeniedBySession(err error) bool {
	return isDenied(err) && strings.Contains(err.Error(), deniedBySession)
}

func isDeniedByRole(err error) bool {
	return isDenied(err) && strings.Contains(err.Error(), deniedByRole)
}

// explain returns the error of a read of the repository. A denial gets the
// reason that callers understand, if that is known.
func (c *Client) explain(ctx context.Context, name string, err error) error {
	if NeedsInspector(err) || !c.isOthers(ctx, name, err) {
		return err
	}
	e := new(common.Error)
	errors.As(err, &e)
	told := *e
	told.Code, told.Message = common.OtherOrg, common.OtherOrgMessage+" Look at its tags, too: "+removeSecondTag
	return &told
}

// noSuchRepository is added to a repository's name to get one that nobody has.
const noSuchRepository = "-no-such-repository"

// isOthers tells whether a read of the repository failed because its tag names
// another org. The session policies deny no other reads. The role's own policy
// may deny anything else, too. So isOthers reads the tags, because that Deny may
// be of the other action only. Then it reads those of a repository that does not
// exist. If AWS does not deny this, the Deny depends on the repository.
func (c *Client) isOthers(ctx context.Context, name string, err error) bool {
	if !isDeniedByRole(err) {
		return isDeniedBySession(err)
	}
	if _, err := c.tags(ctx, name); !isDeniedByRole(err) {
		return isDeniedBySession(err)
	}
	_, err = c.tags(ctx, name+noSuchRepository)
	return err == nil || common.CodeOf(err) == common.RepositoryNotFound
}
