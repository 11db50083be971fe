package users

import (
	"context"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/iam"
)

// TryList asks for one user under a path, whichever it is. It finds out whether
// the session may.
func (a *API) TryList(ctx context.Context, session request.Option, path string) error {
	_, err := send(ctx, session, a.iam.ListUsersRequest, &iam.ListUsersInput{PathPrefix: aws.String(path), MaxItems: aws.Int64(1)})
	return err
}
