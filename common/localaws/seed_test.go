package localaws

import (
	"strings"
	"testing"
)

func TestSeedErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	must(t, b.AddRepository(AdministratorAccount, here, "group/one", nil))
	img := Image{Digest: digestOf("x")}
	must(t, b.AddImage(AdministratorAccount, here, "group/one", img))
	for name, test := range map[string]struct {
		err  error
		text string
	}{
		"account":         {b.AddRepository("111111111111", here, "group/two", nil), "no account"},
		"region":          {b.AddRepository(other, "local", "group/two", nil), "no region"},
		"name":            {b.AddRepository(other, here, "UPPER", nil), "repositoryName"},
		"tag":             {b.AddRepository(other, here, "group/two", map[string]string{"aws:a": ""}), "reserved"},
		"repository":      {b.AddRepository(AdministratorAccount, here, "group/one", nil), "there is a repository"},
		"image's account": {b.AddImage("111111111111", here, "group/one", Image{}), "no account"},
		"no repository":   {b.AddImage(other, here, "group/one", Image{}), "no repository"},
		"image":           {b.AddImage(AdministratorAccount, here, "group/one", img), "there is an image"},
		"image tag":       {b.AddImage(AdministratorAccount, here, "group/one", Image{Tags: []string{"a/b"}}), "tag of an image"},
		"manifest":        {b.AddImage(AdministratorAccount, here, "group/one", Image{Manifest: "{"}), "Invalid JSON"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Errorf("%s: error %v, want one with %q", name, test.err, test.text)
		}
	}
}
