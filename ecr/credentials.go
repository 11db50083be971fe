package ecr

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A Login is what docker sends with each request to the registry.
type Login struct {
	common.Unprintable
	Username, Password string
	ExpiresAt          time.Time
}

// Login returns a new Login. It may do what the client's session may do.
func (c *Client) Login(ctx context.Context) (*Login, error) {
	out, err := send[authorization](ctx, c, "GetAuthorizationToken", &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, err
	}
	if len(out.AuthorizationData) != 1 || out.AuthorizationData[0].ExpiresAt == nil {
		return nil, errNoLogin
	}
	data := out.AuthorizationData[0]
	username, password, ok := splitToken(aws.StringValue(data.AuthorizationToken))
	if !ok {
		return nil, errNoLogin
	}
	return &Login{Username: username, Password: password, ExpiresAt: *data.ExpiresAt}, nil
}

// errNoLogin has nothing of what ECR answered, since that may be a password.
var errNoLogin = common.Errorf(common.Internal, "ECR answered GetAuthorizationToken with something that is no password for docker")

// login matches a user name, a colon, and a password that docker and the header
// of HTTP take as they are. Only the password may have a colon.
var login = regexp.MustCompile(`^[!-9;-~]+:[!-~]+$`)

// splitToken returns the user name and the password of an authorization token,
// which is both in base64, with a colon between them.
func splitToken(token string) (username, password string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil || !login.Match(text) || base64.StdEncoding.EncodeToString(text) != token {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}
