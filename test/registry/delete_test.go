package registry

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// What is deleted by the API is gone for the client, and what a client deletes is
// gone in the service's list. Afterwards the same image can be pushed again.
func TestDelete(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		u := w.logIn(t, c, w.password(account, allowAll))
		image := newImage(t, "from "+t.Name()+w.host, "amd64")
		for _, step := range []struct {
			remove func(digest string)
			want   string // what the client says of the image then
		}{
			{func(digest string) { w.deleteImage(digest) }, "Requested image not found"},
			{func(digest string) { u.remove(w, digest) }, "Requested image not found"},
			{func(string) { w.request(http.MethodDelete, "/"+name, "", nil) }, "The repository with name '" + name + "' does not exist in the registry with id '" + account + "'"},
		} {
			u.push(image, name+":v1")
			u.wantPulled(image, name+":v1")
			step.remove(w.digest("v1"))
			// oras says only that it is not found.
			u.wantFailure(c.pull, step.want+"|v1: not found", append(u.names(name+":v1"), "OUT="+u.folder()))
		}
		u.wantFailure(c.push, "The repository with name '"+name+"' does not exist in the registry with id '"+account+"'", u.pushing(image, name+":v1"))
		w.create(name)
		u.push(image, name+":v1")
		u.wantPulled(image, name+":v1")
	})
}

// deleteImage deletes an image of the first repository by the API of AWS.
func (w *world) deleteImage(digest string) {
	w.t.Helper()
	out, err := ecr.New(w.aws).BatchDeleteImage(&ecr.BatchDeleteImageInput{
		RepositoryName: aws.String(name), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: &digest}},
	})
	must(w.t, err)
	if len(out.Failures) > 0 {
		w.t.Fatal(out.Failures)
	}
}

// remove deletes an image of the first repository by the client, or by another
// way if the client cannot delete.
func (u *user) remove(w *world, digest string) {
	u.t.Helper()
	if u.client.remove == "" {
		w.deleteImage(digest)
		return
	}
	u.mustRun(u.client.remove, "", u.names(name+"@"+digest)...)
	if diff := cmp.Diff(map[string]listed{}, w.images()); diff != "" {
		u.t.Errorf("images (-want +got):\n%s", diff)
	}
}
