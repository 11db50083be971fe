package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/sirupsen/logrus"
)

// BenchmarkToken checks a token that is remembered.
func BenchmarkToken(b *testing.B) {
	tokens, err := newTokens(common.Keys{{Name: "default", Secret: key}}, 12, newGate(), newMeasures(nil).tokenChecks)
	if err != nil {
		b.Fatal(err)
	}
	good := token()
	if _, err := tokens.verify(b.Context(), good, ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := tokens.known(good); !ok {
			b.Fatal("the token is not remembered")
		}
	}
}

// BenchmarkAdapter sends a request that needs no AWS call. It measures the
// router, the token, metrics, input, session, and the writing of the answer. At
// the level info it measures the log line too.
func BenchmarkAdapter(b *testing.B) {
	w := newWorld(b, func(_ *common.Config, table *[]route) {
		for i, rt := range *table {
			if rt.Name == "ShowRepository" {
				(*table)[i].Endpoint = handledBy(echo)
			}
		}
	})
	w.service.log.SetOutput(io.Discard)
	r := httptest.NewRequest("GET", base+"/g/a", nil)
	r.Header.Set("X-Auth-Token", token())
	for _, level := range []logrus.Level{logrus.WarnLevel, logrus.InfoLevel} {
		b.Run(level.String(), func(b *testing.B) {
			w.service.log.SetLevel(level)
			b.ReportAllocs()
			for b.Loop() {
				recorder := httptest.NewRecorder()
				w.service.ServeHTTP(recorder, r)
				if recorder.Code != 200 {
					b.Fatal(recorder.Body)
				}
			}
		})
	}
}

// A nowhere is a ResponseWriter that keeps no body.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkEncode writes an image, 10,000 images and 10,000 names.
func BenchmarkEncode(b *testing.B) {
	text, size := "application/vnd.docker.container.image.v1+json", int64(16093514)
	when := common.Timestamp{Time: time.Date(2020, 12, 14, 15, 34, 18, 0, time.UTC)}
	image := &ecr.Image{
		ArtifactMediaType: &text, ImageDigest: "sha256:" + strings.Repeat("a", 64), ImageManifestMediaType: &text,
		ImagePushedAt: &when, ImageSizeInBytes: &size, ImageTags: []string{"latest"}, RegistryID: account, RepositoryName: "g/a",
	}
	for name, body := range map[string]any{
		"Image":  image,
		"Images": slices.Repeat([]*ecr.Image{image}, 10000),
		"Names":  slices.Repeat([]string{"spindev-00001/dasher"}, 10000),
	} {
		b.Run(name, func(b *testing.B) {
			w := nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				writeJSON(w, "application/json", http.StatusOK, body)
			}
		})
	}
}

// BenchmarkConnect makes a client for a session that is kept.
func BenchmarkConnect(b *testing.B) {
	w := newWorld(b)
	show, rec := rowNamed("ShowRepository"), &record{settings: w.service.settings.Load()}
	b.ReportAllocs()
	for b.Loop() {
		w.service.connector.connect(show, exampleScope, rec).ECR()
	}
}

// BenchmarkEndpoints sends whole requests over HTTP, one at a time. The times
// include the local AWS, which runs in the same process.
func BenchmarkEndpoints(b *testing.B) {
	w := newWorld(b)
	w.service.log.SetOutput(io.Discard)
	w.service.log.SetLevel(logrus.PanicLevel)
	w.service.audit.SetOutput(io.Discard)
	w.addRepository(account, "g/a", org)
	w.addImages(account, "g/a", 10)
	send := func(b *testing.B, e exchange) {
		if status, _, body := w.do(e); status != 200 {
			b.Fatal(status, body)
		}
	}
	for name, e := range map[string]exchange{
		"List":      {method: "GET", path: base},
		"ListGroup": {method: "GET", path: base + "/g"},
		"Show":      {method: "GET", path: base + "/g/a"},
		"Images":    {method: "GET", path: base + "/g/a/images"},
		"Update":    {method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Tags": [{"Key": "k", "Value": "v"}]}`},
		"Ping":      {method: "GET", path: "/v1/ecr/ping"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				send(b, e)
			}
		})
	}
	b.Run("CreateAndDelete", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new"}`})
			send(b, exchange{method: "DELETE", path: base + "/g/new"})
		}
	})
	b.Run("ShowTogether", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(next *testing.PB) {
			for next.Next() {
				send(b, exchange{method: "GET", path: base + "/g/a"})
			}
		})
	})
}

// BenchmarkScale asks for one answer with 10,000 repositories or images.
func BenchmarkScale(b *testing.B) {
	w := newWorld(b)
	w.addRepository(account2, "g/a", org)
	for i := range 10000 {
		w.addRepository(account, fmt.Sprintf("g%d/r", i), org)
	}
	w.addImages(account2, "g/a", 10000)
	for name, path := range map[string]string{"Repositories": base, "Images": "/v1/ecr/" + account2 + "/repositories/g/a/images"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if status, _, _ := w.do(exchange{method: "GET", path: path}); status != 200 {
					b.Fatal(status)
				}
			}
		})
	}
}
