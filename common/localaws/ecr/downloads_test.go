package ecr

import (
	"strconv"
	"testing"
	"time"
)

// TestOldURLsGo shows that URLs do not pile up, and that those which are good
// stay.
func TestOldURLsGo(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := newDownloads()
	const anHour = 3000 // URLs
	most := 0
	for i := range 10 * anHour {
		now := start.Add(time.Duration(i) * time.Hour / anHour)
		d.Add(strconv.Itoa(i), download{expires: now.Add(urlLifetime)}, now)
		most = max(most, d.Len())
	}
	if most > 2*anHour+1 {
		t.Errorf("%d URLs are kept, of %d that are good", most, anHour)
	}
	for i := range anHour {
		if _, ok := d.Get(strconv.Itoa(9*anHour + i)); !ok {
			t.Fatal("a URL that is good is gone")
		}
	}
}
