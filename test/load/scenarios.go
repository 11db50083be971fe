package main

import (
	"fmt"
	"net/http"
	"strings"
)

const base = "/v1/ecr/" + account + "/repositories"

// contents says which repositories and images AWS has at the beginning.
type contents struct {
	Groups int // how many groups of repositories there are
	Each   int // how many repositories each group has
	Images int // how many images the first repository has
}

// repository returns the full name of a repository. Groups and repositories
// count from 0.
func repository(group, n int) string { return fmt.Sprintf("spindev-%05d/r%d", group, n) }

// A scenario is what is measured with an AWS and with programs of its own.
type scenario struct {
	contents
	steps []step
	// logged says that the service is measured at the log level info too.
	logged bool
}

// A step is one kind of request. The first step of a scenario takes as long as
// the flags say. The steps after it send as many requests as the first one.
type step struct {
	name    string
	request func(n int64) (method, path, body string)
}

// updated is how many repositories an update chooses from. Callers that update
// at the same time should not meet at the same repository.
const updated = 64

var scenarios = []scenario{
	{contents{1, 1, 0}, []step{{"show", get(base + "/" + repository(0, 0))}}, true},
	{contents{1, 1, 0}, []step{{"create", create}, {"delete", remove}}, true},
	{contents{1, updated, 0}, []step{{"update", update}}, false},
	images("images-1", 1),
	images("images-1000", 1000),
	images("images-10000", 10_000),
	{contents{10, 1, 0}, []step{{"list-10", get(base)}}, false},
	{contents{10_000, 1, 0}, []step{{"list-10000", get(base)}}, false},
}

func images(name string, n int) scenario {
	return scenario{contents{1, 1, n}, []step{{name, get(base + "/" + repository(0, 0) + "/images")}}, false}
}

func get(path string) func(int64) (method, path, body string) {
	return func(int64) (string, string, string) { return http.MethodGet, path, "" }
}

func create(n int64) (method, path, body string) {
	return http.MethodPost, base + "/spindev-00001",
		fmt.Sprintf(`{"RepositoryName": "new-%d", "ScanOnPush": "true", "Tags": [{"Key": "CreatedBy", "Value": "cf322"}]}`, n)
}

func remove(n int64) (method, path, body string) {
	return http.MethodDelete, fmt.Sprintf("%s/spindev-00001/new-%d", base, n), ""
}

func update(n int64) (method, path, body string) {
	return http.MethodPut, base + "/" + repository(0, int(n%updated)),
		`{"ScanOnPush": "true", "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "Application", "Value": "MyAwesomeCloudApp"}]}`
}

// newRequest returns the nth request of a step to the program.
func (s step) newRequest(p *process, n int64) (*http.Request, error) {
	method, path, body := s.request(n)
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Auth-Token", p.token)
	return request, nil
}
