package iam

import "github.com/YaleSpinup/ecr-api/common"

// codes is what STS's error codes mean to our caller. What is not here is an
// internal error: our own credentials that do not work (InvalidClientTokenId,
// SignatureDoesNotMatch, ExpiredToken), a policy of ours that AWS cannot read
// (MalformedPolicyDocument, PackedPolicyTooLarge), or AWS being down.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var codes = map[string]common.Code{
	"AccessDenied": common.Forbidden,
}

// Translate turns an error of STS into a common.Error.
func Translate(err error) error { return common.FromAWS(err, codes) }
