package main

import (
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// keyLimited is the code of a problem.
const keyLimited = "key-limited"

// limits are those of the service's second key.
var limits = struct {
	Key      string   `json:"key"`
	Accounts []string `json:"accounts"`
	Groups   []string `json:"groups"`
	Actions  []string `json:"actions"`
}{
	Key: "limited", Accounts: accounts[:2], Groups: []string{limitedGroups + "*"},
	Actions: []string{"CreateRepository", "UpdateRepository", "ShowRepository", "ListUsers", "ShowUser", "CreateUser", "CreateAccessKey"},
}

const limitedGroups = "spindev-"

// actions are the operations that are sent with the limited key, by their kinds.
var actions = map[string]string{
	create: "CreateRepository", update: "UpdateRepository", show: "ShowRepository", remove: "DeleteRepository",
	listUsers: "ListUsers", showUser: "ShowUser", createUser: "CreateUser", updateUser: "UpdateUser", deleteUser: "DeleteUser",
	makeKey: "CreateAccessKey", switchKey: "UpdateAccessKey", deleteKey: "DeleteAccessKey",
}

// limit lets a share of the requests be sent with the limited key.
func (w *worker) limit(r *repository, o *operation) {
	action := actions[o.kind]
	if action == "" || w.random.IntN(12) > 0 {
		return
	}
	o.limited = true
	o.outside = !slices.Contains(limits.Accounts, r.account) || !strings.HasPrefix(r.group, limitedGroups) || !slices.Contains(limits.Actions, action)
}

// reads tells whether a call changes nothing.
func reads(call localaws.Call) bool {
	for _, word := range []string{"BatchGet", "Describe", "Get", "List"} {
		if strings.HasPrefix(call.Operation, word) {
			return true
		}
	}
	return false
}

// noteTouch counts a call that changes something of a repository or of its users.
// Other workers read the repository, too.
func (a *faultyAWS) noteTouch(call localaws.Call) {
	if !reads(call) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.touches[call.Account+"/"+repositoryOf(call)]++
	}
}

func (a *faultyAWS) touchesOf(account, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.touches[account+"/"+name]
}
