package sts

import (
	"bytes"
	"compress/flate"
	"fmt"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// maxPacked is the largest size of a session's policy and tags when they are
// compressed, in bytes. AWS does not publish how it compresses them. Here it is
// deflate, and an input without other errors seldom reaches the limit.
const maxPacked = 2048

// packedSize returns the packed size in percent of what is allowed. It is nil
// if there is neither a policy nor a tag.
func (in assumeRoleInput) packedSize() (*int, error) {
	if in.policy == nil && len(in.tags) == 0 {
		return nil, nil
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if in.policy != nil {
		fmt.Fprintln(w, *in.policy)
	}
	for _, t := range in.tags {
		fmt.Fprintln(w, t.Key, t.Value)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	percent := (100*packed.Len() + maxPacked - 1) / maxPacked
	if percent > 100 {
		return nil, service.Errorf("PackedPolicyTooLarge",
			"Packed size of session policies and tags consumes %d%% of allotted space.", percent)
	}
	return &percent, nil
}
