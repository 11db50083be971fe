package main

import (
	"slices"
	"strings"
)

// keepRemoval keeps what is gone because of a request, for the comparison with
// the log.
func (s *soak) keepRemoval(r *sentRequest, d *deletion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, byTag := r.operation.kind == deleteImage, idOf(r.operation.image).ImageTag != ""
	s.removals[r.id] = loggedRemoval{names: d.gone().names(), anyImages: one && byTag, anyTags: one && !byTag && d.lost}
}

// loggedRemoval has the names of what is gone because of a request, as the log
// must have them. A deletion of a tag need not know whether the image is gone: its
// look afterwards may fail. A deletion by digest knows the tags as they were at
// the look if AWS's answer was lost.
type loggedRemoval struct {
	names              []string
	anyImages, anyTags bool // whether it need not know the images, or the tags
}

// known returns those of the names that the request knows.
func (r loggedRemoval) known(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		isTag := strings.Contains(name, "@")
		return isTag && r.anyTags || !isTag && r.anyImages
	})
}

// completed returns logged names with the digests that the log does not know.
func (r loggedRemoval) completed(logged []string) []string {
	full := slices.Clone(logged)
	for n, name := range full {
		tag, unknown := strings.CutSuffix(name, "unknown")
		if i := slices.IndexFunc(r.names, func(gone string) bool { return strings.HasPrefix(gone, tag) }); unknown && i >= 0 {
			full[n] = r.names[i]
		}
	}
	return full
}

// names returns the names of what is gone, as the log has them.
func (r removal) names() []string {
	names := slices.Clone(r.images)
	for _, id := range r.ids {
		if id.ImageTag != "" {
			names = append(names, id.ImageTag+"@"+id.ImageDigest)
		}
	}
	slices.Sort(names)
	return names
}

// auditRemovals compares what is gone with the log. What a request has deleted
// is in one log line. If the request does not know what it has deleted, it may be
// in none.
func (s *soak) auditRemovals() {
	for id, gone := range s.removals {
		lines := s.log.linesOf(id)
		logged := slices.Sorted(slices.Values(s.log.deletedBy(id)))
		full := gone.completed(logged)
		unlogged, wrong := difference(gone.known(gone.names), full), difference(full, gone.names)
		if gone.anyTags {
			wrong = gone.known(wrong)
		}
		knows := len(lines) == 1 && len(lines[0].Unknown) == 0
		twice := len(slices.Compact(slices.Clone(logged))) < len(logged)
		if twice || len(wrong) > 0 || knows && len(unlogged) > 0 || len(lines) == 1 && !lines[0].counts(logged) {
			s.report.violation("the log does not say what is gone", "  request %s: %+v\n  gone: %q\n  logged: %q", id, lines, gone.names, logged)
		}
	}
}

// counts tells whether the numbers in the line of a request are those of the
// names of what it has deleted.
func (l logLine) counts(names []string) bool {
	tags := 0
	for _, name := range names {
		if strings.Contains(name, "@") {
			tags++
		}
	}
	return l.DeletedTags == tags && l.DeletedImages == len(names)-tags
}

// difference returns the texts that are not among the others.
func difference(texts, others []string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return slices.Contains(others, text) })
}
