package localaws

import (
	"regexp"
	"strings"
)

// region is a region's name.
type region string

var regionPattern = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)

func (r region) valid() bool {
	return regionPattern.MatchString(string(r))
}

// partition returns the part of AWS that the region belongs to, the second part of an ARN.
func (r region) partition() string {
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

// domain returns the domain of the region's registries.
func (r region) domain() string {
	switch r.partition() {
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

func (r region) repositoryARN(account, name string) string {
	return "arn:" + r.partition() + ":ecr:" + string(r) + ":" + account + ":repository/" + name
}

func (r region) roleARN(account, name string) string {
	return "arn:" + r.partition() + ":iam::" + account + ":role/" + name
}
