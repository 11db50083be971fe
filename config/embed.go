// Package config holds the documents that the program carries with it.
package config

import _ "embed"

// Local is the configuration of -local, as JSON.
//
//go:embed config.local.json
var Local []byte

// TrustPolicy and RolePolicy are what the management role needs in each account,
// as the README gives them to paste. -local runs under them too.
var (
	//go:embed aws/trust-policy.json
	TrustPolicy string
	//go:embed aws/role-policy.json
	RolePolicy string
)
