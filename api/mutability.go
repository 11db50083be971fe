package api

import (
	"fmt"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json/jsontext"
)

// ECR's limits on the exclusions from the mutability of image tags.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageTagMutabilityExclusionFilter.html
const (
	maxFilters            = 5 // of a repository
	maxFilter             = 128
	maxExclusionWildcards = 2 // in a filter
)

const (
	mutableExcept   = "MUTABLE_WITH_EXCLUSION"
	immutableExcept = "IMMUTABLE_WITH_EXCLUSION"
)

// filterInputs are the exclusions in a body. Nil means that they are absent. As
// with tags, the list is not read beyond what is allowed.
type filterInputs []string

// UnmarshalJSONFrom reads the filters one by one.
func (f *filterInputs) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*f, err = readTexts(d, maxFilters, "ImageTagMutabilityExclusionFilters has over %d patterns.")
	return err
}

// checkMutability checks the mode, and that it has the exclusions that it needs
// and no others.
func checkMutability(mode *string, filters filterInputs) error {
	if err := checkOneOf("ImageTagMutability", mode, "MUTABLE", "IMMUTABLE", mutableExcept, immutableExcept); err != nil {
		return err
	}
	takesFilters := mode != nil && (*mode == mutableExcept || *mode == immutableExcept)
	switch {
	case takesFilters && len(filters) == 0:
		return common.Errorf(common.BadRequest, `ImageTagMutability %s needs ImageTagMutabilityExclusionFilters, such as ["latest", "dev-*"].`, *mode)
	case takesFilters:
		return checkFilters(filters)
	case filters == nil:
		return nil
	case mode == nil:
		return common.Errorf(common.BadRequest, "ImageTagMutabilityExclusionFilters needs ImageTagMutability in the same request.")
	default:
		return common.Errorf(common.BadRequest, "ImageTagMutabilityExclusionFilters goes with %s or %s, not %s.", mutableExcept, immutableExcept, *mode)
	}
}

func checkFilters(filters filterInputs) error {
	for i, filter := range filters {
		if err := checkFilter(fmt.Sprintf("ImageTagMutabilityExclusionFilters[%d]", i), filter); err != nil {
			return err
		}
	}
	return nil
}

// checkFilter checks one pattern. The text in what begins the error.
func checkFilter(what, filter string) error {
	stars := strings.Count(filter, "*")
	switch {
	case filter == "":
		return common.Errorf(common.BadRequest, "%s is empty.", what)
	case !isPlain(strings.ReplaceAll(filter, "*", "-")):
		return common.Errorf(common.BadRequest, "%s must be of letters, digits, '.', '_', '-' and '*'.", what)
	case len(filter) > maxFilter:
		return common.Errorf(common.BadRequest, "%s has %d characters, and may have %d.", what, len(filter), maxFilter)
	case stars > maxExclusionWildcards:
		return common.Errorf(common.BadRequest, "%s has '*' %d times, and may have it %d times.", what, stars, maxExclusionWildcards)
	}
	return nil
}
