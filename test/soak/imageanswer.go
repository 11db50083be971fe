package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Codes of problems with images.
const (
	imageNotFound = "image-not-found"
	imageInIndex  = "image-in-index"
	tagMoved      = "tag-moved"
)

// imageRequest returns the method and the path of an operation on the images at
// that path.
func (o operation) imageRequest(path string) (method, full string) {
	query := o.query.String()
	if query != "" {
		query = "?" + query
	}
	switch o.kind {
	case listImages, pageImages:
		return http.MethodGet, path + query
	case deleteMany, dryRun:
		return http.MethodDelete, path + query
	case deleteImage:
		return http.MethodDelete, path + "/" + o.image
	default:
		return http.MethodGet, path + "/" + o.image
	}
}

// shows tells whether an answer can show that. It is nil if there was no answer.
func (o operation) shows(images, listed []image) bool {
	want := o.query.list(images)
	if o.kind == showImage {
		i, found := find(images, idOf(o.image))
		if !found {
			return false
		}
		want = []image{i}
	}
	return listed == nil || slices.EqualFunc(want, listed, isListedAs)
}

// isListedAs tells whether an answer shows an image right.
func isListedAs(i, listed image) bool {
	return i.Digest == listed.Digest && i.PushedAt/1000*1000 == listed.PushedAt && slices.Equal(i.Tags, listed.Tags)
}

// imageAnswer is an image in an answer.
type imageAnswer struct {
	ImageDigest, ImageManifestMediaType, RegistryId, RepositoryName string
	ImagePushedAt                                                   time.Time
	ImageTags                                                       []string
	SubjectManifestDigest                                           *string // only if it is the only image
}

func readImages(out outcome, s *sentRequest, r *repository) (outcome, error) {
	var body []imageAnswer
	if err := json.Unmarshal(s.answer.body, &body); err != nil {
		return out, err
	}
	out.listed = []image{}
	for _, a := range body {
		i, err := a.image(r)
		if err != nil {
			return out, err
		}
		out.listed = append(out.listed, i)
	}
	return out, nil
}

func readImage(out outcome, s *sentRequest, r *repository) (outcome, error) {
	var body imageAnswer
	if err := json.Unmarshal(s.answer.body, &body); err != nil {
		return out, err
	}
	i, err := body.image(r)
	out.listed = []image{i}
	told := ""
	if body.SubjectManifestDigest != nil {
		told = *body.SubjectManifestDigest
	}
	if err == nil && told != i.subject() {
		err = fmt.Errorf("the subject is %q, and not %q", i.subject(), told)
	}
	return out, err
}

// image returns an error if the answer is about an image of another repository.
func (a imageAnswer) image(r *repository) (image, error) {
	if a.RegistryId != r.account || a.RepositoryName != r.fullName() || a.ImageManifestMediaType != manifests[a.ImageDigest].mediaType {
		return image{}, fmt.Errorf("the answer is about another image: %+v", a)
	}
	return image{a.ImageDigest, a.ImagePushedAt.UnixMilli(), a.ImageTags}, nil
}

// deletionAnswer is the answer to a deletion of images.
type deletionAnswer struct {
	DryRun        *bool // not in the answer to a deletion of one image
	ImageIds      []imageID
	DeletedImages []string
	Failures      []imageFailure
}

type imageFailure struct {
	ImageId                    imageID
	FailureCode, FailureReason string
}

func (a *deletionAnswer) removal() removal {
	return removal{a.ImageIds, a.DeletedImages}.sorted()
}

func readDeletion(out outcome, s *sentRequest) (outcome, error) {
	out.deleted = new(deletionAnswer)
	if err := json.Unmarshal(s.answer.body, out.deleted); err != nil {
		return out, err
	}
	switch told := out.deleted.DryRun; {
	case s.operation.kind == deleteImage && told != nil:
		return out, fmt.Errorf("DryRun is for deletions of many images")
	case s.operation.kind != deleteImage && (told == nil || *told != (s.operation.kind == dryRun)):
		return out, fmt.Errorf("DryRun is not as asked for")
	}
	return out, nil
}
