package ecr

import (
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An imagePage is a page of a DescribeImages. There can be many pages of a
// thousand images. So a page is read token by token into what callers get.
type imagePage struct {
	images    []*Image
	nextToken string

	detailed bool              // it has what only DescribeImages of the Client tells
	keep     func(*Image) bool // tells which images it has; nil: all
	told     int               // how many ECR has told

	memory chunk[Image]
	spare  *Image // memory that is left of an image that was not kept
	times  chunk[common.Timestamp]
	sizes  chunk[int64]
	common map[string]*string // strings that many images have, by their JSON
}

// A detailedPage is an imagePage whose images have all their fields.
type detailedPage struct{ imagePage }

// UnmarshalJSONFrom reads the page from an answer of AWS.
func (p *detailedPage) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	p.detailed = true
	return p.imagePage.UnmarshalJSONFrom(d)
}

// A chunk is memory for several values. Taking it at once costs less than taking
// it for each value.
type chunk[T any] struct {
	free []T
	size int
}

// next returns a new value. Each chunk is twice as large as the one before, up
// to 64 values.
func (c *chunk[T]) next() *T {
	if len(c.free) == 0 {
		c.size = min(max(2*c.size, 1), 64)
		c.free = make([]T, c.size)
	}
	value := &c.free[0]
	c.free = c.free[1:]
	return value
}

// UnmarshalJSONFrom reads the page from an answer of AWS.
func (p *imagePage) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	p.common = map[string]*string{}
	return readObject(d, func(name []byte) (err error) {
		switch string(name) {
		case `"imageDetails"`:
			p.images, p.told = nil, 0 // of two lists the last one counts
			err = readArray(d, func() error { return p.readImage(d) })
		case `"nextToken"`:
			p.nextToken, err = readString(d)
		default:
			err = d.SkipValue()
		}
		return err
	})
}

func (p *imagePage) readImage(d *jsontext.Decoder) error {
	image := p.spare
	if p.spare = nil; image == nil {
		image = p.memory.next()
	}
	image.ImageTags = []string{}
	if err := readObject(d, func(name []byte) error { return p.readMember(d, name, image) }); err != nil {
		return err
	}
	slices.Sort(image.ImageTags)
	p.told++
	if p.keep == nil || p.keep(image) {
		p.images = append(p.images, image)
		return nil
	}
	*image = Image{}
	p.spare = image
	return nil
}

func (p *imagePage) readMember(d *jsontext.Decoder, name []byte, image *Image) (err error) {
	switch string(name) {
	case `"artifactMediaType"`:
		image.ArtifactMediaType, err = p.readCommon(d)
	case `"imageDigest"`:
		image.ImageDigest, err = readString(d)
	case `"imageManifestMediaType"`:
		image.ImageManifestMediaType, err = p.readCommon(d)
	case `"imagePushedAt"`:
		image.ImagePushedAt, err = readOptional(d, &p.times, readTimestamp)
	case `"imageScanFindingsSummary"`:
		image.ImageScanFindingsSummary, err = readSummary(d)
	case `"imageScanStatus"`:
		err = json.UnmarshalDecode(d, &image.ImageScanStatus)
	case `"imageSizeInBytes"`:
		image.ImageSizeInBytes, err = readOptional(d, &p.sizes, readInteger)
	case `"imageTags"`:
		image.ImageTags, err = readStrings(d)
	case `"registryId"`:
		image.RegistryID, err = valueOf(p.readCommon(d))
	case `"repositoryName"`:
		image.RepositoryName, err = valueOf(p.readCommon(d))
	default:
		err = p.readDetail(d, name, image)
	}
	return err
}

func (p *imagePage) readDetail(d *jsontext.Decoder, name []byte, image *Image) (err error) {
	if !p.detailed {
		return d.SkipValue()
	}
	switch string(name) {
	case `"imageStatus"`:
		image.Status, err = p.readCommon(d)
	case `"lastRecordedPullTime"`:
		image.PulledAt, err = readOptional(d, &p.times, readTimestamp)
	case `"subjectManifestDigest"`:
		image.Subject, err = p.readCommon(d)
	default:
		err = d.SkipValue()
	}
	return err
}

// readCommon reads a string that many images have. Equal ones share memory.
func (p *imagePage) readCommon(d *jsontext.Decoder) (*string, error) {
	value, err := d.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return nil, err
	}
	if known, ok := p.common[string(value)]; ok {
		return known, nil
	}
	text := new(string)
	if err := json.Unmarshal(value, text, decodeOptions); err != nil {
		return nil, err
	}
	p.common[string(value)] = text
	return text, nil
}

// readSummary reads a summary, whose counts are never nil.
func readSummary(d *jsontext.Decoder) (summary *ScanFindingsSummary, err error) {
	err = json.UnmarshalDecode(d, &summary)
	if summary != nil && summary.FindingSeverityCounts == nil {
		summary.FindingSeverityCounts = map[string]int64{}
	}
	return summary, err
}

func valueOf(text *string, err error) (string, error) { return aws.StringValue(text), err }
