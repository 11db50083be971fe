// Package config holds the documents that are built into the program.
package config

import _ "embed"

// Local is the configuration of -local, as JSON.
//
//go:embed config.local.json
var Local []byte

// These are the policies of the management role in each account. docs/aws.md
// shows them, and the local AWS uses them. CredentialsPolicy is for docker
// credentials only, and InspectorPolicy for the findings of enhanced scanning.
// Both can be left out.
var (
	//go:embed aws/trust-policy.json
	TrustPolicy string
	//go:embed aws/role-policy.json
	RolePolicy string
	//go:embed aws/credentials-policy.json
	CredentialsPolicy string
	//go:embed aws/inspector-policy.json
	InspectorPolicy string
)

// UsersBoundary is the permissions boundary of the users that the service makes.
//
//go:embed aws/users-boundary.json
var UsersBoundary string
