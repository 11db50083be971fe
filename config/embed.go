// Package config holds the documents that are built into the program.
package config

import _ "embed"

// Local is the configuration of -local, as JSON.
//
//go:embed config.local.json
var Local []byte

// These are the policies of the management role in each account. docs/aws.md
// shows them, and the local AWS uses them. CredentialsPolicy is for docker
// credentials only, InspectorPolicy for the findings of enhanced scanning, and
// UsersPolicy for users. These three can be left out.
var (
	//go:embed aws/trust-policy.json
	TrustPolicy string
	//go:embed aws/role-policy.json
	RolePolicy string
	//go:embed aws/credentials-policy.json
	CredentialsPolicy string
	//go:embed aws/inspector-policy.json
	InspectorPolicy string
	//go:embed aws/users-policy.json
	UsersPolicy string
)

// UsersBoundary is the permissions boundary of the users that the service makes.
// UsersPolicy has its name, ecr-api-users, and FORMER-GROUP in place of the name of
// the IAM group of an earlier service.
//
//go:embed aws/users-boundary.json
var UsersBoundary string
