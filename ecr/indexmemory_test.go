package ecr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

const (
	partsOfLargest = 49_000 // of an index that is as large as ECR takes
	numbered       = `"sha256:%064x"`
)

// largestIndex returns an index with so many parts that it has about 4 MiB.
func largestIndex(part func(n int) string) string {
	var parts []string
	for n := range partsOfLargest {
		parts = append(parts, `{"digest":`+part(n)+`}`)
	}
	return `{"manifests":[` + strings.Join(parts, ",") + `]}`
}

// indexServer is an AWS whose repository has so many indexes with this manifest,
// and no other images.
func indexServer(t *testing.T, indexes int, manifest string, read func()) *Client {
	var details []string
	for n := range indexes {
		details = append(details, fmt.Sprintf(`{"imageDigest": `+numbered+`, "imageManifestMediaType": "`+indexType+`"}`, n))
	}
	text, _ := json.Marshal(manifest)
	return clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ImageIDs []struct{ ImageDigest string } `json:"imageIds"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		switch manifests := strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetImage"); {
		case manifests && len(in.ImageIDs) > 1: // too long for the client
			w.Header().Set("Content-Length", fmt.Sprint(len(in.ImageIDs)*len(text)))
			w.WriteHeader(http.StatusOK)
		case manifests:
			read()
			io.WriteString(w, `{"images": [{"imageId": {"imageDigest": "`+in.ImageIDs[0].ImageDigest+`"}, "imageManifest": `+string(text)+`}]}`)
		case in.ImageIDs != nil:
			io.WriteString(w, `{"imageDetails": []}`)
		default:
			io.WriteString(w, `{"imageDetails": [`+strings.Join(details, ",")+`]}`)
		}
	})
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools keep goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The search for the index of an image keeps nothing of the indexes that it has
// read. It is not parallel, because it measures the memory of the process.
func TestMemoryOfTheSearchForAnIndex(t *testing.T) {
	const indexes = 12
	manifest := largestIndex(func(int) string { return fmt.Sprintf(numbered, 1) })
	reads, before, most := 0, int64(0), int64(0)
	client := indexServer(t, indexes, manifest, func() {
		if reads++; reads == indexes {
			most = heap() - before
		}
	})
	before = heap()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	room := &smallRoom{size: 1 << 30, end: cancel}
	found, archived, err := client.IndexesWith(WithRoom(ctx, room), "g/a", "sha256:missing")
	if len(found)+len(archived) > 0 || err != nil || reads != indexes {
		t.Fatalf("found %v and %v, %v after %d reads", found, archived, err, reads)
	}
	if most > 32<<20 || room.most > 32<<20 || room.taken > 1<<20 {
		t.Errorf("%d bytes of memory are in use at the last index, %d bytes of room were taken, and %d are still", most, room.most, room.taken)
	}
}

// What is kept of the largest index has room.
func TestMemoryOfPlatforms(t *testing.T) {
	client := indexServer(t, 1, largestIndex(func(n int) string { return fmt.Sprintf(numbered, n) }), func() {})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	room := &smallRoom{size: 1 << 30, end: cancel}
	before := heap()
	platforms, err := client.Platforms(WithRoom(ctx, room), "g/a", fmt.Sprintf("sha256:%064x", 0))
	taken := heap() - before
	if len(platforms) != partsOfLargest || err != nil {
		t.Fatalf("%d platforms, %v", len(platforms), err)
	}
	answer, _ := json.Marshal(platforms)
	if need := taken + int64(len(answer)); need > room.taken || room.taken > 4*need {
		t.Errorf("%d bytes are kept, and %d bytes of room are taken", need, room.taken)
	}

	room = &smallRoom{size: 16 << 20, end: cancel}
	if _, err := client.Platforms(WithRoom(ctx, room), "g/a", fmt.Sprintf("sha256:%064x", 0)); err == nil || room.most > room.size+1<<10 {
		t.Errorf("without enough room: %v, and %d bytes were taken", err, room.most)
	}
}
