package registry

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

var (
	hostPattern = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.(.+)$`)
	// namePattern is the name of a repository under the host of this machine.
	namePattern   = regexp.MustCompile(`(?s)^([0-9]{12})/([a-z0-9-]+)/(.+)$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	tagPattern    = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,299}$`)
)

// registry is the registry of an account in a region. AWS has a host for each.
// Under another host, names begin with the account and the region. The zero
// value stands for such a host.
type registry struct{ account, region string }

// hostRegistry returns the registry of a host.
func hostRegistry(host string) registry {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	parts := hostPattern.FindStringSubmatch(strings.ToLower(host))
	if parts == nil {
		return registry{}
	}
	if region := service.Region(parts[2]); !region.Valid() || region.Domain() != parts[3] {
		return registry{}
	}
	return registry{parts[1], parts[2]}
}

// IsHost tells whether a host, with or without a port, is that of a registry in
// AWS, such as 012345678901.dkr.ecr.us-east-1.amazonaws.com.
func IsHost(host string) bool { return hostRegistry(host) != registry{} }

// resolve returns the registry and the name in it that a client means by the
// name of a repository.
func (at registry) resolve(name string) (registry, string, error) {
	if at == (registry{}) {
		parts := namePattern.FindStringSubmatch(name)
		if parts == nil || !service.Region(parts[2]).Valid() {
			return at, "", problem{http.StatusBadRequest, codeNameInvalid,
				fmt.Sprintf("a repository here has a name like 012345678901/us-east-1/group/name, not %.100q", name)}
		}
		at, name = registry{parts[1], parts[2]}, parts[3]
	}
	if err := (ecr.RepositoryID{RegistryID: at.account, RepositoryName: name}).Check(nil); err != nil {
		return at, "", problem{http.StatusBadRequest, codeNameInvalid, message(err)}
	}
	return at, name, nil
}

// checkRegion returns an error if the password is not good in the region of the
// registry. AWS documents that, but not its words.
func (at registry) checkRegion(login *service.Login) error {
	if at.region == "" || at.region == login.Region() {
		return nil
	}
	return problem{http.StatusForbidden, codeDenied,
		fmt.Sprintf("Your authorization token is for the region %s, not for %s.", login.Region(), at.region)}
}

// checkDigest returns an error if a text is not the digest of a layer or an
// image.
func checkDigest(text string) error {
	if !digestPattern.MatchString(text) {
		return problem{http.StatusBadRequest, codeDigestInvalid, fmt.Sprintf("a digest is sha256: and 64 hexadecimal digits, not %.100q", text)}
	}
	return nil
}

// imageID returns the id of the image that the reference names: a digest has a
// colon, a tag never has one.
func (q *request) imageID() (ecr.ImageID, error) {
	if strings.Contains(q.reference, ":") {
		return ecr.ImageID{Digest: q.reference}, checkDigest(q.reference)
	}
	if !tagPattern.MatchString(q.reference) {
		return ecr.ImageID{}, problem{http.StatusBadRequest, codeTagInvalid,
			fmt.Sprintf("a tag has 300 letters, digits and . _ - at most, and begins with none of . and -, not %.100q", q.reference)}
	}
	return ecr.ImageID{Tag: q.reference}, nil
}
