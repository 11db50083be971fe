package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/YaleSpinup/ecr-api/iam"
)

// pathVars are the variables that a path may have. The router, the adapter, the
// log and the tests all use this list.
var pathVars = []pathVar{
	{Name: "account", LogField: "account", Sample: "012345678901", Read: readAccount, In: func(p *pathValues) *string { return &p.Account }},
	{Name: "group", LogField: "group", Sample: "spindev-00001", Read: readGroup, In: func(p *pathValues) *string { return &p.Group }},
	{Name: "name", LogField: "name", Sample: "dasher", Read: readName, In: func(p *pathValues) *string { return &p.Name }},
	{Name: "image", LogField: "image", Sample: "latest", Read: readImage, In: func(p *pathValues) *string { return &p.Image }},
	{Name: "user", LogField: "user", Sample: "builder", Read: readUser, In: func(p *pathValues) *string { return &p.User }},
	{Name: "key", LogField: "accessKey", Sample: "AKIAIOSFODNN7EXAMPLE", Read: readAccessKey, In: func(p *pathValues) *string { return &p.AccessKey }},
	{Name: "file", LogField: "file", Sample: "swagger-ui.css", Read: readDocsFile, In: func(p *pathValues) *string { return &p.File }},
}

// pathValues are the values of a path's variables, decoded and checked. A
// variable that the path does not have is empty.
type pathValues struct {
	Account string // twelve digits, also if the caller used an alias
	Group   string
	Name    string // of the repository, without the group
	Image   string // a tag or a digest
	User    string // of the repository, by its short name
	File    string // of the docs page

	AccessKey string // id of a key of the user
}

// A route is one row of the table: one method of one path.
type route struct {
	Method  string
	Path    string // template, as gorilla/mux has it; its variables are in pathVars
	Name    string // of the operation, as the log and the OpenAPI document have it
	Summary string // one line, for the README
	Status  int    // of a success; 0 means 200, or 202 if the output is underWay

	// Harmless rows change nothing, although their method is not GET. They end
	// when the caller hangs up.
	Harmless bool

	// Users rows are about IAM users. They answer 404 where the configuration has
	// none.
	Users bool

	// Public rows need no token. All others need a Policy: it says what the
	// session of a request may do in AWS.
	Public   bool
	Probe    bool // machines ask each few seconds, so a success is logged at debug
	Policy   func(iam.Scope) iam.Policy
	Endpoint endpoint

	// Access has the policies of sessions whose rights a caller gets. Such a
	// session is for one request alone, and for one repository. The names are
	// those by which the caller asks for it.
	Access map[string]func(iam.Scope) iam.Policy

	// Further has the policies of further sessions of the service's own, by name.
	// They are for calls that need more than most requests of the row.
	Further map[string]func(iam.Scope) iam.Policy
}

// String returns the method and the path of the row.
func (rt route) String() string { return rt.Method + " " + rt.Path }

// changes tells whether a request changes something in AWS. One that gives a
// caller access does not.
func (rt route) changes() bool {
	return rt.Method != http.MethodGet && rt.Access == nil && !rt.Harmless
}

// status returns the status of a success with that output.
func (rt route) status(out any) int {
	if u, ok := out.(underWayOutput); ok && u.underWay() {
		return http.StatusAccepted
	}
	return cmp.Or(rt.Status, http.StatusOK)
}

const (
	accountPath     = "/v1/ecr/{account}/repositories"
	groupPath       = accountPath + "/{group}"
	repositoryPath  = groupPath + "/{name}"
	imagesPath      = repositoryPath + "/images"
	imagePath       = imagesPath + "/{image}"
	credentialsPath = repositoryPath + "/credentials"
	lifecyclePath   = repositoryPath + "/lifecycle"
	previewPath     = lifecyclePath + "/preview"
	sharingPath     = repositoryPath + "/sharing"
	usersPath       = repositoryPath + "/users"
	userPath        = usersPath + "/{user}"
	keysPath        = userPath + "/keys"
	keyPath         = keysPath + "/{key}"
	openAPIPath     = "/v1/ecr/openapi.json"
	docsPath        = "/v1/ecr/docs"
	docsFilesPath   = docsPath + "/files"
)

