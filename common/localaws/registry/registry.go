// Package registry is the registry of the local AWS: the OCI distribution
// protocol 1.1, with which docker and its like push and pull images.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
//
// Each request does the operations of ECR that it stands for: a GET of a
// manifest does BatchGetImage, a PUT does PutImage. So push and pull have the
// store, the authorization and the faults of the API, Watch sees them, and the
// API shows what docker has pushed.
//
// The package keeps nothing itself. It translates requests to operations, and
// answers to the protocol. It is a handler of our own because it passes the
// whole conformance program of the specification without another module. A
// backend for cuelabs.dev/go/oci/ociregistry fails 14 of its tests. Some of them
// no backend can mend. distribution/v3 brings 62 modules and has no referrers.
// The registry of go-containerregistry has no place for authorization and
// faults.
package registry

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// New returns the handler of paths that begin with /v2/. It does the operations
// of the service ecr with the server given.
func New(calls *service.Server) http.Handler { return handler{calls} }

type handler struct{ calls *service.Server }

// request is a request about a repository.
type request struct {
	*http.Request
	w          http.ResponseWriter
	login      *service.Login
	registry   registry
	repository ecr.RepositoryID
	name       string // of the repository, as the client wrote it
	reference  string // the end of the path: a digest, a tag or the id of an upload
}

// methods are what can be done with a path.
type methods map[string]func(*request) error

// routes are the paths of the protocol, behind /v2/. The first one that fits is
// used. Its groups are the name of the repository and the reference.
var routes = []struct {
	path    *regexp.Regexp
	methods methods
}{
	{regexp.MustCompile(`(?s)^(.+)/blobs/uploads/?()$`), methods{
		http.MethodPost: (*request).startUpload,
	}},
	{regexp.MustCompile(`(?s)^(.+)/blobs/uploads/([^/]+)$`), methods{
		http.MethodGet:    (*request).showUpload,
		http.MethodPatch:  (*request).continueUpload,
		http.MethodPut:    (*request).finishUpload,
		http.MethodDelete: (*request).cancelUpload,
	}},
	{regexp.MustCompile(`(?s)^(.+)/blobs/([^/]+)$`), methods{
		http.MethodHead: (*request).checkBlob,
		http.MethodGet:  (*request).getBlob,
	}},
	{regexp.MustCompile(`(?s)^(.+)/manifests/([^/]+)$`), methods{
		http.MethodHead:   (*request).getManifest,
		http.MethodGet:    (*request).getManifest,
		http.MethodPut:    (*request).putManifest,
		http.MethodDelete: (*request).deleteManifest,
	}},
	{regexp.MustCompile(`(?s)^(.+)/tags/list()$`), methods{
		http.MethodHead: (*request).listTags,
		http.MethodGet:  (*request).listTags,
	}},
	{regexp.MustCompile(`(?s)^(.+)/referrers/([^/]+)$`), methods{
		http.MethodHead: (*request).listReferrers,
		http.MethodGet:  (*request).listReferrers,
	}},
}

// ServeHTTP answers one request.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := h.answer(w, r); err != nil {
		writeError(w, r, err)
	}
}

// answer looks at the login before anything else, as ECR does. So nobody learns
// without a password what is here.
func (h handler) answer(w http.ResponseWriter, r *http.Request) error {
	login, err := h.calls.LogIn(r)
	if errors.Is(err, service.ErrNoLogin) {
		askForLogin(w, r)
		return nil
	}
	if err != nil {
		return err
	}
	at := hostRegistry(r.Host)
	if err := at.checkRegion(login); err != nil {
		return err
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2"), "/")
	if path == "" {
		return answerBase(w, r)
	}
	for _, route := range routes {
		if parts := route.path.FindStringSubmatch(path); parts != nil {
			q := &request{Request: r, w: w, login: login, registry: at, name: parts[1], reference: parts[2]}
			return q.perform(route.methods)
		}
	}
	return problem{http.StatusNotFound, codeUnsupported, fmt.Sprintf("there is no %.200q here", r.URL.Path)}
}

// askForLogin says like ECR that the request has no good password.
func askForLogin(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("Www-Authenticate", fmt.Sprintf(`Basic realm="%s://%s/",service="ecr.amazonaws.com"`, scheme, r.Host))
	http.Error(w, "Not Authorized", http.StatusUnauthorized)
}

// answerBase answers the request with which a client tries its password.
func answerBase(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuseMethod(w, r, http.MethodGet, http.MethodHead)
	}
	return writeJSON(w, http.StatusOK, "application/json", struct{}{})
}

// perform finds the repository and does what the method says.
func (q *request) perform(can methods) error {
	do := can[q.Method]
	if do == nil {
		var allowed []string
		for method := range can {
			allowed = append(allowed, method)
		}
		return refuseMethod(q.w, q.Request, allowed...)
	}
	if strings.Contains(strings.ToLower(q.URL.RawPath), "%2f") {
		return problem{http.StatusBadRequest, codeNameInvalid, "the path must not have an escaped slash"}
	}
	at, name, err := q.registry.resolve(q.name)
	if err != nil {
		return err
	}
	if err := at.checkRegion(q.login); err != nil {
		return err
	}
	q.repository = ecr.RepositoryID{RegistryID: at.account, RepositoryName: name}
	return do(q)
}

func refuseMethod(w http.ResponseWriter, r *http.Request, allowed ...string) error {
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return problem{http.StatusMethodNotAllowed, codeUnsupported, fmt.Sprintf("this path takes %s, not %.20q", strings.Join(allowed, ", "), r.Method)}
}

// path returns a path of the repository, for Location and Link.
func (q *request) path(end string) string { return "/v2/" + q.name + end }

// do does an operation of ECR for the caller, on the repository of the request.
func do[Out any](q *request, operation string, in service.Input) (Out, error) {
	out, err := q.login.Perform("ecr", operation, q.repository.RepositoryName, in)
	if err != nil {
		var none Out
		return none, err
	}
	return out.(Out), nil
}
