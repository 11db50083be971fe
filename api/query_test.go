package api

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
)

// A filter is an input with query parameters of each kind.
type filter struct {
	bodyless
	Limit int
	Tags  []string
	Name  string
}

func (f filter) check() error {
	if f.Limit > 0 && f.Name != "" && f.Tags == nil {
		return common.Errorf(common.BadRequest, "limit with name needs tag.")
	}
	return nil
}

func (f *filter) queryParams() []queryParam {
	return []queryParam{
		{name: "limit", set: func(value string) (err error) {
			if f.Limit, err = strconv.Atoi(value); err != nil || f.Limit < 1 {
				return errors.New("must be a number from 1 on")
			}
			return nil
		}},
		{name: "tag", repeated: true, set: func(value string) error {
			f.Tags = append(f.Tags, value)
			return nil
		}},
		{name: "name", set: func(value string) error {
			f.Name = value
			return nil
		}},
	}
}

// selection is an input with a query parameter and a body.
type selection struct {
	Filter filter `json:"-"`
	Reason string
}

func (selection) check() error { return nil }

func (s *selection) queryParams() []queryParam { return s.Filter.queryParams() }

// A lossyFilter has query parameters that write into a copy of it.
type lossyFilter struct {
	bodyless
	Limit int
}

func (lossyFilter) check() error { return nil }

func (f lossyFilter) queryParams() []queryParam {
	return []queryParam{{name: "limit", set: func(value string) (err error) {
		f.Limit, err = strconv.Atoi(value)
		return err
	}}}
}

func TestQueryParameters(t *testing.T) {
	t.Parallel()
	const path = base + "/g"
	w := newWorld(t, changeRows(func(rt *route) {
		switch rt.Name {
		case "ListGroupRepositories":
			rt.Endpoint = handledBy(func(_ context.Context, _ target, in filter) (filter, error) { return in, nil })
		case "CreateRepository":
			rt.Status = 202
			rt.Endpoint = handledBy(func(_ context.Context, _ target, in selection) ([]any, error) {
				return []any{in.Filter, in.Reason}, nil
			})
		}
	}))
	w.unspecified = true
	get := func(query, want string) exchange {
		return exchange{method: "GET", path: path + query, status: 200, want: want}
	}
	bad := func(query, detail string) exchange {
		return exchange{method: "GET", path: path + query, status: 400, want: problemOf("bad-request", detail)}
	}
	w.run(
		get("", `{"Limit": 0, "Tags": null, "Name": ""}`),
		get("?", `{"Limit": 0, "Tags": null, "Name": ""}`),
		get("?limit=5&tag=v1&&tag=dev-*&name=a%26b+c", `{"Limit": 5, "Tags": ["v1", "dev-*"], "Name": "a&b c"}`),
		get("?name", `{"Limit": 0, "Tags": null, "Name": ""}`),
		get("?n%61me=a=b", `{"Limit": 0, "Tags": null, "Name": "a=b"}`),
		bad("?limit=0", `The query parameter "limit" must be a number from 1 on.`),
		bad("?limit=", `The query parameter "limit" must be a number from 1 on.`),
		bad("?limit=1&limit=1", `The query parameter "limit" is given twice.`),
		bad("?limit=1&l%69mit=2", `The query parameter "limit" is given twice.`),
		bad("?limit=1&name=a", "limit with name needs tag."),
		bad("?Limit=1", `"Limit" is not a query parameter of this request.`),
		bad("?tags=v1", `"tags" is not a query parameter of this request.`),
		bad("?tag=v1;limit=1&=x", `"" is not a query parameter of this request.`),
		bad("?limit=%zz", `The query parameter "limit" is not percent-encoded correctly.`),
		bad("?%zz=1", `The query parameter "%zz" is not percent-encoded correctly.`),
		exchange{name: "HEAD", method: "HEAD", path: path + "?tags=v1", status: 400, want: "-"},
		exchange{name: "with a body", method: "POST", path: path + "?limit=2", body: `{"Reason": "old"}`, status: 202, want: `[{"Limit": 2, "Tags": null, "Name": ""}, "old"]`},
		exchange{name: "parameter in the body", method: "POST", path: path, body: `{"limit": 2}`, status: 400, want: problemOf("bad-request", `"limit" is not a key of this request.`)},
		exchange{name: "bad parameter and bad body", method: "POST", path: path + "?limit=a", body: `{`, status: 400, want: problemOf("bad-request", `The query parameter "limit" must be a number from 1 on.`)},
	)
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %v", called)
	}
}

// The error for a huge name is short.
func TestHugeQueryParameter(t *testing.T) {
	t.Parallel()
	huge := make([]byte, 10_000)
	for i := range huge {
		huge[i] = 'x'
	}
	for _, query := range []string{string(huge), string(huge) + "%zz"} {
		err := decodeQuery(query, nil)
		if common.CodeOf(err) != common.BadRequest || len(err.Error()) > 200 {
			t.Errorf("%d characters: %.300v", len(err.Error()), err)
		}
	}
}

// Public paths ignore the query, because load balancers and scrapers may add
// one.
func TestPublicPathsIgnoreTheQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/ecr/ping", "/v1/ecr/ready", "/metrics"} {
		if status, _, _ := w.do(exchange{method: "GET", path: path + "?x=1&x=2&%zz"}); status != 200 {
			t.Errorf("%s: status %d", path, status)
		}
	}
}