// routes has every path and method that this service answers. Everything else
// that depends on the path is made from it: the router, Allow, metrics, logs,
// and the README's list.
var routes = []route{
	{Method: "GET", Path: "/v1/ecr/ping", Name: "Ping", Summary: "tell that the service is up", Public: true, Probe: true, Endpoint: raw(ping)},
	{Method: "GET", Path: "/v1/ecr/ready", Name: "Ready", Summary: "tell whether to send requests here", Public: true, Probe: true, Endpoint: raw(ready)},
	{Method: "GET", Path: "/v1/ecr/version", Name: "Version", Summary: "tell which version runs", Public: true, Endpoint: raw(version)},
	{Method: "GET", Path: "/v1/ecr/metrics", Name: "Metrics", Summary: "metrics for Prometheus", Public: true, Probe: true, Endpoint: raw(bounded(maxMetrics, metrics))},
	{Method: "GET", Path: "/metrics", Name: "RootMetrics", Summary: "the same", Public: true, Probe: true, Endpoint: raw(bounded(maxMetrics, metrics))},

	{Method: "GET", Path: accountPath, Name: "ListRepositories", Summary: "list an account's repositories", Policy: listPolicy, Endpoint: handledBy(listRepositories)},
	{Method: "GET", Path: groupPath, Name: "ListGroupRepositories", Summary: "list a group's repositories", Policy: listPolicy, Endpoint: handledBy(listRepositories)},
	{Method: "POST", Path: groupPath, Name: "CreateRepository", Summary: "create a repository", Policy: createPolicy, Further: sharingSessions, Endpoint: handledBy(createRepository)},
	{Method: "GET", Path: repositoryPath, Name: "ShowRepository", Summary: "show a repository", Policy: showPolicy, Endpoint: handledBy(showRepository)},
	{Method: "PUT", Path: repositoryPath, Name: "UpdateRepository", Summary: "update a repository", Policy: updatePolicy, Further: sharingSessions, Endpoint: handledBy(updateRepository)},
	{Method: "DELETE", Path: repositoryPath, Name: "DeleteRepository", Summary: "delete a repository and all its images", Policy: deletePolicy, Further: deleteUsersSessions, Endpoint: handledBy(deleteRepository)},

	{Method: "GET", Path: imagesPath, Name: "ListImages", Summary: "list a repository's images", Policy: imagesPolicy, Endpoint: handledBy(listImages)},
	{Method: "DELETE", Path: imagesPath, Name: "DeleteImages", Summary: "delete images by tag, digest, age or status", Policy: deleteImagePolicy, Endpoint: handledBy(deleteImages)},
	{Method: "GET", Path: imagePath, Name: "ShowImage", Summary: "show an image and its findings", Policy: imagePolicy, Further: imageSessions, Endpoint: handledBy(showImage)},
	{Method: "POST", Path: imagePath + "/scan", Name: "ScanImage", Summary: "scan an image for vulnerabilities", Status: 202, Policy: scanPolicy, Endpoint: handledBy(scanImage)},
	{Method: "DELETE", Path: imagePath, Name: "DeleteImage", Summary: "delete an image, or a tag of it", Policy: deleteImagePolicy, Endpoint: handledBy(deleteImage)},

	{Method: "POST", Path: credentialsPath, Name: "CreateCredentials", Summary: "get a password for docker, to pull from or push to a repository", Policy: showPolicy, Access: accessPolicies, Endpoint: handledBy(createCredentials)},

	{Method: "GET", Path: lifecyclePath, Name: "ShowLifecycle", Summary: "show a repository's lifecycle policy", Policy: showLifecyclePolicy, Endpoint: handledBy(showLifecycle)},
	{Method: "PUT", Path: lifecyclePath, Name: "PutLifecycle", Summary: "set a repository's lifecycle policy", Policy: putLifecyclePolicy, Endpoint: handledBy(putLifecycle)},
	{Method: "DELETE", Path: lifecyclePath, Name: "DeleteLifecycle", Summary: "delete a repository's lifecycle policy", Policy: deleteLifecyclePolicy, Endpoint: handledBy(deleteLifecycle)},
	{Method: "GET", Path: previewPath, Name: "ShowLifecyclePreview", Summary: "show the last preview of a lifecycle policy", Policy: showPreviewPolicy, Endpoint: handledBy(showLifecyclePreview)},
	{Method: "POST", Path: previewPath, Name: "PreviewLifecycle", Summary: "preview what a lifecycle policy would do", Harmless: true, Policy: previewPolicy, Endpoint: handledBy(previewLifecycle)},

	{Method: "GET", Path: sharingPath, Name: "ShowSharing", Summary: "show who else may pull from a repository", Policy: showSharingPolicy, Endpoint: handledBy(showSharing)},
	{Method: "PUT", Path: sharingPath, Name: "PutSharing", Summary: "share a repository with groups and accounts", Policy: readTagsPolicy, Further: sharingSessions, Endpoint: handledBy(putSharing)},
	{Method: "DELETE", Path: sharingPath, Name: "DeleteSharing", Summary: "share a repository with nobody", Policy: readTagsPolicy, Further: sharingSessions, Endpoint: handledBy(deleteSharing)},

	{Method: "GET", Path: usersPath, Name: "ListUsers", Summary: "list a repository's users", Users: true, Policy: readTagsPolicy, Further: listUsersSessions, Endpoint: handledBy(listUsers)},
	{Method: "POST", Path: usersPath, Name: "CreateUser", Summary: "create a user that may pull from or push to a repository", Users: true, Policy: readTagsPolicy, Further: createUserSessions, Endpoint: handledBy(createUser)},
	{Method: "GET", Path: userPath, Name: "ShowUser", Summary: "show a user and its access keys", Users: true, Policy: readTagsPolicy, Further: showUserSessions, Endpoint: handledBy(showUser)},
	{Method: "PUT", Path: userPath, Name: "UpdateUser", Summary: "change a user's access or tags, or replace its access keys", Users: true, Policy: readTagsPolicy, Further: changeUserSessions, Endpoint: handledBy(updateUser)},
	{Method: "DELETE", Path: userPath, Name: "DeleteUser", Summary: "delete a user and its access keys", Users: true, Policy: readTagsPolicy, Further: deleteUserSessions, Endpoint: handledBy(deleteUser)},

	{Method: "POST", Path: keysPath, Name: "CreateAccessKey", Summary: "make an access key of a user", Users: true, Policy: readTagsPolicy, Further: changeUserSessions, Endpoint: handledBy(createAccessKey)},
	{Method: "PUT", Path: keyPath, Name: "UpdateAccessKey", Summary: "switch an access key on or off", Users: true, Policy: readTagsPolicy, Further: switchKeySessions, Endpoint: handledBy(updateAccessKey)},
	{Method: "DELETE", Path: keyPath, Name: "DeleteAccessKey", Summary: "delete an access key", Users: true, Policy: readTagsPolicy, Further: deleteKeySessions, Endpoint: handledBy(deleteAccessKey)},

	{Method: "GET", Path: openAPIPath, Name: "OpenAPI", Summary: "this API as an OpenAPI document", Public: true, Endpoint: raw(bounded(maxDocs, openAPI))},
	{Method: "GET", Path: docsPath, Name: "Docs", Summary: "this API as a page to read and try", Public: true, Endpoint: raw(bounded(maxDocs, docs))},
	{Method: "GET", Path: docsFilesPath + "/{file}", Name: "DocsFile", Summary: "scripts and styles of that page", Public: true, Endpoint: raw(bounded(maxDocs, docsFile))},
	{Method: "GET", Path: "/docs", Name: "ShortDocs", Summary: "the same page", Public: true, Endpoint: raw(bounded(maxDocs, docs))},
	{Method: "GET", Path: "/", Name: "RootDocs", Summary: "the same page", Public: true, Endpoint: raw(bounded(maxDocs, docs))},
}

