package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// A repository is one that a worker has for itself: what happens to it happens
// in a known order.
type repository struct {
	account, group, name string

	states  []state   // that are possible
	last    operation // the last create
	history []string  // of late, for a report
	open    *sent     // a request of which nothing is known yet
	used    int       // requests so far
}

func (r *repository) fullName() string { return r.group + "/" + r.name }

// A sent is a request that was sent.
type sent struct {
	id     string
	about  operation
	line   string // for a report
	to     *process
	hungUp bool
	unsure int     // calls about the repository before, that may have done their work or not
	got    *answer // nil: none
}

// An input is a body of a create or an update.
type input struct {
	RepositoryName     string `json:",omitempty"`
	ScanOnPush         string `json:",omitempty"`
	ImageTagMutability string `json:",omitempty"`
	Tags               []tag  `json:",omitempty"`
}

type tag struct{ Key, Value string }

func (c settings) input(name string) input {
	in := input{RepositoryName: name}
	if c.scan != nil {
		in.ScanOnPush = fmt.Sprint(*c.scan)
	}
	if c.mutability != nil {
		in.ImageTagMutability = *c.mutability
	}
	for key, value := range c.tags {
		in.Tags = append(in.Tags, tag{key, value})
	}
	return in
}

// choose makes up the next operation on a repository, mostly one that makes sense
// for what it can be. The tag values are the request's own, so that whose they are
// can be seen.
func choose(random *rand.Rand, r *repository, id string) operation {
	const tooMany = 8 // possible states: a look is due
	n := random.IntN(100)
	if !r.states[0].Exists && n >= 20 && n < 60 { // what most changes need
		n = 15
	}
	switch {
	case n < 5 && r.last.kind == create:
		return r.last // word for word: what is there may look like one's own
	case n < 18:
		return newCreate(random, r, id)
	case n >= 70 && n < 90 || len(r.states) > tooMany:
		return operation{kind: show}
	case n < 55:
		return operation{kind: update, settings: newSettings(random, id, 0.6)}
	case n < 70:
		return operation{kind: remove}
	case n < 95:
		return operation{kind: list}
	default:
		return operation{kind: images}
	}
}

// newSettings sets each part with that probability.
func newSettings(random *rand.Rand, id string, likely float64) settings {
	var c settings
	if random.Float64() < likely {
		on := random.IntN(2) == 0
		c.scan = &on
	}
	if random.Float64() < likely {
		mode := []string{"MUTABLE", "IMMUTABLE"}[random.IntN(2)]
		c.mutability = &mode
	}
	if random.Float64() < likely {
		c.tags = map[string]string{}
		for _, key := range []string{"By", "Application", "Stage", "CostCentre"} {
			if random.IntN(2) == 0 {
				c.tags[key] = id
			}
		}
	}
	return c
}

func newCreate(random *rand.Rand, r *repository, id string) operation {
	c := newSettings(random, id, 0.7)
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	c.tags["By"] = id
	made := state{Exists: true, Mutability: "MUTABLE"}.with(c, c.parts()...)
	made.Tags = mergeTags(made.Tags, map[string]string{"Name": r.fullName(), "spinup:org": org, "spinup:spaceid": r.group})
	return operation{kind: create, settings: c, created: made}
}

// newRequest returns the request of an operation.
func newRequest(o operation, r *repository, id, token string) (*http.Request, error) {
	path := "/v1/ecr/" + r.account + "/repositories/" + r.group
	method := http.MethodGet
	switch o.kind {
	case create:
		method = http.MethodPost
	case update:
		method, path = http.MethodPut, path+"/"+r.name
	case remove:
		method, path = http.MethodDelete, path+"/"+r.name
	case show:
		path += "/" + r.name
	case images:
		path += "/" + r.name + "/images"
	}
	request, err := http.NewRequest(method, "http://service"+path, strings.NewReader(o.body(r)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Auth-Token", token)
	request.Header.Set("X-Request-Id", id)
	return request, nil
}

func (o operation) body(r *repository) string {
	switch o.kind {
	case create:
		return encode(o.settings.input(r.name))
	case update:
		return encode(o.settings.input(""))
	default:
		return ""
	}
}

func encode(in input) string {
	text, _ := json.Marshal(in) // strings always encode
	return string(text)
}

func isChange(o operation) bool { return slices.Contains([]string{create, update, remove}, o.kind) }

// A shown is a repository in an answer.
type shown struct {
	ScanOnPush, ImageTagMutability            string
	RegistryId, RepositoryName, RepositoryArn string
	EncryptionType, KmsKeyId                  string
	Tags                                      []tag
}

// A problem is the answer of what failed, as far as it matters here.
type problem struct {
	Status           int
	RequestId        string
	Applied, Unknown []string
}

// read returns the outcome that an answer tells. The error is that it is no such
// answer at all.
func read(s *sent, r *repository) (outcome, error) {
	out := outcome{status: s.got.status}
	if out.status != http.StatusOK {
		return readProblem(out, s)
	}
	switch s.about.kind {
	case list:
		var names []string
		err := json.Unmarshal(s.got.body, &names)
		out.seen = &state{Exists: slices.Contains(names, r.fullName())}
		return out, err
	case images:
		if body := strings.TrimSpace(string(s.got.body)); body != "[]" {
			return out, fmt.Errorf("there are no images, and it says %s", body)
		}
		return out, nil
	default:
		return readRepository(out, s, r)
	}
}

func readProblem(out outcome, s *sent) (outcome, error) {
	var p problem
	if err := json.Unmarshal(s.got.body, &p); err != nil {
		return out, err
	}
	if p.Status != out.status || p.RequestId != s.id {
		return out, fmt.Errorf("the problem is of another request, or its status another")
	}
	out.applied, out.unknown = p.Applied, p.Unknown
	return out, nil
}

func readRepository(out outcome, s *sent, r *repository) (outcome, error) {
	var body shown
	if err := json.Unmarshal(s.got.body, &body); err != nil {
		return out, err
	}
	if body.RegistryId != r.account || body.RepositoryName != r.fullName() || body.EncryptionType != "AES256" || body.KmsKeyId != "" ||
		body.RepositoryArn != "arn:aws:ecr:"+region+":"+r.account+":repository/"+r.fullName() {
		return out, fmt.Errorf("the answer is of another repository")
	}
	tags := map[string]string{}
	for _, t := range body.Tags {
		tags[t.Key] = t.Value
	}
	out.seen = &state{Exists: true, Scan: body.ScanOnPush == "true", Mutability: body.ImageTagMutability, Tags: mergeTags("", tags)}
	return out, nil
}
