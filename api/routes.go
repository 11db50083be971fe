package api

import (
	"fmt"
	"net/http"

	"github.com/YaleSpinup/ecr-api/iam"
)

// A route is one row of the table: one method of one path.
type route struct {
	Method  string
	Path    string // template, as gorilla/mux has it
	Name    string // of the operation: in logs, and to tell sessions apart
	Summary string // one line, for the README
	// Public rows need no token. All others need a Policy: what the session in
	// which they are served may do in AWS.
	Public  bool
	Policy  func(iam.Scope) iam.Policy
	Handler func(*Service, route) http.Handler
}

// String names the row: its method and path.
func (rt route) String() string { return rt.Method + " " + rt.Path }

const (
	accountPath    = "/v1/ecr/{account}/repositories"
	groupPath      = accountPath + "/{group}"
	repositoryPath = groupPath + "/{name}"
	imagesPath     = repositoryPath + "/images"
	openAPIPath    = "/v1/ecr/openapi.json"
	docsPath       = "/v1/ecr/docs"
)

// routes is all that this service answers. Everything else that depends on the
// path comes from here: the router, Allow, metrics, logs, and the README's list.
var routes = []route{
	{Method: "GET", Path: "/v1/ecr/ping", Name: "Ping", Summary: "tell that the service is up", Public: true, Handler: ping},
	{Method: "GET", Path: "/v1/ecr/ready", Name: "Ready", Summary: "tell whether to send requests here", Public: true, Handler: ready},
	{Method: "GET", Path: "/v1/ecr/version", Name: "Version", Summary: "tell which version runs", Public: true, Handler: version},
	{Method: "GET", Path: "/v1/ecr/metrics", Name: "Metrics", Summary: "metrics for Prometheus", Public: true, Handler: metrics},
	{Method: "GET", Path: "/metrics", Name: "Metrics", Summary: "the same", Public: true, Handler: metrics},

	{Method: "GET", Path: accountPath, Name: "ListRepositories", Summary: "list an account's repositories", Policy: listPolicy, Handler: endpoint(listRepositories)},
	{Method: "GET", Path: groupPath, Name: "ListGroupRepositories", Summary: "list a group's repositories", Policy: listPolicy, Handler: endpoint(listRepositories)},
	{Method: "POST", Path: groupPath, Name: "CreateRepository", Summary: "create a repository", Policy: createPolicy, Handler: endpoint(createRepository)},
	{Method: "GET", Path: repositoryPath, Name: "ShowRepository", Summary: "show a repository", Policy: showPolicy, Handler: endpoint(showRepository)},
	{Method: "PUT", Path: repositoryPath, Name: "UpdateRepository", Summary: "update a repository", Policy: updatePolicy, Handler: endpoint(updateRepository)},
	{Method: "DELETE", Path: repositoryPath, Name: "DeleteRepository", Summary: "delete a repository and all its images", Policy: deletePolicy, Handler: endpoint(deleteRepository)},

	{Method: "GET", Path: imagesPath, Name: "ListImages", Summary: "list a repository's images", Policy: imagesPolicy, Handler: endpoint(listImages)},

	{Method: "GET", Path: openAPIPath, Name: "OpenAPI", Summary: "this API as an OpenAPI document", Public: true, Handler: openAPI},
	{Method: "GET", Path: docsPath, Name: "Docs", Summary: "this API as a page to read and try", Public: true, Handler: docs},
	{Method: "GET", Path: docsPath + "/{file}", Name: "DocsFile", Summary: "scripts and styles of that page", Public: true, Handler: docsFile},
}

// checkRoutes refuses a table that contradicts itself. A row can't be left
// unprotected by forgetting something.
func checkRoutes(table []route) error {
	seen := map[string]bool{}
	public := map[string]bool{}
	names := map[string]bool{}
	for _, rt := range table {
		if other, ok := public[rt.Path]; ok && other != rt.Public {
			return fmt.Errorf("path %s is public for one method and not for another", rt.Path)
		}
		public[rt.Path] = rt.Public
		switch {
		case rt.Name == "":
			return fmt.Errorf("route %s has no name", rt)
		case rt.Handler == nil:
			return fmt.Errorf("route %s has no handler", rt)
		case !rt.Public && rt.Policy == nil:
			return fmt.Errorf("route %s is neither public nor has a session policy", rt)
		case rt.Public && rt.Policy != nil:
			return fmt.Errorf("route %s is public, but has a session policy", rt)
		case names[rt.Name]:
			return fmt.Errorf("route %s has the name of another, %s: they would share sessions", rt, rt.Name)
		case seen[rt.String()]:
			return fmt.Errorf("route %s is there twice", rt)
		}
		seen[rt.String()] = true
		names[rt.Name] = !rt.Public
	}
	return nil
}
