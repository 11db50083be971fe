package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
)

// A target is what a handler works on: the values of the path, the org, and the
// AWS clients of the request.
type target struct {
	pathValues
	clients
	Org  string
	loan *loan // of a row with a long output whose method is not GET; otherwise nil

	callerGone func() bool // tells whether the caller has hung up
}

// repository returns the full name of the repository.
func (t target) repository() string { return t.Group + "/" + t.Name }

// An input is what a request says in its query and its body. Its fields are the
// keys of the body. An input with query parameters is a queryInput too.
type input interface {
	// check returns what is wrong with the input, as a common.Error.
	check() error
}

// A namer is an input that names what a row creates. It puts the name where
// other rows have it from their path.
type namer interface{ name(*pathValues) }

// bodyless marks an input of a request without a body. Such inputs embed it.
type bodyless struct{}

func (bodyless) hasNoBody() {}

// nothing is the input of a request with neither query parameters nor a body.
type nothing struct{ bodyless }

func (nothing) check() error { return nil }

// A handler does the work of one row. Its target and its input are already
// checked. The adapter writes what it returns.
type handler[In input, Out any] func(context.Context, target, In) (Out, error)

// An underWayOutput tells whether AWS goes on working after the answer.
type underWayOutput interface{ underWay() bool }

// An accessInput is an input that asks for access.
type accessInput interface {
	// accesses returns what it may ask for. The row has a policy for each.
	accesses() []string
}

// An endpoint answers the requests of a row.
type endpoint struct {
	serve    func(*Service, route) http.Handler
	newInput func() any // a pointer to an empty input; nil for a raw endpoint
}

// raw makes an endpoint that writes its answers itself. Only public rows may
// have one.
func raw(serve func(*Service, route) http.Handler) endpoint { return endpoint{serve: serve} }

// dropsQuery tells whether the query parameters write into a copy of the input:
// a filter would be accepted and select nothing less.
func (e endpoint) dropsQuery() bool {
	if e.newInput == nil {
		return false
	}
	_, copies := reflect.ValueOf(e.newInput()).Elem().Interface().(queryInput)
	return copies
}

// accesses returns which access the input may ask for, sorted.
func (e endpoint) accesses() []string {
	if e.newInput == nil {
		return nil
	}
	in, ok := e.newInput().(accessInput)
	if !ok {
		return nil
	}
	return slices.Sorted(slices.Values(in.accesses()))
}

// handledBy makes an endpoint of a handler.
func handledBy[In input, Out any](handle handler[In, Out]) endpoint {
	serve := func(s *Service, rt route) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := s.enter(rt, r); err != nil {
				writeError(w, r, err)
				return
			}
			defer s.limits.leave(recordOf(r).path.Account) // not before the answer is written
			out, done, err := perform(s, rt, w, r, handle)
			defer done()
			if err != nil {
				writeError(w, r, err)
				return
			}
			var body any = out
			if p, ok := body.(pageOfList); ok {
				linkNext(w, r, p.cursor())
				body = p.list()
			}
			writeJSON(w, "application/json", rt.status(out), body)
		})
	}
	return endpoint{serve: serve, newInput: func() any { return new(In) }}
}

// enter reads and checks the path, and whether the request is within the limits
// of its key. It admits the request, unless too many are being answered.
func (s *Service) enter(rt route, r *http.Request) error {
	rec := recordOf(r)
	var wrong error
	rec.path, wrong = readPath(r, rec.settings.config)
	if err := firstError(s.checkAccount(rec), wrong); err != nil {
		return err
	}
	if err := s.checkRow(rt, rec); err != nil {
		return err
	}
	return s.limits.enter(rec.path.Account, rec.settings.config)
}

// perform reads and checks the rest of the request before it calls AWS. Then it
// makes the clients and calls the handler. When the answer is written, the
// caller must call done.
func perform[In input, Out any](s *Service, rt route, w http.ResponseWriter, r *http.Request, handle handler[In, Out]) (out Out, done func(), err error) {
	record := recordOf(r)
	config, p, done := record.settings.config, record.path, nothingHeld
	scope := s.scope(p, config)
	if rt.Users && scope.Boundary == "" {
		return out, done, common.Errorf(common.UsersOff, "There are no users in this account: the service's configuration (users.boundary) has none. "+
			"Whoever runs the service can add them.")
	}
	end := s.deadline(r, config.RequestTimeout)
	in, err := decode[In](w, r, end, s.bodies)
	if err != nil {
		return out, done, err
	}
	if n, ok := any(in).(namer); ok {
		n.name(&p)
		record.path = p
	}
	if err := firstError(checkFullName(p.Group, p.Name), checkUserName(p)); err != nil {
		return out, done, err
	}
	ctx, cancel := context.WithDeadline(lifetime(rt, r), end)
	defer cancel()
	gone := func() bool { return r.Context().Err() != nil }
	t := target{pathValues: p, Org: config.Org, clients: s.connector.connect(rt, scope, record), callerGone: gone}
	record.session = t.session.Name
	if d, ok := any(in).(interface{ dryRun() bool }); ok {
		record.dryRun = d.dryRun()
	}
	switch {
	case isLong(out) && rt.Method != http.MethodGet: // no other request gets its answer
		return withLoan(ctx, s.lists, listKey{row: rt.Name, path: p}, t, in, handle)
	case isLong(out):
		key := sharedKey{listKey{rt.Name, p, r.URL.RawQuery}, record.settings, t.session}
		return readList(ctx, s.lists, key, t, in, handle)
	}
	out, err = handle(ctx, t, in)
	return out, done, err
}

func nothingHeld() {}

// readList calls the handler of a list, or takes the list that an equal request
// gets.
func readList[In input, Out any](ctx context.Context, l *lists, key sharedKey, t target, in In, handle handler[In, Out]) (Out, func(), error) {
	list, done, err := l.do(ctx, key, func(ctx context.Context) (any, error) { return handle(ctx, t, in) })
	out, _ := list.(Out)
	return out, done, err
}

// withLoan calls the handler of a row that reads lists for one request alone.
func withLoan[In input, Out any](ctx context.Context, l *lists, list listKey, t target, in In, handle handler[In, Out]) (out Out, done func(), err error) {
	t.loan = &loan{lists: l, list: list}
	ended := false
	defer func() {
		if !ended { // it has panicked
			t.loan.release()
		}
	}()
	out, err = handle(ctx, t, in)
	ended = true
	return out, t.loan.release, err
}

// scope returns what the session of a request is limited to.
func (s *Service) scope(p pathValues, c *common.Config) iam.Scope {
	scope := iam.Scope{Registry: s.registry, Org: c.Org, Group: p.Group}
	scope.Account = p.Account
	if boundary, on := c.Users.BoundaryIn(scope.Partition, p.Account); on {
		scope.Boundary = boundary
		scope.FormerGroup = c.Users.FormerGroupIn(scope.Partition, p.Account)
	}
	return scope
}

// deadline returns when the request must be answered. This includes the reading
// of its body and all its AWS calls. The time starts with the request's header.
// The deadline is earlier if the service is stopping and ends before that.
func (s *Service) deadline(r *http.Request, timeout time.Duration) time.Time {
	end := recordOf(r).start.Add(timeout)
	if last := s.end.Load(); last != nil && last.Before(end) {
		return *last
	}
	return end
}

// lifetime returns the context of the handler. A read ends when its caller
// hangs up. A change continues without its caller, so that it is not left
// half-done.
func lifetime(rt route, r *http.Request) context.Context {
	if rt.changes() {
		return context.WithoutCancel(r.Context())
	}
	return r.Context()
}