// checkRoutes returns what is wrong with a table. If there is an error, the
// service does not start. So nobody can forget to protect or check something.
func checkRoutes(table []route, vars []pathVar) error {
	if err := checkPathVars(vars); err != nil {
		return err
	}
	seen := map[string]bool{}
	names := map[string]bool{}
	for _, rt := range table {
		if err := checkRoute(rt, vars); err != nil {
			return fmt.Errorf("route %s %w", rt, err)
		}
		switch {
		case seen[rt.String()]:
			return fmt.Errorf("route %s is in the table twice", rt)
		case names[rt.Name]:
			return fmt.Errorf("route %s has the same name as another route, %s", rt, rt.Name)
		}
		seen[rt.String()] = true
		names[rt.Name] = true
	}
	return checkPaths(byPath(table))
}

// checkPaths returns an error if somebody could mistake which row answers a
// request. If a path fitted two templates, the order of the table would decide
// who may ask for it.
func checkPaths(paths [][]route) error {
	for i, rows := range paths {
		for _, rt := range rows {
			if rt.Public != rows[0].Public {
				return fmt.Errorf("path %s is public for one method and not for another", rt.Path)
			}
		}
		for _, earlier := range paths[:i] {
			if overlap(earlier[0].Path, rows[0].Path) {
				return fmt.Errorf("path %s overlaps %s: a request may fit both", rows[0].Path, earlier[0].Path)
			}
		}
	}
	return nil
}

