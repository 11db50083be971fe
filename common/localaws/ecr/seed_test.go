package ecr_test

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestSeedErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	img := localaws.Image{Digest: digestOf("x")}
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
	for name, test := range map[string]struct {
		err  error
		text string
	}{
		"malformed name":      {b.AddRepository(awstest.Other, awstest.Here, "UPPER", nil), "repositoryName"},
		"reserved tag":        {b.AddRepository(awstest.Other, awstest.Here, "group/two", map[string]string{"aws:a": ""}), "reserved"},
		"repository twice":    {b.AddRepository(localaws.AdministratorAccount, awstest.Here, "group/one", nil), "there is a repository"},
		"missing repository":  {b.AddImage(awstest.Other, awstest.Here, "group/one", localaws.Image{}), "no repository"},
		"image twice":         {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img), "there is an image"},
		"malformed image tag": {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{"a/b"}}), "tag of an image"},
		"malformed manifest":  {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Manifest: "{"}), "Invalid JSON"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Errorf("%s: error %v, want one with %q", name, test.err, test.text)
		}
	}
}
