package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// push is an image to push. Without a tag it is pushed by its digest.
type push struct {
	manifest manifest
	tag      string
}

func (p push) String() string { return fmt.Sprintf("%s@%.15s", p.tag, p.manifest.digest) }

// tags has few tags, so that they often move from one image to another. The last
// one makes an image the signature of another one.
var tags = []string{"latest", "v1", "v2", "v3", "dev-1", "dev-2", "rc.1", "rc.2", signatureOf(catalogue[8])}

// signatureOf returns the tag of a signature, as cosign writes it.
func signatureOf(m manifest) string {
	return "sha256-" + strings.TrimPrefix(m.digest, "sha256:") + ".sig"
}

// choosePushes returns some images to push into a repository with these images.
// Half of the pushes are about one of the images in focus, if there are any.
func choosePushes(random *rand.Rand, images, focus []image) []push {
	pushes := make([]push, 1+random.IntN(5))
	for n := range pushes {
		pushes[n] = push{catalogue[random.IntN(len(catalogue)-bulkImages)], tags[random.IntN(len(tags))]}
		about := focus
		if len(focus) == 0 || random.IntN(2) == 0 {
			about = images
		}
		switch target := random.IntN(4); {
		case target == 0: // any image without a tag
			pushes[n].tag = ""
		case len(about) == 0 || target == 1: // any image with any tag
		case target == 2: // another tag for an image
			pushes[n].manifest = manifests[about[random.IntN(len(about))].Digest]
		default: // an image takes the tag of another one
			if taken := about[random.IntN(len(about))].Tags; len(taken) > 0 {
				pushes[n].tag = taken[random.IntN(len(taken))]
			}
		}
	}
	return pushes
}

// bulk returns pushes of more images than one call of the service can delete.
// None of them has a tag.
func bulk() []push {
	var pushes []push
	for _, m := range catalogue[len(catalogue)-bulkImages:] {
		pushes = append(pushes, push{manifest: m})
	}
	return pushes
}

// push pushes an image and the parts that it needs, as the auditor. AWS may
// refuse an image that is there already, or a tag that cannot move.
func (a *faultyAWS) push(account, name string, p push) error {
	err := a.put(account, name, p)
	if !isCode(err, ecr.ErrCodeReferencedImagesNotFoundException) {
		return err
	}
	for _, part := range p.manifest.parts {
		if err := a.push(account, name, push{manifest: manifests[part]}); err != nil {
			return err
		}
	}
	return a.put(account, name, p)
}

func (a *faultyAWS) put(account, name string, p push) error {
	in := &ecr.PutImageInput{RepositoryName: &name, ImageManifest: &p.manifest.text, ImageManifestMediaType: &p.manifest.mediaType}
	if p.tag != "" {
		in.ImageTag = &p.tag
	}
	_, err := a.clients[account].PutImage(in)
	if isCode(err, ecr.ErrCodeImageAlreadyExistsException) || isCode(err, ecr.ErrCodeImageTagAlreadyExistsException) {
		return nil
	}
	return err
}

func isCode(err error, code string) bool {
	fault, ok := err.(awserr.Error)
	return ok && fault.Code() == code
}

// imagesOf returns the images of a repository in AWS, newest first.
func (a *faultyAWS) imagesOf(account, name string) ([]image, error) {
	var images []image
	in := &ecr.DescribeImagesInput{RepositoryName: &name, MaxResults: aws.Int64(1000)}
	err := a.clients[account].DescribeImagesPages(in, func(page *ecr.DescribeImagesOutput, _ bool) bool {
		for _, d := range page.ImageDetails {
			images = append(images, image{*d.ImageDigest, d.ImagePushedAt.UnixMilli(), aws.StringValueSlice(d.ImageTags)})
		}
		return true
	})
	slices.SortFunc(images, newestFirst)
	return images, err
}

// deleteImages is the operation that deletes images.
const deleteImages = "ecr:BatchDeleteImage"

// awaited are the operations whose end is waited for before soak looks at what
// they have done. It looks after each of them.
var awaited = []string{
	deleteImages, "ecr:SetRepositoryPolicy", "ecr:DeleteRepositoryPolicy", "ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy",
	"iam:CreateUser", "iam:DeleteUser", "iam:PutUserPolicy", "iam:DeleteUserPolicy", "iam:DetachUserPolicy", "iam:TagUser",
	"iam:PutUserPermissionsBoundary", "iam:RemoveUserFromGroup", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey",
}

// beginChange notes that the service has begun one of these operations. It
// returns false: it is no fault.
func (a *faultyAWS) beginChange(call localaws.Call) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if isAuditor(call) {
		return false
	}
	a.changing[call.RequestID] = call.Account + "/" + repositoryOf(call)
	return false
}

func (a *faultyAWS) endChange(call localaws.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.changing, call.RequestID)
}

// waitForChanges waits until AWS has ended these operations on a repository. The service may have given up one that AWS does all the same.
func (a *faultyAWS) waitForChanges(account, name string) {
	underWay := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Contains(slices.Collect(maps.Values(a.changing)), account+"/"+name)
	}
	for underWay() {
		time.Sleep(time.Millisecond)
	}
}