// byPath returns the rows of each path. The paths are in the order of the
// table.
func byPath(table []route) (paths [][]route) {
	place := map[string]int{}
	for _, rt := range table {
		i, known := place[rt.Path]
		if !known {
			i = len(paths)
			place[rt.Path] = i
			paths = append(paths, nil)
		}
		paths[i] = append(paths[i], rt)
	}
	return paths
}

// checkRoute returns what is wrong with one row.
func checkRoute(rt route, vars []pathVar) error {
	for _, name := range varsIn(rt.Path) {
		if _, ok := findVar(vars, name); !ok {
			return fmt.Errorf("has the path variable {%s}, which pathVars does not declare", name)
		}
	}
	switch {
	case rt.Name == "":
		return fmt.Errorf("has no name")
	case rt.Endpoint.serve == nil:
		return fmt.Errorf("has no endpoint")
	case rt.Status != 0 && (rt.Status < 200 || rt.Status > 299):
		return fmt.Errorf("has the status %d, which is not a success", rt.Status)
	case !rt.Public && rt.Policy == nil:
		return fmt.Errorf("is neither public nor has a session policy")
	case rt.Public && rt.Policy != nil:
		return fmt.Errorf("is public, but has a session policy")
	case rt.Public && rt.Access != nil:
		return fmt.Errorf("is public, but gives access")
	case rt.Public && rt.Further != nil:
		return fmt.Errorf("is public, but has further sessions")
	case !slices.Equal(rt.Endpoint.accesses(), slices.Sorted(maps.Keys(rt.Access))):
		return fmt.Errorf("has policies for the access %q, and an input that asks for %q", slices.Sorted(maps.Keys(rt.Access)), rt.Endpoint.accesses())
	case rt.Endpoint.dropsQuery():
		return fmt.Errorf("has an input whose queryParams has no pointer receiver, so that their values would be lost")
	case !rt.Public && rt.Endpoint.newInput == nil:
		return fmt.Errorf("is not public, so it needs an endpoint by handledBy, which checks path, query and body")
	}
	return nil
}
