package ecr

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// encryption says how a repository is encrypted.
type encryption struct {
	Type string `json:"encryptionType"`
	Key  string `json:"kmsKey,omitempty"`
}

const aes256 = "AES256"

// managedKey is the alias of the key that AWS manages for ECR.
const managedKey = "alias/aws/ecr"

var (
	keyPattern    = regexp.MustCompile(`^(alias/[a-zA-Z0-9/_-]+|[a-zA-Z0-9-]+)$`)
	keyARNPattern = regexp.MustCompile(`^arn:([a-z-]+):kms:([a-z0-9-]+):([0-9]{12}):(key/[a-zA-Z0-9-]+|alias/[a-zA-Z0-9/_-]+)$`)
)

func (e encryption) check(p service.Place) error {
	switch e.Type {
	case "":
		return invalidParameter("encryptionType", "must not be null")
	case aes256:
		if e.Key != "" {
			return invalidParameter("kmsKey", "must not be specified when encryptionType is AES256")
		}
		return nil
	case "KMS", "KMS_DSSE":
	default:
		return invalidParameter("encryptionType", "Member must satisfy enum value set: [AES256, KMS, KMS_DSSE]")
	}
	if len(e.Key) > 2048 {
		return invalidParameter("kmsKey", "Member must have length less than or equal to 2048")
	}
	parts := keyARNPattern.FindStringSubmatch(e.Key)
	isARN := parts != nil && parts[1] == p.Region.Partition() && parts[2] == string(p.Region)
	if e.Key != "" && !isARN && !keyPattern.MatchString(e.Key) {
		failure := service.Errorf("KmsException", "The KMS key '%s' is not valid in %s", e.Key, p.Region)
		failure.Extra = map[string]any{"kmsError": "NotFoundException"}
		return failure
	}
	return nil
}

// resolved returns the encryption as ECR shows it, with the ARN of the KMS key.
// There is no KMS here, so every key exists. For an alias, the id of the key is
// made from the alias.
func (e encryption) resolved(p service.Place) encryption {
	if e.Type == aes256 {
		return e
	}
	name, account := e.Key, p.Account
	if name == "" {
		name = managedKey
	}
	if parts := keyARNPattern.FindStringSubmatch(name); parts != nil {
		account, name = parts[3], strings.TrimPrefix(parts[4], "key/")
	}
	if strings.HasPrefix(name, "alias/") {
		sum := sha256.Sum256([]byte(account + string(p.Region) + name))
		name = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	e.Key = "arn:" + p.Region.Partition() + ":kms:" + string(p.Region) + ":" + account + ":key/" + name
	return e
}

// usesCustomerKey reports whether the key is one that the customer manages.
// Otherwise AWS manages it, or there is no key.
func (e encryption) usesCustomerKey() bool {
	return e.Type != aes256 && e.Key != "" && !strings.HasSuffix(e.Key, managedKey)
}
