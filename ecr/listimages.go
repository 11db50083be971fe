package ecr

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go/aws"
)

// A Selection says which images a list has. The zero value selects all that are
// active.
type Selection struct {
	Filter
	After *Position // the list begins after it; nil: with the first image
	Limit int       // the list has so many images at most; 0: all
}

// A Position is the place of an image in a list, among images that may be gone.
type Position struct {
	PushedAt time.Time // zero if AWS does not give it
	Digest   string
}

// An ImageList is a list of images. The image that was pushed last comes first.
type ImageList struct {
	Images []*Image // never nil
	More   bool     // there are images after these

	// Pages is how many pages were read. Between two of them the repository may
	// have become another one.
	Pages int
}

// Images returns the selected images of the repository of that full name.
//
// ECR has pages too, but in no order. So each list reads all of them.
func (c *Client) Images(ctx context.Context, name string, selection Selection) (*ImageList, error) {
	l := &listing{Selection: selection, images: []*Image{}}
	err := c.eachPage(ctx, name, selection.aws(), imagePage{keep: l.wants}, func(page *imagePage) error {
		l.add(page.images)
		return nil
	})
	if err != nil {
		return nil, err
	}
	images, more := l.end()
	return &ImageList{Images: images, More: more, Pages: l.pages}, nil
}

// eachPage reads all images of the repository that pass ECR's filter, and calls
// each for every page of them. The pages are read with the settings of the empty
// one.
func (c *Client) eachPage(ctx context.Context, name string, filter *imageFilter, empty imagePage, each func(*imagePage) error) error {
	in := &describeImagesInput{Filter: filter, MaxResults: aws.Int64(pageSize), RepositoryName: aws.String(name)}
	for {
		page := empty
		if err := c.sendInto(ctx, "DescribeImages", in, &page); err != nil {
			return c.explain(ctx, name, err)
		}
		if err := each(&page); err != nil || page.nextToken == "" {
			return err
		}
		in.NextToken = &page.nextToken
	}
}

// anyStatus is the filter for images of every status.
var anyStatus = &imageFilter{ImageStatus: aws.String(Any)}

// A listing puts the pages of ECR together. What the list will not have is
// dropped as soon as that is known.
type listing struct {
	Selection
	images []*Image
	pages  int // of ECR
}

// wants tells whether the list may have the image.
func (l *listing) wants(i *Image) bool {
	switch {
	case !l.keeps(i):
		return false
	case l.After != nil && i.Position().compare(*l.After) <= 0:
		return false
	}
	return !l.full() || newestFirst(i, l.images[len(l.images)-1]) < 0
}

// full tells whether there is one image more than the list may have. It says
// that there is a next page.
func (l *listing) full() bool { return l.Limit > 0 && len(l.images) > l.Limit }

func (l *listing) add(images []*Image) {
	l.images = append(l.images, images...)
	l.pages++
	if !l.full() {
		return
	}
	if l.sort(); l.full() {
		clear(l.images[l.Limit+1:])
		l.images = l.images[:l.Limit+1]
	}
}

func (l *listing) end() (images []*Image, more bool) {
	if l.full() {
		return l.images[:l.Limit], true
	}
	l.sort()
	return l.images, false
}

// sort puts the images in order. An image that is pushed or gets a tag while ECR
// is asked may be on two of its pages. The last push counts.
func (l *listing) sort() {
	if l.pages > 1 { // to sort twice takes no memory
		slices.SortFunc(l.images, byDigest)
		l.images = slices.CompactFunc(l.images, func(a, b *Image) bool { return a.ImageDigest == b.ImageDigest })
	}
	slices.SortFunc(l.images, newestFirst)
}

// byDigest orders images by digest, and those with the same one as newestFirst
// does.
func byDigest(a, b *Image) int {
	if order := cmp.Compare(a.ImageDigest, b.ImageDigest); order != 0 {
		return order
	}
	return newestFirst(a, b)
}

// newestFirst orders images by the time of the push. It orders images of the
// same time by digest, so that the same state always gives the same answer.
func newestFirst(a, b *Image) int { return a.Position().compare(b.Position()) }

// Position returns the place of the image in a list.
func (i *Image) Position() Position { return Position{i.pushed(), i.ImageDigest} }

func (p Position) compare(q Position) int {
	return cmp.Or(
		q.PushedAt.Compare(p.PushedAt),
		cmp.Compare(p.Digest, q.Digest),
	)
}

// status returns the status. An image without one counts as active.
func (i *Image) status() string {
	if i.Status == nil {
		return active
	}
	return *i.Status
}

// pushed returns the time of the push, and the zero time if AWS did not give
// it.
func (i *Image) pushed() time.Time {
	if i.ImagePushedAt == nil {
		return time.Time{}
	}
	return i.ImagePushedAt.Time
}
