package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// repository is a repository that only one worker changes, with one request
// after another. So the order of its changes is known.
type repository struct {
	account, group, name string

	states     []state      // the possible states
	lastCreate operation    // the last create that had an outcome
	createdBy  *process     // which got that create
	createdAt  time.Time    // when its outcome was known
	history    []string     // the recent requests, for a report
	pending    *sentRequest // a request without an answer, until its outcome is known
	requests   int          // how many requests were sent
	previewing bool         // whether a preview may be under way

	users          []user   // as they are in IAM
	usersChangedBy *process // by which they were last changed
	othersDeleted  time.Time
}

func (r *repository) fullName() string { return r.group + "/" + r.name }

// sentRequest is a request and what the caller got for it.
type sentRequest struct {
	id              string
	operation       operation
	text            string // method, path and body, for a report
	process         *process
	hungUp          bool         // whether the caller hung up before the answer
	uncertainBefore int          // the value of uncertainCallsOf before the request
	answer          *answer      // nil if there was none
	meanwhile       *meanwhile   // of a deletion of images
	watch           *policyWatch // of a request about sharing or the lifecycle policy
	users           *userWatch   // of a request about users, or a deletion of the repository
	fresh           bool         // the service may not know yet all that was written about the users
	touchesBefore   int          // the value of touchesOf before the request
}

// chooseOperation returns the next operation on a repository. Most of the time
// it is one that can succeed in the first possible state. The value of each tag
// is the id of the request that sets it.
func chooseOperation(random *rand.Rand, r *repository, id string) operation {
	const tooMany = 8 // with more possible states than that, the operation is a show
	n := random.IntN(100)
	if !r.states[0].Exists && n >= 20 && n < 60 { // most operations need a repository
		n = 15
	}
	switch {
	case n < 5 && r.lastCreate.kind == create:
		return r.lastCreate // the same create again: the repository may be that of the earlier one
	case n < 18:
		return newCreate(random, r, id)
	case n >= 70 && n < 90 || len(r.states) > tooMany:
		return operation{kind: show}
	case n < 55:
		return operation{kind: update, settings: newSettings(random, id, 0.6)}
	case n < 70:
		return operation{kind: remove}
	case n < 97:
		return operation{kind: list}
	default:
		return operation{kind: login, access: []string{"pull", "push"}[random.IntN(2)]}
	}
}

