package ecr

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/layers"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// DownloadPath is where the URLs of layers begin.
const DownloadPath = "/layers"

// urlLifetime is how long a URL of a layer is good.
const urlLifetime = time.Hour

// download is what a URL gives: the bytes of a layer.
type download struct {
	digest  string
	expires time.Time
	flow    service.Flow // of the call that asked for the URL
}

// newDownloads is for the URLs that were given out.
func newDownloads() *service.Keeper[download] {
	return service.NewKeeper(func(d download) time.Time { return d.expires })
}

// decodeDownload reads an input of the API.
func decodeDownload(c *service.Request, body []byte) (GetDownloadURLForLayerInput, error) {
	in, err := decode[GetDownloadURLForLayerInput](c, body)
	in.byAPI = true
	return in, err
}

// Check checks the digest.
func (in GetDownloadURLForLayerInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if failure := checkLayerDigest(in.Digest); failure != nil {
		return invalidParameter("layerDigest", failure.Reason)
	}
	return nil
}

func (s *Store) getDownloadURLForLayer(c *service.Request, in GetDownloadURLForLayerInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	l := r.layers[in.Digest]
	if l == nil {
		return nil, r.layerNotFound(in.Digest)
	}
	if r.isArchived(l.digest) {
		return nil, r.inaccessible(l.digest, "only archived images name it")
	}
	out := GetDownloadURLForLayerOutput{Digest: l.digest, Size: l.size}
	if !in.byAPI {
		out.Open = func() (LayerContent, error) { return s.open(c, r, l.digest) }
		return out, nil
	}
	if r.naming[l.digest] == 0 {
		return nil, r.inaccessible(l.digest, "no image names it")
	}
	out.URL = s.url(c, l.digest)
	return out, nil
}

func (r *repository) inaccessible(digest, because string) error {
	return service.Errorf("LayerInaccessibleException", "The layer with digest '%s' in the repository with name '%s' "+
		"in the registry with id '%s' is not available because %s", digest, r.name, r.account, because)
}

func (r *repository) layerNotFound(digest string) error {
	return service.Errorf("LayersNotFoundException", "The layer with digest '%s' does not exist within the repository "+
		"with name '%s' in the registry with id '%s'", digest, r.name, r.account)
}

func (s *Store) open(c *service.Request, r *repository, digest string) (LayerContent, error) {
	file, err := s.files.Open(digest)
	if errors.Is(err, layers.ErrNotFound) {
		return nil, r.layerNotFound(digest)
	}
	if err != nil {
		return nil, err
	}
	return flowing(file, c.Flow(file)), nil
}

// flowing returns a file whose bytes come through a reader of it.
func flowing(file *os.File, through io.Reader) LayerContent {
	if through == io.Reader(file) {
		return file // the kernel can send it
	}
	return struct {
		io.Reader
		io.Seeker
		io.Closer
	}{through, file, file}
}

// url returns a URL that needs no other credentials.
func (s *Store) url(c *service.Request, digest string) string {
	key := rand.Text() // nobody can guess it
	s.downloads.Add(key, download{digest, c.Now.Add(urlLifetime), c.FlowLater()}, c.Now)
	return "http://" + c.Host() + DownloadPath + "/" + key
}

// ServeDownload answers a request to a URL of a layer.
func (s *Store) ServeDownload(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a layer can only be read", http.StatusMethodNotAllowed)
		return
	}
	d, ok := s.download(strings.TrimPrefix(r.URL.Path, DownloadPath+"/"))
	if !ok {
		http.Error(w, "there is no such URL of a layer, or it has expired", http.StatusForbidden)
		return
	}
	file, err := s.files.Open(d.digest)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer file.Close()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Etag", `"`+d.digest+`"`)
	http.ServeContent(w, r, "", time.Time{}, flowing(file, d.flow(r.Context(), file)))
}

func (s *Store) download(key string) (download, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.downloads.Get(key)
	return d, ok && s.now().Before(d.expires)
}
