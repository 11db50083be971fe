package ecr

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
)

// A smallRoom gives so many bytes.
type smallRoom struct {
	size int64
	end  context.CancelFunc

	mu          sync.Mutex
	taken, most int64
}

func (r *smallRoom) Take(bytes int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken += bytes
	r.most = max(r.most, r.taken)
	if r.most > r.size {
		r.end()
	}
	return r.most <= r.size
}

// The room of an answer is taken before it is read, or while it is read if its
// length is not known. What is left taken in the end is for what was read.
func TestRoomForAnswers(t *testing.T) {
	t.Parallel()
	const tags = `{"tags": [{"Key": "k", "Value": "v"}]}`                  // 38 bytes
	const names = `{"repositories": [{"repositoryName": "g/a"}]}`          // 45 bytes
	const images = `{"imageDetails": [{"imageTags": ["v1"]}, {}, {}, {}]}` // 53 bytes
	const preview = `{"status": "COMPLETE", "previewResults": [{}]}`       // 46 bytes
	length := func(body string) string { return fmt.Sprint(len(body)) }
	for name, test := range map[string]struct {
		body, length string
		call         func(context.Context, *Client) error
		room         int64
		most, left   int64
		code         common.Code
	}{
		"known length":                {tags, length(tags), callTags, 100, 76, 38, ""},
		"unknown length":              {tags, "", callTags, 100, 76, 38, ""},
		"names":                       {names, length(names), callRepositories, 100, 90, 51, ""},
		"images":                      {images, length(images), callImages(Filter{}), 106, 106, 53, ""},
		"one of four images":          {images, length(images), callImages(Filter{Tags: []string{"v*"}}), 106, 106, 13, ""},
		"none of the images":          {images, length(images), callImages(Filter{Tags: []string{"w*"}}), 106, 106, 0, ""},
		"two lists":                   {`{"imageDetails": [{}], "imageDetails": [{}]}`, "44", callImages(Filter{}), 100, 88, 44, ""},
		"preview":                     {preview, length(preview), callPreview, 100, 92, 92, ""},
		"no images":                   {`{}`, "2", callImages(Filter{}), 100, 4, 0, ""},
		"too long":                    {tags, length(tags), callTags, 75, 76, 0, common.Canceled},
		"too long, of unknown length": {tags, "", callTags, 75, 76, 0, common.Canceled},
		"not JSON":                    {"x", "1", callTags, 100, 2, 0, common.Internal},
		"cut off":                     {tags, "50", callTags, 100, 100, 0, common.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.length != "" {
					w.Header().Set("Content-Length", test.length)
				}
				io.WriteString(w, test.body)
				w.(http.Flusher).Flush()
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			room := &smallRoom{size: test.room, end: cancel}
			err := test.call(WithRoom(ctx, room), client)
			if code := common.CodeOf(err); code != test.code {
				t.Errorf("the error is %v", err)
			}
			if room.most != test.most || room.taken != test.left {
				t.Errorf("%d bytes were taken at most, and %d in the end", room.most, room.taken)
			}
		})
	}
}

func callTags(ctx context.Context, c *Client) error {
	_, err := c.Tags(ctx, "g/a")
	return err
}

func callPreview(ctx context.Context, c *Client) error {
	_, err := c.LastPreview(ctx, "g/a")
	return err
}

func callRepositories(ctx context.Context, c *Client) error {
	_, err := c.Repositories(ctx, "")
	return err
}

func callImages(filter Filter) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error {
		_, err := c.Images(ctx, "g/a", Selection{Filter: filter})
		return err
	}
}
