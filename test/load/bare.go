package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // adds itself to http.DefaultServeMux, which the programs serve beside their own paths
	"runtime"
)

// mallocs is the metric that counts allocations, by the name that the service
// has for it too.
const mallocs = "go_memstats_mallocs_total"

// A bareProgram makes the AWS calls of a request and returns what to answer.
type bareProgram interface {
	show(ctx context.Context, name string) (any, error)
	create(ctx context.Context, name string, in createInput) (any, error)
	update(ctx context.Context, name string, in updateInput) (any, error)
	remove(ctx context.Context, name string) (any, error)
	images(ctx context.Context, name string) (any, error)
	list(ctx context.Context) (any, error)
}

type createInput struct {
	RepositoryName string
	ScanOnPush     string
	Tags           []tag
}

type updateInput struct {
	ScanOnPush         string
	ImageTagMutability string
	Tags               []tag
}

type tag struct{ Key, Value string }

// allTags returns the tags that the service sets when it creates a repository.
func (in createInput) allTags(group string) []tag {
	return append(in.Tags, tag{"Name", group + "/" + in.RepositoryName}, tag{"spinup:org", org}, tag{"spinup:spaceid", group})
}

// serveBare serves a bare program until the process is killed.
func serveBare(address string, p bareProgram) error { return listen(address, newBareHandler(p)) }

// newBareHandler returns a handler for the paths of the service. There is no
// token, no check, no log and no metrics.
func newBareHandler(p bareProgram) http.Handler {
	const one = base + "/{group}/{name}"
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) { mux.HandleFunc(pattern, asJSON(f)) }
	handle("GET "+base, func(r *http.Request) (any, error) { return p.list(r.Context()) })
	handle("GET "+one, func(r *http.Request) (any, error) { return p.show(r.Context(), nameIn(r)) })
	handle("GET "+one+"/images", func(r *http.Request) (any, error) { return p.images(r.Context(), nameIn(r)) })
	handle("DELETE "+one, func(r *http.Request) (any, error) { return p.remove(r.Context(), nameIn(r)) })
	handle("POST "+base+"/{group}", func(r *http.Request) (any, error) {
		var in createInput
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		in.Tags = in.allTags(r.PathValue("group"))
		return p.create(r.Context(), r.PathValue("group")+"/"+in.RepositoryName, in)
	})
	handle("PUT "+one, func(r *http.Request) (any, error) {
		var in updateInput
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		return p.update(r.Context(), nameIn(r), in)
	})
	mux.HandleFunc("GET "+metricsPath, writeMallocs)
	mux.HandleFunc("GET "+pingPath, func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /debug/pprof/", http.DefaultServeMux)
	return mux
}

func nameIn(r *http.Request) string { return r.PathValue("group") + "/" + r.PathValue("name") }

// asJSON answers with what f returns.
func asJSON(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(out)
	}
}

func writeMallocs(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "%s %d\n", mallocs, m.Mallocs)
}

// listen serves until the process is killed.
func listen(address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return http.Serve(listener, handler)
}

// newClient returns a client that keeps as many connections as the service
// does.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	return &http.Client{Transport: transport}
}
