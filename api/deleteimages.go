package api

import (
	"context"
	"errors"
	"iter"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
)

// A deleteImagesInput says which images a deletion of many deletes.
type deleteImagesInput struct {
	bodyless
	ecr.Selector
	DryRun bool // nothing is deleted, and the answer is what would be
}

func (in *deleteImagesInput) queryParams() []queryParam {
	return []queryParam{
		tagParam(&in.Tags), digestParam(&in.Digests), untaggedParam(&in.Tagged),
		pushedBeforeParam(&in.PushedBefore), statusParam(&in.Status), keepParam(&in.Keep), dryRunParam(&in.DryRun),
	}
}

// check refuses a request that would delete all images because nobody has said
// which.
func (in deleteImagesInput) check() error {
	if len(in.Tags)+len(in.Digests) == 0 && in.Tagged == nil && in.PushedBefore.IsZero() && in.Status == "" {
		return common.Errorf(common.BadRequest, `Say which images are to be deleted, by "tag", "digest", "tagged=false", "pushedBefore" or "status".`)
	}
	return nil
}

func (in deleteImagesInput) dryRun() bool { return in.DryRun }

const maxDigests = 100

// digestParam is the query parameter for the digest of an image.
func digestParam(into *[]string) queryParam {
	return queryParam{name: "digest", repeated: true, set: func(value string) error {
		switch {
		case !ecr.IsDigest(value):
			return errors.New("must be sha256: and 64 digits of 0-9 and a-f")
		case len(*into) == maxDigests:
			return errors.New("may be given " + strconv.Itoa(maxDigests) + " times at most")
		}
		*into = append(*into, value)
		return nil
	}}
}

// untaggedParam is the query parameter for images without tags.
func untaggedParam(into **bool) queryParam {
	return queryParam{name: "tagged", set: func(value string) error {
		if value != "false" {
			return errors.New(`must be false: images with tags are selected by "tag"`)
		}
		*into = new(false)
		return nil
	}}
}

// keepParam is the query parameter for how many images are spared.
func keepParam(into *int) queryParam {
	return queryParam{name: "keep", set: func(value string) error {
		n, ok := readNumber(value)
		if !ok {
			return errors.New("must be a number from 1 on")
		}
		*into = n
		return nil
	}}
}

func dryRunParam(into *bool) queryParam {
	return queryParam{name: "dryRun", set: func(value string) (err error) {
		*into, err = readBool(value)
		return err
	}}
}

// deletedImages says what was deleted, or what would be.
type deletedImages struct {
	DryRun bool
	*ecr.Deletion
}

func (*deletedImages) long() {}

// pieces returns the JSON in pieces, because it may be long.
func (d *deletedImages) pieces() iter.Seq[[]byte] {
	lists := []struct {
		name   string
		length int
		append func(b []byte, i int) []byte
	}{
		{"ImageIds", len(d.ImageIDs), func(b []byte, i int) []byte { return d.ImageIDs[i].AppendJSON(b) }},
		{"Failures", len(d.Failures), func(b []byte, i int) []byte { return d.Failures[i].AppendJSON(b) }},
		{"DeletedImages", len(d.DeletedImages), func(b []byte, i int) []byte { return common.AppendJSONString(b, d.DeletedImages[i]) }},
	}
	return func(yield func([]byte) bool) {
		piece := strconv.AppendBool([]byte(`{"DryRun":`), d.DryRun)
		for _, list := range lists {
			piece = append(piece, `,"`+list.name+`":[`...)
			for i := range list.length {
				if i > 0 {
					piece = append(piece, ',')
				}
				if piece = list.append(piece, i); len(piece) < pieceSize {
					continue
				}
				if !yield(piece) {
					return
				}
				piece = piece[:0]
			}
			piece = append(piece, ']')
		}
		yield(append(piece, "}\n"...))
	}
}

// deleteImages decides by one look at all images which of them go, and then
// deletes these. So it never deletes an image that is pushed meanwhile.
func deleteImages(ctx context.Context, t target, in deleteImagesInput) (*deletedImages, error) {
	plan, err := t.planCleanup(ctx, in.Selector)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return &deletedImages{true, plan.Preview()}, nil
	}
	done, err := t.ECR().CleanUp(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &deletedImages{false, done}, nil
}

// planCleanup looks at the images while it checks that the repository is our
// org's. If that takes several calls, it checks it again afterwards, as
// listImages does.
func (t target) planCleanup(ctx context.Context, by ecr.Selector) (plan *ecr.Cleanup, err error) {
	err = t.loan.read(ctx, func(ctx context.Context) error {
		err := t.whileOwned(ctx, func(ctx context.Context) (err error) {
			plan, err = t.ECR().PlanCleanup(ctx, t.repository(), by)
			return err
		})
		if err == nil && plan.Calls > 1 {
			err = t.readOwner(ctx)
		}
		return err
	})
	return plan, err
}
