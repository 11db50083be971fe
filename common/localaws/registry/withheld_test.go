package registry_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// steps are requests with the actions that they need. ID is that of an upload.
var steps = []struct {
	method, path, body string
	actions            []string
}{
	{"HEAD", "/blobs/" + layerDigest, "", []string{"BatchCheckLayerAvailability"}},
	{"GET", "/blobs/" + layerDigest, "", []string{"GetDownloadUrlForLayer"}},
	{"POST", "/blobs/uploads/", "", []string{"InitiateLayerUpload"}},
	{"POST", "/blobs/uploads/?digest=" + layerDigest, layer, []string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}},
	{"POST", "/blobs/uploads/?mount=" + layerDigest + "&from=012345678901/us-east-1/group/one", "", []string{"InitiateLayerUpload"}},
	{"GET", "/blobs/uploads/ID", "", []string{"UploadLayerPart"}},
	{"PATCH", "/blobs/uploads/ID", layer, []string{"UploadLayerPart"}},
	{"PUT", "/blobs/uploads/ID?digest=" + layerDigest, layer, []string{"UploadLayerPart", "CompleteLayerUpload"}},
	{"PUT", "/blobs/uploads/ID?digest=" + layerDigest, "", []string{"CompleteLayerUpload"}},
	{"DELETE", "/blobs/uploads/ID", "", []string{"UploadLayerPart"}},
	{"PUT", "/manifests/v1", image, []string{"PutImage"}},
	{"HEAD", "/manifests/v1", "", []string{"BatchGetImage"}},
	{"GET", "/manifests/v1", "", []string{"BatchGetImage"}},
	{"GET", "/manifests/" + manifestDigest, "", []string{"BatchGetImage"}},
	{"GET", "/referrers/" + manifestDigest, "", []string{"BatchGetImage"}},
	{"GET", "/tags/list", "", []string{"ListImages"}},
	{"DELETE", "/manifests/v1", "", []string{"BatchDeleteImage"}},
	{"DELETE", "/manifests/" + manifestDigest, "", []string{"BatchDeleteImage"}},
}

// Each action is withheld in turn. The requests that need it are refused, and
// nothing tells whether what they are about is there. All others go on.
func TestWithheldActions(t *testing.T) {
	t.Parallel()
	var all []string
	for _, step := range steps {
		all = append(all, step.actions...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, withheld := range all {
		t.Run(withheld, func(t *testing.T) {
			t.Parallel()
			b, administrator := start(t)
			administrator.pushImage(one, "v1")
			rest := slices.DeleteFunc(slices.Clone(all), func(action string) bool { return action == withheld })
			c := login(t, b, awstest.Here, b.Assume(t, localaws.AdministratorAccount, policy(rest...), nil))
			for _, step := range steps {
				end := strings.Replace(step.path, "ID", path.Base(administrator.startUpload(one)), 1)
				got := c.send(step.method, one+end, step.body)
				if !slices.Contains(step.actions, withheld) {
					if got.status == 403 {
						t.Errorf("%s %s: %v", step.method, step.path, got)
					}
					continue
				}
				c.wantDenied(step.method+" "+step.path, got, withheld, "group/one")
				if step.actions[0] == withheld {
					got := c.send(step.method, "/v2/012345678901/us-east-1/no/where"+end, step.body)
					c.wantDenied(step.method+" "+step.path+" elsewhere", got, withheld, "no/where")
				}
			}
		})
	}
}

func (c *caller) wantDenied(name string, got reply, action, repository string) {
	c.t.Helper()
	if strings.HasPrefix(name, "HEAD") {
		c.wantStatus(name, got, 403)
		return
	}
	c.wantError(name, got, 403, "DENIED", "User: arn:aws:sts::012345678901:assumed-role/ecr-api/test is not authorized to perform: ecr:"+action+
		" on resource: arn:aws:ecr:us-east-1:012345678901:repository/"+repository+" because no session policy allows the ecr:"+action+" action")
}
