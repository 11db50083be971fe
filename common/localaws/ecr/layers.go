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

// layerLifetime is how long an upload may be idle, and how long a layer stays
// that no image names.
const layerLifetime = time.Hour

// sweepEvery is how often the store looks for what is to be removed.
const sweepEvery = time.Minute

// layer is a layer, or the configuration of an image, in a repository.
type layer struct {
	digest string
	size   int64     // in bytes
	told   time.Time // when a client was last told that the layer is there
	fresh  bool      // that was not long ago
}

// addLayer gives the repository a layer that it holds in the store of files.
func (s *Store) addLayer(r *repository, digest string, size int64, now time.Time) {
	l := r.layers[digest]
	if l == nil {
		l = &layer{digest: digest, size: size}
		r.layers[digest] = l
	}
	s.tell(r, l, now)
}

// tell notes that a client is told that a layer is there. The client may be
// pushing an image that names it, so the layer stays for a while.
func (s *Store) tell(r *repository, l *layer, now time.Time) {
	l.told, l.fresh = now, true
	s.fresh[l] = r
}

// sweep removes uploads that were left, and layers that no image has named in
// time. It does so once in a while only, because many calls ask for it.
func (s *Store) sweep(now time.Time) {
	if now.Before(s.swept.Add(sweepEvery)) {
		return
	}
	s.swept = now
	maps.DeleteFunc(s.uploads, func(_ string, u *upload) bool {
		if now.Before(u.touched.Add(layerLifetime)) || u.requests > 0 {
			return false
		}
		u.Remove()
		return true
	})
	maps.DeleteFunc(s.fresh, func(l *layer, r *repository) bool {
		if now.Before(l.told.Add(layerLifetime)) {
			return false
		}
		l.fresh = false
		if r.layers[l.digest] == l {
			r.dropLayer(l.digest)
		}
		return true
	})
}

// dropLayer removes a layer that no image names, unless it is fresh.
func (r *repository) dropLayer(digest string) {
	if l := r.layers[digest]; l != nil && r.naming[digest] == 0 && !l.fresh {
		r.removeLayer(digest)
	}
}

func (r *repository) removeLayer(digest string) {
	delete(r.layers, digest)
	r.files.Release(digest)
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
			if r.isArchived(digest) {
				answer.Availability = LayerArchived
			}
			s.tell(r, l, c.Now)
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
