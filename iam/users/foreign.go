package users

import (
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/iam"
)

// wantResult is a handler of the SDK. It refuses an answer without what each
// answer of IAM to that call has: the SDK reads any web page as an empty answer. A
// list has no entry if it is empty, but says whether there is more. A change that
// answers nothing is known by AWS's request id.
func wantResult(r *request.Request) {
	if r.Error == nil && !isComplete(r) {
		foreign := awserr.New(request.ErrCodeSerialization, "the answer has no result", nil)
		r.Error = awserr.NewRequestFailure(foreign, r.HTTPResponse.StatusCode, r.RequestID)
	}
}

func isComplete(r *request.Request) bool {
	switch out := r.Data.(type) {
	case *iam.GetUserOutput:
		return isWhole(out.User)
	case *iam.CreateUserOutput:
		return isWhole(out.User)
	case *iam.CreateAccessKeyOutput:
		k := out.AccessKey
		return k != nil && aws.StringValue(k.AccessKeyId) != "" && aws.StringValue(k.SecretAccessKey) != ""
	case *iam.GetUserPolicyOutput:
		return out.PolicyDocument != nil
	case *iam.GetAccessKeyLastUsedOutput:
		return out.AccessKeyLastUsed != nil
	case *iam.ListUsersOutput:
		return out.IsTruncated != nil
	case *iam.ListAccessKeysOutput:
		return out.IsTruncated != nil
	case *iam.ListGroupsForUserOutput:
		return out.IsTruncated != nil
	case *iam.ListAttachedUserPoliciesOutput:
		return out.IsTruncated != nil
	case *iam.ListUserPoliciesOutput:
		return out.IsTruncated != nil
	}
	return r.RequestID != ""
}

// isWhole tells whether an answer has the user, and which user that is.
func isWhole(u *iam.User) bool {
	return u != nil && u.UserName != nil && u.UserId != nil && u.CreateDate != nil
}
