package api

import (
	"context"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
)

// maxLoggedRemovals is how many removed images and tags one log line names.
const maxLoggedRemovals = 100

// Removed counts what was removed from a repository, and keeps the numbers for
// the log line. It writes audit lines that name what it was, before the request
// is answered: a deletion of many images is known even if the process dies.
func (o observer) Removed(ctx context.Context, r ecr.Removal) {
	o.images.Add(float64(len(r.Images)))
	o.imageTags.Add(float64(len(r.Tags)))
	rec, ok := ctx.Value(recordKey{}).(*record)
	if !ok {
		return
	}
	rec.noteRemoval(r)
	for names := range slices.Chunk(slices.Concat(r.Tags, r.Images), maxLoggedRemovals) {
		fields := rec.removalFields(r, names)
		fields.Entry(o.audit).Info("images deleted")
	}
}

// removalFields returns the fields of a line about removed images and tags.
func (rec *record) removalFields(r ecr.Removal, names []string) (fields common.LogFields) {
	for name, value := range rec.ids() {
		fields.Add(name, value)
	}
	fields.Add("action", rec.action)
	fields.Add("key", rec.key)
	fields.Add("deleted", names)
	if r.AWSRequestID != "" {
		fields.Add("awsRequestId", r.AWSRequestID)
	}
	for _, v := range pathVars {
		if value := *v.In(&rec.path); value != "" {
			fields.Add(v.LogField, value)
		}
	}
	return fields
}

// noteRemoval adds images and tags that the request has deleted.
func (rec *record) noteRemoval(r ecr.Removal) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.images += len(r.Images)
	rec.imageTags += len(r.Tags)
}

// addRemovals adds how many images and tags the request has deleted. No images
// is not a 0: perhaps nobody knows whether one went with a tag.
func (rec *record) addRemovals(fields *common.LogFields) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.images > 0 {
		fields.Add("deletedImages", rec.images)
	}
	if rec.imageTags > 0 {
		fields.Add("deletedTags", rec.imageTags)
	}
}
