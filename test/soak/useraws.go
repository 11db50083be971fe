package main

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

// usersPolicy are the permissions of the management role for users.
var usersPolicy = strings.ReplaceAll(config.UsersPolicy, "FORMER-GROUP", formerGroup)

// userKeys is how the access keys of users begin.
const userKeys = "AKIA"

// setUpUsers adds to each account what users need there.
func setUpUsers(server *localaws.Server) error {
	for _, account := range accounts {
		if err := firstOf(
			server.AddManagedPolicy(account, boundaryName, config.UsersBoundary),
			server.AddManagedPolicy(account, otherPolicy, everything),
			server.AddIAMGroup(account, formerGroup, everything),
			server.AddIAMGroup(account, otherGroup, everything),
		); err != nil {
			return err
		}
	}
	return nil
}

// ofUsers finds the repository whose users the session of a call is for.
var ofUsers = regexp.MustCompile(`:user/spinup/` + org + `/([^/"]+/[^/"]+)/`)

// repositoryOf returns the repository that a call is about, also where it is about
// the users of one. It is empty for a list of users.
func repositoryOf(call localaws.Call) string {
	if found := ofUsers.FindStringSubmatch(call.Policy); found != nil && call.Service == "iam" {
		return found[1]
	}
	return call.Repository
}

// maxIAMDelay is after what time IAM shows a write, at the latest.
const maxIAMDelay = 300 * time.Millisecond

// changeDelays changes, until the channel is closed, after what time IAM shows a
// write.
func (a *faultyAWS) changeDelays(end <-chan struct{}) {
	for {
		a.SetIAMDelay([]time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, maxIAMDelay}[rand.IntN(4)])
		select {
		case <-time.After(500 * time.Millisecond):
		case <-end:
			return
		}
	}
}
