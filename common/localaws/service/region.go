package service

import (
	"regexp"
	"strings"
)

// Region is the name of a region.
type Region string

var regionPattern = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)

// Valid reports whether the name has the form of a region name.
func (r Region) Valid() bool {
	return regionPattern.MatchString(string(r))
}

// Partition returns the part of AWS that the region belongs to: the second part
// of an ARN.
func (r Region) Partition() string {
	for prefix, partition := range map[string]string{
		"cn-":      "aws-cn",
		"us-gov-":  "aws-us-gov",
		"us-iso-":  "aws-iso",
		"us-isob-": "aws-iso-b",
		"eu-isoe-": "aws-iso-e",
		"us-isof-": "aws-iso-f",
		"eusc-":    "aws-eusc",
	} {
		if strings.HasPrefix(string(r), prefix) {
			return partition
		}
	}
	return "aws"
}

// Domain returns the domain of the region's host names.
func (r Region) Domain() string {
	switch r.Partition() {
	case "aws-cn":
		return "amazonaws.com.cn"
	case "aws-iso":
		return "c2s.ic.gov"
	case "aws-iso-b":
		return "sc2s.sgov.gov"
	case "aws-iso-e":
		return "cloud.adc-e.uk"
	case "aws-iso-f":
		return "csp.hci.ic.gov"
	case "aws-eusc":
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}
