package service

import "testing"

func TestRegions(t *testing.T) {
	t.Parallel()
	for name, want := range map[Region][2]string{
		"us-east-1":      {"aws", "amazonaws.com"},
		"cn-northwest-1": {"aws-cn", "amazonaws.com.cn"},
		"us-gov-west-1":  {"aws-us-gov", "amazonaws.com"},
		"us-iso-east-1":  {"aws-iso", "c2s.ic.gov"},
		"us-isob-east-1": {"aws-iso-b", "sc2s.sgov.gov"},
		"eusc-de-east-1": {"aws-eusc", "amazonaws.eu"},
		"eu-central-2":   {"aws", "amazonaws.com"},
	} {
		if got := [2]string{name.Partition(), name.Domain()}; got != want || !name.Valid() {
			t.Errorf("%s: %v (valid %v), want %v", name, got, name.Valid(), want)
		}
	}
}
