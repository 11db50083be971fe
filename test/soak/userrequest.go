package main

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
)

// The kinds of operations on users.
const (
	listUsers  = "users"
	createUser = "create user"
	showUser   = "user"
	updateUser = "update user"
	deleteUser = "delete user"
	makeKey    = "make key"
	switchKey  = "switch key"
	deleteKey  = "delete key"
)

// userChange is what a request says of a user.
type userChange struct {
	name   string
	access string // empty if it says nothing of it
	tags   map[string]string
	reset  bool
	key    string
	status string // of the key
}

// userNamesTried are the short names of users. IAM has another user of the last
// name, whose path is not the repository's.
var userNamesTried = []string{"robot", "builder", takenName}

const takenName = "taken"

// noKey is an access key that nobody has.
const noKey = "AKIANOBODYHASTHISKEY"

func (o operation) isAboutUsers() bool {
	return slices.Contains([]string{listUsers, createUser, showUser, updateUser, deleteUser, makeKey, switchKey, deleteKey}, o.kind)
}

// takesOver tells whether a user must be as the service makes one before the
// operation is done.
func (o operation) takesOver() bool {
	return o.kind == makeKey || o.kind == updateUser && (o.user.access != "" || o.user.reset)
}

// makesKey tells whether the operation makes an access key.
func (o operation) makesKey() bool { return o.kind == makeKey || o.user.reset }

// chooseUserOperation returns the next operation on the users of a repository.
// Most of the time it can succeed. The id is the value of tags.
func chooseUserOperation(random *rand.Rand, r *repository, id string) operation {
	u := choosePresent(random, r.users)
	c := userChange{name: userNamesTried[random.IntN(2)]}
	if random.IntN(15) == 0 {
		c.name = takenName
	}
	n := random.IntN(100)
	switch { // most operations need a user, or a key
	case u == nil && n >= 12 && n < 92:
		n = 20
	case u != nil && len(u.Keys) == 0 && n >= 74 && n < 90:
		n = 60
	}
	if u != nil && n >= 28 && random.IntN(20) > 0 {
		c.name = u.Name
	}
	switch {
	case n < 10:
		return operation{kind: listUsers}
	case n < 28:
		c.access, c.tags = chooseAccess(random), chooseUserTags(random, id)
		return operation{kind: createUser, user: c}
	case n < 38:
		return operation{kind: showUser, user: c}
	case n < 58:
		c.access, c.tags, c.reset = chooseAccess(random), chooseUserTags(random, id), random.IntN(3) == 0
		return operation{kind: updateUser, user: c}
	case n < 74:
		return operation{kind: makeKey, user: c}
	case n < 92:
		return chooseKeyOperation(random, u, c)
	default:
		return operation{kind: deleteUser, user: c}
	}
}

func chooseKeyOperation(random *rand.Rand, u *user, c userChange) operation {
	c.key = noKey
	if u != nil && len(u.Keys) > 0 && random.IntN(20) > 0 {
		c.key = u.Keys[random.IntN(len(u.Keys))].ID
	}
	if random.IntN(2) == 0 {
		return operation{kind: deleteKey, user: c}
	}
	c.status = []string{"Active", "Inactive"}[random.IntN(2)]
	return operation{kind: switchKey, user: c}
}

// choosePresent returns nil if there are no users.
func choosePresent(random *rand.Rand, users []user) *user {
	if len(users) == 0 {
		return nil
	}
	return &users[random.IntN(len(users))]
}

func chooseAccess(random *rand.Rand) string { return []string{"", toPull, toPush}[random.IntN(3)] }

func chooseUserTags(random *rand.Rand, id string) map[string]string {
	tags := map[string]string{}
	for _, key := range []string{"By", "Stage"} {
		if random.IntN(2) == 0 {
			tags[key] = id
		}
	}
	return tags
}

// userPathOf returns the method and the path of a request about users, under the
// path of the repository's users.
func (o operation) userPathOf(users string) (method, path string) {
	one := users + "/" + o.user.name
	switch o.kind {
	case listUsers:
		return http.MethodGet, users
	case createUser:
		return http.MethodPost, users
	case updateUser:
		return http.MethodPut, one
	case deleteUser:
		return http.MethodDelete, one
	case makeKey:
		return http.MethodPost, one + "/keys"
	case switchKey:
		return http.MethodPut, one + "/keys/" + o.user.key
	case deleteKey:
		return http.MethodDelete, one + "/keys/" + o.user.key
	default:
		return http.MethodGet, one
	}
}

func (o operation) userBody() string {
	body := map[string]any{}
	switch c := o.user; o.kind {
	case createUser:
		body["UserName"] = c.name
	case updateUser:
		body["resetkey"] = c.reset
	case switchKey:
		body["Status"] = c.status
	default:
		return ""
	}
	if o.user.access != "" {
		body["Access"] = o.user.access
	}
	if len(o.user.tags) > 0 {
		var tags []tag
		for _, key := range slices.Sorted(maps.Keys(o.user.tags)) {
			tags = append(tags, tag{key, o.user.tags[key]})
		}
		body["Tags"] = tags
	}
	text, _ := json.Marshal(body) // does not fail for strings
	return string(text)
}
