package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/gorilla/mux"
)

// A call is what a handler works with: a client that can do just what its row's
// policy allows, and what the path names. Group and Name are empty where the
// path has none.
type call struct {
	ECR   *ecr.Client
	Org   string
	Group string
	Name  string
}

// repository is the full name of the repository that the path names.
func (c call) repository() string { return c.Group + "/" + c.Name }

// An input is what a request's body decodes into.
type input interface {
	// check returns what is wrong with the input, as a common.Error.
	check() error
}

// A namer is an input that names the repository, where the path does not.
type namer interface{ name() string }

// nothing is the input of a request without a body.
type nothing struct{}

func (nothing) check() error { return nil }

// endpoint makes an http.Handler of a handler, and writes what comes back of it.
func endpoint[In input, Out any](handle func(context.Context, call, In) (Out, error)) func(*Service, route) http.Handler {
	return func(s *Service, rt route) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out, err := perform(s, rt, w, r, handle)
			if err != nil {
				writeError(w, r, err)
				return
			}
			writeJSON(w, "application/json", http.StatusOK, out)
		})
	}
}

// perform reads and checks the request, before anything is asked of AWS,
// connects, and has it handled.
func perform[In input, Out any](s *Service, rt route, w http.ResponseWriter, r *http.Request, handle func(context.Context, call, In) (Out, error)) (out Out, err error) {
	scope, name, err := s.target(r)
	if err != nil {
		return out, err
	}
	config := s.live.Load().config
	leave, err := s.limits.enter(scope.Account, config)
	if err != nil {
		return out, err
	}
	defer leave()
	end := s.deadline(r, config.RequestTimeout)
	in, err := decode[In](w, r, end)
	if err != nil {
		return out, err
	}
	record := recordOf(r)
	if named, ok := any(in).(namer); ok {
		name = named.name()
		record.name = name
	}
	if err := checkFullName(scope.Group, name); err != nil {
		return out, err
	}
	ctx, cancel := context.WithDeadline(lifetime(r), end)
	defer cancel()
	client, session := s.connect(rt, scope)
	record.session = session
	return handle(ctx, call{ECR: client, Org: scope.Org, Group: scope.Group, Name: name}, in)
}

// target reads from the path which account's registry, which group and which
// repository the request is about.
func (s *Service) target(r *http.Request) (scope iam.Scope, name string, err error) {
	vars, err := decodedVars(r)
	if err != nil {
		return scope, "", err
	}
	config := s.live.Load().config
	account, ok := config.AccountID(vars["account"])
	if !ok {
		return scope, "", common.Errorf(common.NotFound, "account not found: name it by its twelve digits or a configured alias")
	}
	if err := checkNames(vars); err != nil {
		return scope, "", err
	}
	scope = iam.Scope{Registry: s.registry, Org: config.Org, Group: vars["group"]}
	scope.Account = account
	record := recordOf(r)
	record.account, record.group, record.name = account, vars["group"], vars["name"]
	return scope, vars["name"], nil
}

// decodedVars returns the path's variables, which the router matched while they
// were still escaped: a %2F in a name is no slash of the path.
func decodedVars(r *http.Request) (map[string]string, error) {
	vars := map[string]string{}
	for key, escaped := range mux.Vars(r) {
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, common.Errorf(common.BadRequest, "The %s in the path is not percent-encoded correctly.", key)
		}
		vars[key] = value
	}
	return vars, nil
}

// deadline is when the request must be answered, all its AWS calls together and
// its body included: counted from its header, and no later than the service's end.
func (s *Service) deadline(r *http.Request, timeout time.Duration) time.Time {
	end := recordOf(r).start.Add(timeout)
	if last := s.end.Load(); last != nil && last.Before(end) {
		return *last
	}
	return end
}

// lifetime is the context of what is done for the request. A read ends when its
// caller hangs up. A change goes on to its end, so that nothing is left half-done.
func lifetime(r *http.Request) context.Context {
	if changes(r.Method) {
		return context.WithoutCancel(r.Context())
	}
	return r.Context()
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead
}

// writeJSON encodes before it writes, so that the status is never a lie.
func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(err) // the shapes of the contract always encode
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	w.WriteHeader(status)
	w.Write(buffer.Bytes()) // an error is a caller who has gone
}