// newRequest returns the HTTP request of an operation.
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
	case listImages, pageImages, deleteMany, dryRun, showImage, deleteImage:
		method, path = o.imageRequest(path + "/" + r.name + "/images")
	case login:
		method, path = http.MethodPost, path+"/"+r.name+"/credentials"
	case listUsers, createUser, showUser, updateUser, deleteUser, makeKey, switchKey, deleteKey:
		method, path = o.userPathOf(path + "/" + r.name + "/users")
	case showSharing, putSharing, deleteSharing:
		method, path = methods[o.kind], path+"/"+r.name+"/sharing"
	case showLifecycle, putLifecycle, deleteLifecycle:
		method, path = methods[o.kind], path+"/"+r.name+"/lifecycle"
	case preview, showPreview:
		method, path = methods[o.kind], path+"/"+r.name+"/lifecycle/preview"
	}
	request, err := http.NewRequest(method, "http://service"+path, strings.NewReader(o.body(r)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Auth-Token", token)
	request.Header.Set("X-Request-Id", id)
	return request, nil
}

// methods has the methods of the requests about sharing and lifecycle policies.
var methods = map[string]string{
	showSharing: http.MethodGet, putSharing: http.MethodPut, deleteSharing: http.MethodDelete,
	showLifecycle: http.MethodGet, putLifecycle: http.MethodPut, deleteLifecycle: http.MethodDelete,
	showPreview: http.MethodGet, preview: http.MethodPost,
}

func (o operation) body(r *repository) string {
	switch o.kind {
	case create:
		return encode(o.settings.requestBody(r.name))
	case update:
		return encode(o.settings.requestBody(""))
	case login:
		return `{"Access": "` + o.access + `"}`
	case putSharing:
		return o.share.body()
	case putLifecycle, preview:
		return o.document
	default:
		return o.userBody()
	}
}

func encode(body requestBody) string {
	text, _ := json.Marshal(body) // does not fail for strings
	return string(text)
}

// repositoryAnswer is a repository in an answer.
type repositoryAnswer struct {
	ScanOnPush, ImageTagMutability            string
	ImageTagMutabilityExclusionFilters        []string
	RegistryId, RepositoryName, RepositoryArn string
	EncryptionType, KmsKeyId                  string
	Tags                                      []tag
	Groups                                    *[]string
}

// problem is the part of a problem document that soak reads.
type problem struct {
	Status           int
	Code, RequestId  string
	Applied, Unknown []string
}

// readAnswer returns the outcome in an answer. It returns an error if the
// answer is malformed or does not belong to the request.
func readAnswer(s *sentRequest, r *repository) (outcome, error) {
	out := outcome{status: s.answer.status}
	switch {
	case s.operation.isPreview():
		return readPreview(out, s)
	case out.status != http.StatusOK:
		return readProblem(out, s)
	}
	if s.operation.isAboutUsers() {
		return readUsers(out, s)
	}
	switch s.operation.kind {
	case list:
		var names []string
		err := json.Unmarshal(s.answer.body, &names)
		out.seen = &state{Exists: slices.Contains(names, r.fullName())}
		return out, err
	case listImages, pageImages:
		return readImages(out, s, r)
	case showImage:
		return readImage(out, s, r)
	case deleteImage, deleteMany, dryRun:
		return readDeletion(out, s)
	case login:
		_, err := readCredentials(s, r)
		return out, err
	case showSharing, putSharing, deleteSharing:
		return readSharing(out, s)
	case showLifecycle, putLifecycle, deleteLifecycle:
		return readLifecycle(out, s)
	default:
		return readRepository(out, s, r)
	}
}

func readProblem(out outcome, s *sentRequest) (outcome, error) {
	var p problem
	if err := json.Unmarshal(s.answer.body, &p); err != nil {
		return out, err
	}
	if p.Status != out.status || p.RequestId != s.id {
		return out, fmt.Errorf("the problem document has another status or request id")
	}
	out.code, out.applied, out.unknown = p.Code, p.Applied, p.Unknown
	return out, nil
}

func readRepository(out outcome, s *sentRequest, r *repository) (outcome, error) {
	var body repositoryAnswer
	if err := json.Unmarshal(s.answer.body, &body); err != nil {
		return out, err
	}
	if body.RegistryId != r.account || body.RepositoryName != r.fullName() || body.EncryptionType != "AES256" || body.KmsKeyId != "" ||
		body.RepositoryArn != "arn:aws:ecr:"+region+":"+r.account+":repository/"+r.fullName() {
		return out, fmt.Errorf("the answer is about another repository")
	}
	tags := map[string]string{}
	for _, t := range body.Tags {
		tags[t.Key] = t.Value
	}
	out.seen = &state{
		Exists:     true,
		Scan:       body.ScanOnPush == "true",
		Mutability: newMutability(body.ImageTagMutability, body.ImageTagMutabilityExclusionFilters),
		Tags:       mergeTags("", tags),
	}
	if out.seen.Mutability.withExclusion() == (body.ImageTagMutabilityExclusionFilters == nil) {
		return out, fmt.Errorf("the patterns do not fit the mode")
	}
	if (s.operation.settings.groups != nil) != (body.Groups != nil) {
		return out, fmt.Errorf("the answer has Groups if they are in the request, and only then")
	}
	if body.Groups != nil {
		out.seen.Sharing.Groups = strings.Join(*body.Groups, " ")
	}
	return out, nil
}
