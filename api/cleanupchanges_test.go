package api

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// What somebody does between the first look and the second one, about images that
// are in the repository in a special way.
func TestWhatChangesBeforeTheDeletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given  func(*small)
		change func(*small)
		query  string
		want   string
		there  string
	}{
		"the image of a signature is pushed": {
			given: func(s *small) { s.addSignature("new") }, change: func(s *small) { s.push("new", "v9") },
			query: "tagged=false", want: "index part untagged -index -part -untagged", there: "new:v9 one:v1 signature two:latest two:v2",
		},
		"the image of a signature is not pushed": {
			given: func(s *small) { s.addSignature("new") }, change: func(*small) {},
			query: "tagged=false", want: "index part signature untagged -index -part -signature -untagged", there: "one:v1 two:latest two:v2",
		},
		"an archived image is restored": {
			given: func(s *small) { s.store("one", "ARCHIVE") }, change: func(s *small) { s.store("one", "STANDARD") },
			query: "status=ARCHIVED", want: "", there: "index one:v1 part two:latest two:v2 untagged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t)
			test.given(s)
			s.before("DescribeImages", 2, func() { test.change(s) })
			s.deletes(test.query, test.want, test.there)
		})
	}
}

// A read of a manifest counts as a pull, so only indexes are read.
func TestOnlyIndexesArePulled(t *testing.T) {
	t.Parallel()
	s := newSmall(t)
	s.run(cleanUp("tagged=false&dryRun=true", 200, "-"))
	out, err := s.api.DescribeImages(&awsecr.DescribeImagesInput{RepositoryName: aws.String("g/a")})
	if err != nil {
		t.Fatal(err)
	}
	var pulled []string
	for _, i := range out.ImageDetails {
		if i.LastRecordedPullTime != nil {
			pulled = append(pulled, s.names[*i.ImageDigest])
		}
	}
	if diff := cmp.Diff([]string{"index"}, pulled); diff != "" {
		t.Errorf("pulled (-want +got):\n%s", diff)
	}
}

// addSignature adds a signature of an image that need not be there.
func (s *small) addSignature(of string) {
	manifest := `{"schemaVersion": 2, "mediaType": "` + ociManifest + `", "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "` + digestA + `", "size": 2}, "layers": [],
		"subject": {"mediaType": "` + ociManifest + `", "digest": "` + s.digests[of] + `", "size": 1}}`
	s.addImage(account, "g/a", localaws.Image{Digest: digestB, Manifest: manifest, MediaType: ociManifest, PushedAt: daysAgo(9)})
	s.names[digestB] = "signature"
}

// store moves an image to the archive, or back.
func (s *small) store(name, class string) {
	in := &struct {
		RepositoryName     *string                 `locationName:"repositoryName"`
		ImageID            *awsecr.ImageIdentifier `locationName:"imageId"`
		TargetStorageClass *string                 `locationName:"targetStorageClass"`
	}{aws.String("g/a"), imageID(s.digests[name]), &class}
	s.must(nil, s.api.NewRequest(&request.Operation{Name: "UpdateImageStorageClass", HTTPMethod: "POST", HTTPPath: "/"}, in, nil).Send())
}

func (s *small) removeTag(tag string) {
	s.must(s.api.BatchDeleteImage(&awsecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*awsecr.ImageIdentifier{{ImageTag: &tag}}}))
}
