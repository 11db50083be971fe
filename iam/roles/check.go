package roles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/sts"
)

// Identity asks STS who this service is, and returns the ARN. That needs no
// permission. The error says what to mend.
func (r *Roles) Identity(ctx context.Context) (string, error) {
	call, out := r.sts.GetCallerIdentityRequest(&sts.GetCallerIdentityInput{})
	call.SetContext(ctx)
	_ = call.Send() // the same error, not yet translated
	if call.Error != nil {
		return "", fmt.Errorf("GetCallerIdentity failed: %s", Explain(call.Error))
	}
	return aws.StringValue(out.Arn), nil
}

// Assume gets the session's credentials, as its first request does. The error
// says what to mend. The identity is the ARN of this service.
func (s *Session) Assume(ctx context.Context, identity string) error {
	_, err := s.Credentials.GetWithContext(ctx)
	var fault awserr.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault) && fault.Code() == sts.ErrCodeRegionDisabledException:
		return fmt.Errorf("AssumeRole of %s failed: STS is not activated for this region in the account of %s", s.provider.RoleARN, identity)
	case errors.As(err, &fault) && strings.HasPrefix(fault.Code(), "AccessDenied"):
		return fmt.Errorf("AssumeRole of %s refused: %s", s.provider.RoleARN, whyRefused(fault.Message(), identity))
	default:
		return fmt.Errorf("AssumeRole of %s failed: %s", s.provider.RoleARN, Explain(err))
	}
}

// refusal texts of AWS name the action that is missing, and sometimes the kind
// of policy. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
var (
	refusedAction = regexp.MustCompile(`perform: (sts:\w+)`)
	refusedReason = regexp.MustCompile(` because (.+)$`)
)

// whyRefused says what to look at, by AWS's message of a refused AssumeRole.
func whyRefused(message, identity string) string {
	action := "sts:AssumeRole"
	if found := refusedAction.FindStringSubmatch(message); found != nil {
		action = found[1]
	}
	said := ""
	if found := refusedReason.FindStringSubmatch(message); found != nil {
		said = " (AWS: " + found[1] + ")"
	}
	if action == "sts:AssumeRole" {
		return "the role does not exist, or its trust policy does not allow " + identity +
			" with this external id, or the policy of " + identity + " does not allow sts:AssumeRole" + said
	}
	return "the role's trust policy or the policy of " + identity + " does not allow " + action + said
}

// Explain says why a call to AWS failed if the cause is not in the role: the
// service's own credentials, or the way to AWS.
func Explain(err error) string {
	var fault awserr.Error
	var foreign *foreignAnswer
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unreachable(withoutTimeout(err))
	case errors.As(err, &foreign):
		return foreign.text
	case !errors.As(err, &fault):
		return err.Error()
	}
	switch fault.Code() {
	case "NoCredentialProviders":
		return "no credentials found: set account.akid and account.secret, or give the AWS SDK some " +
			"(AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, ~/.aws/credentials, the role of the ECS task or of the machine)"
	case "InvalidClientTokenId", "UnrecognizedClientException":
		return "AWS does not know the access key of this service (" + fault.Code() + "): it is wrong, inactive or deleted"
	case "SignatureDoesNotMatch", "InvalidSignatureException":
		return "the secret does not belong to the access key of this service, or the clock is wrong (" + fault.Code() + ")"
	case "ExpiredToken", "ExpiredTokenException":
		return "the credentials of this service have expired (" + fault.Code() + ")"
	case "RequestError", "RequestCanceled":
		return unreachable(common.Origin(fault))
	case "":
		return "AWS answered without an error code: " + strings.TrimLeft(fault.Error(), ": \n\t")
	default:
		return strings.TrimSuffix(fault.Code()+": "+fault.Message(), ": ")
	}
}

// withoutTimeout returns the cause of an error that says itself that AWS did not
// answer in time.
func withoutTimeout(err error) error {
	var e *common.Error
	if errors.As(err, &e) && e.Code == common.Timeout && e.Cause != nil {
		return common.Origin(e.Cause)
	}
	return err
}

// ExplainInSession is Explain for a call to ECR in a session.
func ExplainInSession(err error) string {
	var fault awserr.Error
	if errors.As(err, &fault) && unknownSession[fault.Code()] {
		return "ECR does not know the session (" + fault.Code() + "): is the region enabled in that account, or was the role just made anew?"
	}
	return Explain(err)
}

// unreachable says what to look at if AWS could not be asked. The error of
// net/http names the URL.
func unreachable(err error) string {
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case os.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return "AWS did not answer in time: look at the network, HTTPS_PROXY and account.endpoint: " + err.Error()
	case errors.As(err, &dns):
		return "the name of AWS's host is not known: look at account.region, account.endpoint and DNS: " + err.Error()
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &record):
		return "the certificate of AWS's host is not trusted: look at account.endpoint, HTTPS_PROXY and AWS_CA_BUNDLE: " + err.Error()
	default:
		return "AWS cannot be reached: look at the network and account.endpoint: " + err.Error()
	}
}
