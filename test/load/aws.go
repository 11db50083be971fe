package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// An awsServer is a local AWS that answers a read from memory if the same
// caller has made the same call since the last change. So a repeated read costs
// it little processor time. It does not check the signature of such a call.
type awsServer struct {
	real    *localaws.Server
	delay   time.Duration
	calls   atomic.Int64
	answers atomic.Pointer[sync.Map] // *answer by callKey
}

// A callKey identifies a read.
type callKey struct{ target, credential, body string }

// An answer is what the local AWS answered.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) WriteHeader(status int)         { a.status = status }
func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }

// serveAWS serves a local AWS with these contents until the process is killed.
// A GET of callsPath returns the number of calls so far.
func serveAWS(address string, c contents, delay time.Duration) error {
	s, err := newAWS(localaws.Options{Roles: local.Roles()}, c, delay)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callsPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.calls.Load()) })
	mux.Handle("GET /debug/pprof/", http.DefaultServeMux)
	mux.Handle("POST /{$}", s)
	return listen(address, mux)
}

func newAWS(o localaws.Options, c contents, delay time.Duration) (*awsServer, error) {
	server, err := localaws.New(o)
	if err != nil {
		return nil, err
	}
	s := &awsServer{real: server, delay: delay}
	s.answers.Store(new(sync.Map))
	return s, c.addTo(server)
}

// addTo adds the contents to an AWS. One image in ten was scanned.
func (c contents) addTo(aws *localaws.Server) error {
	var errs []error
	for group := range c.Groups {
		for n := range c.Each {
			errs = append(errs, aws.AddRepository(account, region, repository(group, n), map[string]string{
				"Name": repository(group, n), "spinup:org": org, "spinup:spaceid": fmt.Sprintf("spindev-%05d", group),
			}))
		}
	}
	for i := range c.Images {
		image := localaws.Image{Tags: []string{"v" + strconv.Itoa(i)}, Size: 16093514}
		if i%10 == 9 {
			image.Scan = &localaws.Scan{CompletedAt: time.Now(), Findings: []localaws.Finding{{Name: "CVE-2020-1971", Severity: "MEDIUM"}}}
		}
		errs = append(errs, aws.AddImage(account, region, repository(0, 0), image))
	}
	return errors.Join(errs...)
}

// ServeHTTP answers a call after the delay.
func (s *awsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.calls.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(s.delay)
	r.Body = io.NopCloser(bytes.NewReader(body))
	target := r.Header.Get("X-Amz-Target")
	if !isRead(target) {
		s.real.ServeHTTP(finishing{w, s}, r)
		return
	}
	credential, _, _ := strings.Cut(r.Header.Get("Authorization"), ",")
	s.answer(r, callKey{target, credential, string(body)}).send(w, n)
}

func isRead(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	return strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "List")
}

// answer returns the answer from memory, or else that of the local AWS.
func (s *awsServer) answer(r *http.Request, key callKey) *answer {
	// A change that ends from now on replaces this map. So an answer from
	// before that change cannot get into the new one.
	answers := s.answers.Load()
	if kept, ok := answers.Load(key); ok {
		return kept.(*answer)
	}
	fresh := &answer{header: http.Header{}}
	s.real.ServeHTTP(fresh, r)
	answers.Store(key, fresh)
	return fresh
}

// send writes the answer with a request id of its own. net/http adds the date.
func (a *answer) send(w http.ResponseWriter, n int64) {
	header := w.Header()
	header["Content-Type"] = a.header["Content-Type"]
	header["Content-Length"] = a.header["Content-Length"]
	header["X-Amzn-Requestid"] = []string{fmt.Sprintf("00000000-0000-4000-8000-%012x", n)}
	w.WriteHeader(a.status)
	w.Write(a.body.Bytes())
}

// finishing is the answer to a change. It forgets what is in memory before the
// caller hears of the change.
type finishing struct {
	http.ResponseWriter
	server *awsServer
}

func (f finishing) WriteHeader(status int) {
	f.server.answers.Store(new(sync.Map))
	f.ResponseWriter.WriteHeader(status)
}
