package registry_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// What the clients of TestEveryListedImageIsWhole do.
const (
	pushers, deleters, pullers = 3, 2, 2
	imagesOfPusher             = 30
	batchOfPusher              = 6
)

// TestEveryListedImageIsWhole has clients push, pull and delete images of one
// repository at once, while faults hit their calls at random. Images share
// layers, so that a deletion can take a layer away from a push.
//
// It runs alone, because it looks at all files of layers.
func TestEveryListedImageIsWhole(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b, _ := start(t)
	injectAtRandom(b)
	s := &stress{t: t, aws: b, pushed: make(chan string, pushers*imagesOfPusher), kept: map[string]bool{}}
	var pushing, others sync.WaitGroup
	for i := range pushers {
		pushing.Go(func() { s.push(i) })
	}
	for range deleters {
		others.Go(s.deleteAll)
	}
	for range pullers {
		others.Go(s.pullAll)
	}
	pushing.Wait()
	close(s.pushed)
	s.done.Store(true)
	others.Wait()

	images, named := wantWhole(t, b)
	if diff := cmp.Diff(sorted(s.kept), slices.Sorted(slices.Values(images))); diff != "" {
		t.Errorf("images (-want +listed):\n%s", diff)
	}
	b.Advance(2 * time.Hour)
	wantFiles(t, b, named)
	d := newDocker(t, b, "looker")
	for image := range s.kept {
		d.ask(http.MethodDelete, d.url+"/manifests/"+image, nil)
	}
	wantFiles(t, b, nil)
	awstest.Must(t, b.Close())
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the directory of temporary files: %v, %v", left, err)
	}
}

// injectAtRandom adds faults that hit about a third of the calls of clients.
func injectAtRandom(b *awstest.AWS) {
	for _, f := range []localaws.Fault{
		{Operation: "*", Drop: true, Probability: 0.04},
		{Operation: "*", Drop: true, AfterWork: true, Probability: 0.04},
		{Operation: "*", Code: "ServerException", Status: 500, Probability: 0.04},
		{Operation: "*", Code: "ServerException", Status: 500, AfterWork: true, Probability: 0.04},
		{Operation: "*", Code: "ThrottlingException", Probability: 0.04},
		{Operation: "*", Delay: time.Millisecond, Probability: 0.04},
		{Operation: "ecr:UploadLayerPart", Drop: true, AfterBytes: 10_000, Probability: 0.2},
		{Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 500, AfterBytes: 20_000, Probability: 0.2},
		{Operation: "ecr:GetDownloadUrlForLayer", Drop: true, AfterBytes: 10_000, Probability: 0.2},
		{Operation: "ecr:GetDownloadUrlForLayer", Delay: time.Millisecond, AfterBytes: 20_000, Probability: 0.2},
	} {
		f.When = ofPusher
		b.Inject(f)
	}
}

// stress is what the clients have in common.
type stress struct {
	t      *testing.T
	aws    *awstest.AWS
	pushed chan string // digests of images that deleters may take

	mu   sync.Mutex
	kept map[string]bool // digests of images that nobody deletes

	done atomic.Bool // all images have been pushed
}

func (s *stress) docker() *docker { return newDocker(s.t, s.aws, pusherKey) }

// push pushes images. Each has a configuration of its own and a layer that it
// shares with others: some are kept, some are deleted at once, and some in
// batches. So there are times with several images of a layer, and times with
// none.
func (s *stress) push(pusher int) {
	d := s.docker()
	var batch []string
	for i := range imagesOfPusher {
		tag, layer := fmt.Sprintf("v%d-%d", pusher, i), i%3
		digest, ok := d.push(tag, []byte(`{"image": "`+tag+`"}`), bytesOf(layer, 40_000))
		if !ok {
			s.t.Errorf("%s cannot be pushed: %v", tag, d.end())
			return
		}
		switch layer {
		case 0:
			s.keep(digest)
		case 1:
			s.pushed <- digest
		case 2:
			batch = append(batch, digest)
		}
		if len(batch) == batchOfPusher {
			s.delete(batch)
			batch = nil
		}
	}
	s.delete(batch)
	d.pushLayer(bytesOf(3+pusher, 40_000)) // no image names it
}

func (s *stress) delete(images []string) {
	for _, image := range images {
		s.pushed <- image
	}
}

func (s *stress) keep(digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[digest] = true
}

// deleteAll deletes images until no more are pushed. It repeats a deletion until
// the image is not there.
func (s *stress) deleteAll() {
	d := s.docker()
	for digest := range s.pushed {
		deleted := false
		for range attempts {
			status := d.ask(http.MethodDelete, d.url+"/manifests/"+digest, nil).status
			if deleted = status == http.StatusAccepted || status == http.StatusNotFound; deleted {
				break
			}
		}
		if !deleted {
			s.t.Errorf("%s cannot be deleted: %v", digest, d.end())
		}
	}
}

// pullAll pulls images that are listed, until no more are pushed. If that fails,
// the image must have been deleted meanwhile.
func (s *stress) pullAll() {
	d := s.docker()
	for i := 0; !s.done.Load(); i++ {
		images := listed(s.t, s.aws)
		if len(images) == 0 {
			continue
		}
		image := images[i%len(images)]
		if _, ok := d.pull(image); !ok && slices.Contains(listed(s.t, s.aws), image) {
			s.t.Errorf("%s is listed, and cannot be pulled: %v", image, d.end())
		}
	}
}

// wantFiles fails the test unless the files of layers are those that images
// name. A call looks for old ones first.
func wantFiles(t *testing.T, b *awstest.AWS, named map[string]bool) {
	t.Helper()
	d := newDocker(t, b, "looker")
	d.ask(http.MethodHead, d.url+"/blobs/"+digestOf(nil), nil)
	files, err := filepath.Glob(filepath.Join(os.TempDir(), "*", "*"))
	awstest.Must(t, err)
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "lock" })
	there := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		awstest.Must(t, err)
		there[digestOf(content)] = true
	}
	if diff := cmp.Diff(sorted(named), sorted(there)); diff != "" || len(files) != len(named) {
		t.Errorf("%d files, of layers (-want +got):\n%s", len(files), diff)
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
