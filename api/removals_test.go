package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"
)

// removals returns the lines about deleted images, without what differs in each
// run.
func (w *world) removals(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for _, line := range w.logged(t) {
		if line["msg"] == "images deleted" {
			delete(line, "time")
			lines = append(lines, line)
		}
	}
	return lines
}

// The log says what went, at every level, and the metrics how much.
func TestDeletedImagesAreLoggedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = "panic" })
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1", "v2", "v3"}})
	w.addImage(account, "g/a", localaws.Image{Digest: digestB})
	w.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true, When: func(localaws.Call) bool { return w.deletions() == 1 }}, true)
	for i, test := range []struct {
		image        string
		deleted      []any
		images, tags any // numbers, or nil if the line has none
	}{
		{"v1", []any{"v1@" + digestA}, nil, 1.0},
		{"v2", []any{"v2@unknown"}, nil, 1.0}, // its answer is lost
		{digestA, []any{"v3@" + digestA, digestA}, 1.0, 1.0},
		{digestB, []any{digestB}, 1.0, nil},
	} {
		w.forgetAllBut("BatchDeleteImage")
		w.run(deleteOf(test.image, 200, "-"))
		want := map[string]any{
			"msg": "images deleted", "level": "info", "requestId": "test", "key": "default", "action": "DeleteImage",
			"account": account, "group": "g", "name": "a", "image": test.image, "deleted": test.deleted,
			"awsRequestId": w.lastDeletion(),
		}
		if i == 1 {
			delete(want, "awsRequestId")
		}
		lines := w.removals(t)
		if diff := cmp.Diff(want, lines[len(lines)-1]); diff != "" || len(lines) != i+1 {
			t.Errorf("%s: line %d (-want +got):\n%s", test.image, len(lines), diff)
		}
		line := w.lastAudit(t)
		if line["deletedImages"] != test.images || line["deletedTags"] != test.tags || line["outcome"] != "done" {
			t.Errorf("%s: the request's line: %v", test.image, line)
		}
	}
	m := w.service.measures
	if images, tags := testutil.ToFloat64(m.images), testutil.ToFloat64(m.imageTags); images != 2 || tags != 3 {
		t.Errorf("counted %v images and %v tags, want 2 and 3", images, tags)
	}
}

// lastDeletion returns AWS's id of the last deletion of images.
func (w *world) lastDeletion() (id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.Operation == "BatchDeleteImage" {
			id = c.RequestID
		}
	}
	return id
}

// forgetAllBut forgets all calls except those of an operation.
func (w *world) forgetAllBut(operation string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept []localaws.Call
	for _, c := range w.calls {
		if c.Operation == operation {
			kept = append(kept, c)
		}
	}
	w.calls = kept
}

// A deletion that fails is no removal.
func TestNothingDeletedIsNotLogged(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t)
	w.addIndexOf("g/a", indexDigest, []string{"v1"}, digestA)
	w.run(deleteOf(digestA, 409, "-"), deleteOf("missing", 404, "-"))
	if lines := w.removals(t); len(lines) > 0 {
		t.Errorf("lines: %v", lines)
	}
	if line := w.lastAudit(t); line["deletedImages"] != nil || line["deletedTags"] != nil {
		t.Errorf("the request's line: %v", line)
	}
}

// A line names at most 100 images and tags, and all lines together name each
// once.
func TestManyDeletedImagesAreManyLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	log.SetFormatter(common.LogFormatter{})
	o := observer{newMeasures(routes), log, log}
	rec := &record{id: "test", key: "k", action: "DeleteImages", path: pathValues{Account: account, Group: "g", Name: "a"}}
	var removal ecr.Removal
	var want []any
	for i := range 120 {
		removal.Tags = append(removal.Tags, fmt.Sprintf("v%d@sha256:%d", i, i))
	}
	for i := range 90 {
		removal.Images = append(removal.Images, fmt.Sprintf("sha256:%d", i))
	}
	for _, name := range append(append([]string{}, removal.Tags...), removal.Images...) {
		want = append(want, name)
	}
	o.Removed(context.WithValue(t.Context(), recordKey{}, rec), removal)
	var got []any
	lines := 0
	for line := range strings.Lines(out.String()) {
		var fields struct{ Deleted []any }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		lines++
		got = append(got, fields.Deleted...)
		if len(fields.Deleted) > 100 {
			t.Errorf("a line with %d names", len(fields.Deleted))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || lines != 3 {
		t.Errorf("%d lines (-want +got):\n%s", lines, diff)
	}
	if rec.images != 90 || rec.imageTags != 120 {
		t.Errorf("the record counts %d images and %d tags", rec.images, rec.imageTags)
	}
}
