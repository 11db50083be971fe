package ecr

import (
	"context"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// TryDescribe asks for one repository, whichever it is. It finds out whether
// the role may.
func (c *Client) TryDescribe(ctx context.Context) error {
	_, err := send[repositoryNames](ctx, c, "DescribeRepositories", &ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1)})
	return err
}
