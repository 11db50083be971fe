package ecr

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/layers"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// layerLifetime is how long an upload may be idle, and how long a layer may stay
// that no image names.
const layerLifetime = time.Hour

// layer is a layer, or the configuration of an image, in a repository.
type layer struct {
	digest   string
	size     int64 // in bytes
	uploaded time.Time
}

// addLayer gives the repository a layer that it holds in the store of files.
func (s *Store) addLayer(r *repository, digest string, size int64, now time.Time) {
	l := &layer{digest: digest, size: size, uploaded: now}
	r.layers[digest] = l
	s.fresh[l] = r
}

// sweep removes uploads that were left, and layers that no image has named in
// time.
func (s *Store) sweep(now time.Time) {
	maps.DeleteFunc(s.uploads, func(_ string, u *upload) bool {
		if now.Before(u.touched.Add(layerLifetime)) || u.Busy() {
			return false
		}
		u.Remove()
		return true
	})
	maps.DeleteFunc(s.fresh, func(l *layer, r *repository) bool {
		if now.Before(l.uploaded.Add(layerLifetime)) {
			return false
		}
		if r.layers[l.digest] == l && r.naming[l.digest] == 0 {
			r.removeLayer(l.digest)
		}
		return true
	})
}

func (r *repository) removeLayer(digest string) {
	if r.layers[digest] != nil {
		delete(r.layers, digest)
		r.files.Release(digest)
	}
}

// removeLayers removes all layers and uploads of a repository.
func (s *Store) removeLayers(r *repository) {
	for _, digest := range slices.Collect(maps.Keys(r.layers)) {
		r.removeLayer(digest)
	}
	maps.DeleteFunc(s.uploads, func(_ string, u *upload) bool {
		if u.repository != r {
			return false
		}
		u.Remove()
		return true
	})
}

// Check checks the list of digests. What is wrong with one of them is a failure
// in the answer.
func (in BatchCheckLayerAvailabilityInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	return checkLayerDigests(in.Digests)
}

func checkLayerDigests(digests []string) error {
	const parameter = "layerDigests"
	switch {
	case digests == nil:
		return invalidParameter(parameter, "must not be null")
	case len(digests) == 0:
		return invalidParameter(parameter, "Member must have length greater than or equal to 1")
	case len(digests) > maxNames:
		return invalidParameter(parameter, "Member must have length less than or equal to 100")
	}
	return nil
}

func (s *Store) batchCheckLayerAvailability(c *service.Request, in BatchCheckLayerAvailabilityInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	out := BatchCheckLayerAvailabilityOutput{Layers: []Layer{}, Failures: []LayerFailure{}}
	for _, digest := range in.Digests {
		if failure := checkLayerDigest(digest); failure != nil {
			out.Failures = append(out.Failures, *failure)
			continue
		}
		answer := Layer{Digest: digest, Availability: LayerUnavailable}
		if l := r.layers[digest]; l != nil {
			answer.Availability, answer.Size = LayerAvailable, l.size
		}
		out.Layers = append(out.Layers, answer)
	}
	return out, nil
}

func checkLayerDigest(digest string) *LayerFailure {
	switch {
	case digest == "":
		return &LayerFailure{digest, "MissingLayerDigest", "Invalid request parameters: layer digest cannot be null"}
	case !digestPattern.MatchString(digest):
		return &LayerFailure{digest, "InvalidLayerDigest",
			"Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"}
	}
	return nil
}

// storeError returns the answer to an error of the files of layers. The error is
// one of a caller's stream, too.
func storeError(err error) error {
	if errors.Is(err, layers.ErrFull) {
		return &service.Error{Code: "LimitExceededException", Message: err.Error(), Status: http.StatusInsufficientStorage}
	}
	return err
}
