package common

import "testing"

func TestRegistryARN(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		registry   Registry
		repository string
		want       string
	}{
		{Registry{"aws", "us-east-1", "012345678901"}, "spindev-00001/dasher",
			"arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/dasher"},
		{Registry{"aws-us-gov", "us-gov-west-1", "210987654321"}, "spindev-00001/*",
			"arn:aws-us-gov:ecr:us-gov-west-1:210987654321:repository/spindev-00001/*"},
	} {
		if got := test.registry.ARN(test.repository); got != test.want {
			t.Errorf("%+v: %s, want %s", test.registry, got, test.want)
		}
	}
}
