package ecr

import (
	"context"
	"errors"
	"io"
)

// A Room is memory for AWS's answers.
type Room interface {
	// Take takes so many bytes, or gives some back if bytes is negative. If
	// there are not enough, it ends the context of the call and returns false.
	Take(bytes int64) bool
}

type roomKey struct{}

// WithRoom returns a context for calls whose answers must fit into the room. An
// answer for which there is no room is not read.
func WithRoom(ctx context.Context, room Room) context.Context {
	return context.WithValue(ctx, roomKey{}, room)
}

var errNoRoom = errors.New("there is no room for the answer")

// takeRoom takes room for what is kept beside AWS's answers, or gives some back.
func takeRoom(ctx context.Context, bytes int64) error {
	if room, ok := ctx.Value(roomKey{}).(Room); ok && !room.Take(bytes) {
		return errNoRoom
	}
	return nil
}

type longestKey struct{}

// withLongest returns a context for calls whose answers may have so many bytes. A
// longer one is not read, and the call ends with errTooLong.
func withLongest(ctx context.Context, bytes int64) context.Context {
	return context.WithValue(ctx, longestKey{}, bytes)
}

var errTooLong = errors.New("the answer is too long")

// checkLength returns a reader of a body that is not too long for its call.
func checkLength(ctx context.Context, body io.Reader, length int64) (io.Reader, error) {
	longest, limited := ctx.Value(longestKey{}).(int64)
	switch {
	case !limited:
		return body, nil
	case length > longest:
		return body, errTooLong
	}
	return &boundedReader{body, longest}, nil
}

// A boundedReader reads so many bytes.
type boundedReader struct {
	io.Reader
	left int64
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return n, errTooLong
	}
	return n, err
}

// A meter takes the room of one answer. The room is for the text of the answer,
// and as much again for what is read from it. A nil meter does nothing.
type meter struct {
	room Room
	text int64
}

// newMeter returns nil if the context has no room.
func newMeter(ctx context.Context) *meter {
	if room, ok := ctx.Value(roomKey{}).(Room); ok {
		return &meter{room: room}
	}
	return nil
}

// take takes the room of so many bytes of text.
func (m *meter) take(bytes int64) error {
	if m == nil {
		return nil
	}
	m.text += bytes
	if !m.room.Take(2 * bytes) {
		return errNoRoom
	}
	return nil
}

// body returns a reader of the body. Its room is taken before it is read if AWS
// has said how long it is, and otherwise meanwhile.
func (m *meter) body(body io.Reader, length int64) (io.Reader, error) {
	if length < 0 && m != nil {
		return meteredReader{body, m}, nil
	}
	return body, m.take(max(length, 0))
}

// settle gives back the room of the text. That of what was read from it stays
// taken.
func (m *meter) settle(out any, err error) {
	if m == nil {
		return
	}
	var stays int64
	if err == nil {
		stays = sizeOf(out, m.text)
	}
	m.room.Take(stays - 2*m.text)
}

// A sized output knows how much memory it takes after it was read from a text
// of that length.
type sized interface{ sizeFrom(text int64) int64 }

// sizeOf returns how many bytes of memory an output takes after it was read from
// a text of that length.
func sizeOf(out any, text int64) int64 {
	if out, ok := out.(sized); ok {
		return out.sizeFrom(text)
	}
	return text
}

func (p *repositoryNames) sizeFrom(int64) (sum int64) {
	for _, r := range p.Repositories {
		if r.RepositoryName != nil {
			sum += int64(len(*r.RepositoryName)) + 48 // for the allocation and what points to it
		}
	}
	return sum
}

// sizeFrom counts the answer to the caller too: it is no list, so all of it is in
// memory.
func (*findingsPage) sizeFrom(text int64) int64 { return 2 * text }

// sizeFrom counts the answer to the caller too, as with findings.
func (*previewPage) sizeFrom(text int64) int64 { return 2 * text }

// sizeFrom returns the size of the manifests. Who has read them gives it back.
func (o *batchGetImageOutput) sizeFrom(int64) (sum int64) {
	for _, i := range o.Images {
		if i.ImageManifest != nil {
			sum += int64(len(*i.ImageManifest))
		}
	}
	return sum
}

func (p *imagePage) sizeFrom(text int64) int64 {
	return text * int64(len(p.images)) / int64(max(p.told, 1))
}

type meteredReader struct {
	io.Reader
	meter *meter
}

func (r meteredReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if full := r.meter.take(int64(n)); full != nil {
		return n, full
	}
	return n, err
}
