package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkAnswer returns an error if an answer does not tell what was removed. The
// selection says what else the answer must tell. It is nil if others have pushed
// meanwhile: then that depends on the moment.
func checkAnswer(a *deletionAnswer, want removal, s *selection, lost bool) error {
	if a == nil { // nobody has read it
		return nil
	}
	told := a.removal()
	if lost {
		told = told.completed(want)
	}
	if !told.equals(want) {
		return fmt.Errorf("this is or would be gone: %s\n  and the answer says %s", want, told)
	}
	if s == nil {
		return nil
	}
	wanted, failed := s.failures(), []string{}
	for _, f := range a.Failures {
		failed = append(failed, f.FailureCode+" "+f.ImageId.String())
	}
	slices.Sort(failed)
	return errorIf(!slices.Equal(failed, wanted), fmt.Sprintf("these must be failures: %v\n  and the answer says %v", wanted, failed))
}

// failures returns the failures that the answer has if nobody pushes meanwhile.
func (s *selection) failures() []string {
	list := []string{}
	for _, i := range s.refused {
		var r removal
		if len(s.query.tags) == 0 { // by digest alone
			i.Tags = nil
		}
		r.add(i)
		for _, id := range r.ids {
			list = append(list, "ImageReferencedByManifestList "+id.String())
		}
	}
	for _, digest := range s.query.digests {
		if _, found := find(s.images, imageID{ImageDigest: digest}); !found {
			list = append(list, "ImageNotFound "+imageID{ImageDigest: digest}.String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// checkFailure checks the numbers in a failure: of images, and of tags of images
// that stay.
func (d *deletion) checkFailure(out outcome) error {
	gone := d.gone()
	images := len(gone.images)
	tags := 0
	for _, id := range gone.ids {
		if !slices.Contains(gone.images, id.ImageDigest) {
			tags++
		}
	}
	applied, err := readCounts(out.applied)
	if err != nil {
		return err
	}
	unknown, err := readCounts(out.unknown)
	switch {
	case err != nil:
		return err
	case !failures[out.status]:
		return fmt.Errorf("a failure of that kind cannot be")
	case images < applied["image"] || images > applied["image"]+unknown["image"]:
		return fmt.Errorf("%d images are gone", images)
	case tags < applied["tag"] || tags > applied["tag"]+unknown["tag"]:
		return fmt.Errorf("%d tags are gone", tags)
	}
	return nil
}

// readCounts reads numbers such as "1 image" and "2 tags", by what is counted.
func readCounts(words []string) (map[string]int, error) {
	counts := map[string]int{}
	for _, text := range words {
		number, what, _ := strings.Cut(text, " ")
		n, err := strconv.Atoi(number)
		what = strings.TrimSuffix(what, "s")
		if err != nil || n < 1 || counts[what] > 0 || what != "image" && what != "tag" {
			return nil, fmt.Errorf("nobody can read %q", words)
		}
		counts[what] = n
	}
	return counts, nil
}
