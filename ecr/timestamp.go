package ecr

import (
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json/jsontext"
)

// timestampOf returns nil for nil.
func timestampOf(t *time.Time) *common.Timestamp {
	if t == nil {
		return nil
	}
	return &common.Timestamp{Time: *t}
}

func readTimestamp(d *jsontext.Decoder, t *common.Timestamp) error { return readTime(d, &t.Time) }
