// Package ecr calls Amazon ECR and answers in the shapes of the contract.
package ecr

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// pageSize is the most that ECR gives at once.
const pageSize = 1000

// Client calls one registry with one session's credentials. Its errors are
// common.Errors.
type Client struct {
	api      *ecr.ECR
	registry common.Registry
}

// New returns a Client of the registry that signs with these credentials.
func New(session client.ConfigProvider, registry common.Registry, c *credentials.Credentials) *Client {
	return &Client{
		api:      ecr.New(session, &aws.Config{Credentials: c}),
		registry: registry,
	}
}
