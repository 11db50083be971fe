package fault

import (
	"context"
	"io"
	"sync"
)

// Flow returns the bytes of a layer with a wait or an error after the first
// AfterBytes.
func (h hit) Flow(ctx context.Context, layer io.Reader) io.Reader {
	if h.AfterBytes <= 0 {
		return layer
	}
	first := &io.LimitedReader{R: layer, N: h.AfterBytes}
	pause := sync.OnceValue(func() error {
		if first.N > 0 || !h.count() { // the layer is too short, or the fault is gone
			return nil
		}
		return h.act(ctx)
	})
	return io.MultiReader(first, gap(pause), layer)
}

// gap is a reader without bytes. It ends with the error, if there is one.
type gap func() error

func (g gap) Read([]byte) (int, error) {
	if err := g(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}
