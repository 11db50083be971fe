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

// HasEnhancedScanning tells whether Amazon Inspector scans the images of the
// registry. Otherwise ECR's own basic scanning does.
func (c *Client) HasEnhancedScanning(ctx context.Context) (bool, error) {
	out, err := send[ecr.GetRegistryScanningConfigurationOutput](ctx, c, "GetRegistryScanningConfiguration", &ecr.GetRegistryScanningConfigurationInput{})
	if err != nil || out.ScanningConfiguration == nil {
		return false, err
	}
	return aws.StringValue(out.ScanningConfiguration.ScanType) == ecr.ScanTypeEnhanced, nil
}
