package registry_test

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// TestArchivedImage shows that an image in the archive cannot be pulled, and that
// pushing it again brings it back.
func TestArchivedImage(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	c.pushBlob(one, config, configDigest)
	c.pushBlob(one, layer, layerDigest)
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{"v1"}, Manifest: image,
		ArtifactType: "application/vnd.oci.image.config.v1+json", MediaType: ociManifest, Status: "ARCHIVED"}))
	for _, reference := range []string{"v1", manifestDigest} {
		c.wantError("GET "+reference, c.send("GET", one+"/manifests/"+reference, ""), 404, "MANIFEST_UNKNOWN", "Requested image is archived")
		c.wantStatus("HEAD "+reference, c.send("HEAD", one+"/manifests/"+reference, ""), 404)
	}
	c.wantStatus("HEAD of the layer", c.send("HEAD", one+"/blobs/"+layerDigest, ""), 404)
	c.wantError("GET of the layer", c.send("GET", one+"/blobs/"+layerDigest, ""), 404, "BLOB_UNKNOWN", "The layer with digest '"+layerDigest+
		"' in the repository with name 'group/one' in the registry with id '012345678901' is not available because only archived images name it")
	b.Add(t, "group/two")
	const two = "/v2/012345678901/us-east-1/group/two"
	mount := two + "/blobs/uploads/?mount=" + layerDigest + "&from=012345678901/us-east-1/group/one"
	c.wantStatus("mount of the layer", c.send("POST", mount, ""), 202)
	c.want("tags", c.send("GET", one+"/tags/list", ""), "200\nContent-Length: 53\nContent-Type: application/json\n\n"+
		`{"name":"012345678901/us-east-1/group/one","tags":[]}`)
	c.pushImage(one, "v1")
	c.wantStatus("GET after the push", c.send("GET", one+"/manifests/v1", ""), 200)
	c.wantStatus("HEAD of the layer after the push", c.send("HEAD", one+"/blobs/"+layerDigest, ""), 200)
	c.wantStatus("mount of the layer after the push", c.send("POST", mount, ""), 201)
}
