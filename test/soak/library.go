package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// image is an image in a repository. The time of its push tells it from an image
// with the same digest that was there before.
type image struct {
	Digest   string
	PushedAt int64    // in milliseconds
	Tags     []string // in order
}

// is tells whether the images are the same. Their tags may differ.
func (i image) is(other image) bool {
	return i.Digest == other.Digest && i.PushedAt == other.PushedAt
}

func (i image) parts() []string { return manifests[i.Digest].parts }

func (i image) subject() string { return manifests[i.Digest].subject }

// newestFirst is the order of lists.
func newestFirst(a, b image) int {
	return cmp.Or(cmp.Compare(b.PushedAt, a.PushedAt), cmp.Compare(a.Digest, b.Digest))
}

// library is all images of a repository as JSON, newest first. It is empty if
// there are none. Unlike a slice it can be compared.
type library string

func newLibrary(images []image) library {
	if len(images) == 0 {
		return ""
	}
	text, _ := json.Marshal(slices.SortedFunc(slices.Values(images), newestFirst)) // does not fail for strings and numbers
	return library(text)
}

func (l library) images() (images []image) {
	if l != "" {
		json.Unmarshal([]byte(l), &images) // decodes what newLibrary encoded
	}
	return images
}

func (l library) String() string {
	images := l.images()
	lines := make([]string, len(images))
	for n, i := range images {
		lines[n] = fmt.Sprintf("%.15s at %d %v", i.Digest, i.PushedAt, i.Tags)
	}
	return fmt.Sprintf("%d images: %s", len(images), strings.Join(lines, ", "))
}

// imageID names an image by its digest, by a tag, or, if something was removed,
// by both.
type imageID struct {
	ImageDigest, ImageTag string
}

func (id imageID) String() string { return id.ImageTag + "@" + id.ImageDigest }

func compareIDs(a, b imageID) int {
	return cmp.Or(cmp.Compare(a.ImageDigest, b.ImageDigest), cmp.Compare(a.ImageTag, b.ImageTag))
}

// idOf returns the id of a digest or a tag in a path.
func idOf(name string) imageID {
	if strings.Contains(name, ":") {
		return imageID{ImageDigest: name}
	}
	return imageID{ImageTag: name}
}

// find returns the image with that digest or tag.
func find(images []image, id imageID) (image, bool) {
	n := slices.IndexFunc(images, func(i image) bool {
		return i.Digest == id.ImageDigest || slices.Contains(i.Tags, id.ImageTag)
	})
	if n < 0 {
		return image{}, false
	}
	return images[n], true
}

// has tells whether the image is still there, whatever its tags are.
func has(images []image, i image) bool { return slices.ContainsFunc(images, i.is) }

// isPart tells whether an index that is there names the image.
func isPart(images []image, digest string) bool {
	return slices.ContainsFunc(images, func(i image) bool { return slices.Contains(i.parts(), digest) })
}

// removal is what was removed from a repository.
type removal struct {
	ids    []imageID // one for each tag, or the bare digest of an image without tags
	images []string  // digests of the images that are gone
}

func (r removal) String() string { return fmt.Sprintf("ids %v, images %.15q", r.ids, r.images) }

func (r removal) equals(other removal) bool {
	return slices.Equal(r.ids, other.ids) && slices.Equal(r.images, other.images)
}

// completed returns the removal with the digests that it does not tell, as the
// other one has them.
func (r removal) completed(other removal) removal {
	ids := slices.Clone(r.ids)
	for n, id := range ids {
		if i := slices.IndexFunc(other.ids, func(o imageID) bool { return o.ImageTag == id.ImageTag }); id.ImageDigest == "" && i >= 0 {
			ids[n] = other.ids[i]
		}
	}
	return removal{ids, r.images}.sorted()
}

// without returns what is not in the other removal.
func (r removal) without(other removal) removal {
	return removal{ids: slices.DeleteFunc(r.ids, func(id imageID) bool { return slices.Contains(other.ids, id) })}
}

// sorted returns the removal in one order, so that it can be compared.
func (r removal) sorted() removal {
	return removal{slices.SortedFunc(slices.Values(r.ids), compareIDs), slices.Sorted(slices.Values(r.images))}
}

// add adds the whole image.
func (r *removal) add(i image) {
	r.images = append(r.images, i.Digest)
	for _, tag := range i.Tags {
		r.ids = append(r.ids, imageID{i.Digest, tag})
	}
	if len(i.Tags) == 0 {
		r.ids = append(r.ids, imageID{ImageDigest: i.Digest})
	}
}

// removed returns what is in before and not in after.
func removed(before, after []image) removal {
	var gone removal
	for _, i := range before {
		n := slices.IndexFunc(after, i.is)
		if n < 0 {
			gone.add(i)
			continue
		}
		for _, tag := range i.Tags {
			if !slices.Contains(after[n].Tags, tag) {
				gone.ids = append(gone.ids, imageID{i.Digest, tag})
			}
		}
	}
	return gone.sorted()
}

// without returns the images after a removal.
func without(before []image, r removal) []image {
	var after []image
	for _, i := range before {
		if slices.Contains(r.images, i.Digest) {
			continue
		}
		i.Tags = slices.DeleteFunc(slices.Clone(i.Tags), func(tag string) bool {
			return slices.Contains(r.ids, imageID{i.Digest, tag})
		})
		after = append(after, i)
	}
	return after
}
