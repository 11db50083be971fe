package api

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/sts"
	gocmp "github.com/google/go-cmp/cmp"
)

// These tests use an access key of a user of team-1/ours as somebody would who has
// found it. A user's policy and its boundary are a fence each, so each is also
// tried with the other one open.

// keyScope is the scope of the policy of such a user.
var keyScope = func() iam.Scope {
	s := groupScope
	s.Name = "ours"
	return s
}()

// A keyThief has the key of a user.
type keyThief struct {
	directAWS
	url, user string
	key       *credentials.Credentials
	logins    map[string]dockerUser // by region
}

// addKeyThief adds a user with that inline policy and boundary, and returns
// somebody who has found its key.
func (w *world) addKeyThief(user, document, boundary string) keyThief {
	w.t.Helper()
	user = keyScope.UserPrefix() + user
	w.must(nil, w.aws.AddManagedPolicy(account, "bounds-"+user, boundary))
	w.must(nil, w.aws.AddUser(account, localaws.User{
		Path: keyScope.UserPath(), Name: user, Boundary: "bounds-" + user, Policies: map[string]string{"ecr-api": document},
		Tags: map[string]string{nameTag: user, common.OrgTag: org, spaceTag: group, resourceTag: group + "/ours"},
	}))
	id, secret, err := w.aws.AddUserKey(account, user)
	w.must(nil, err)
	server := httptest.NewServer(w.aws)
	w.t.Cleanup(server.Close)
	return keyThief{w.direct(), server.URL, user, credentials.NewStaticCredentials(id, secret, ""), map[string]dockerUser{}}
}

// docker logs in to the registry of a region, the first time.
func (k keyThief) docker(t *testing.T, region string) dockerUser {
	t.Helper()
	if known, ok := k.logins[region]; ok {
		return known
	}
	out, err := k.ecr(region, k.key).GetAuthorizationToken(&awsecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	login, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	k.logins[region] = dockerUser{t, k.url, strings.TrimPrefix(string(login), "AWS:")}
	return k.logins[region]
}

// keyTests are users with a policy and a boundary, and what their keys are good for.
var keyTests = []struct {
	name, policy, boundary string
	access                 string
	to                     func(attackTarget) bool
	alone                  string // if one of both is open: the other
}{
	{"pull", ownPolicy(pull), config.UsersBoundary, pull, isTheirs, ""},
	{"push", ownPolicy(push), config.UsersBoundary, push, isTheirs, ""},
	{"pull-without-boundary", ownPolicy(pull), openBoundary, pull, isTheirs, ownPolicy(pull)},
	{"push-without-boundary", ownPolicy(push), openBoundary, push, isTheirs, ownPolicy(push)},
	// The boundary knows neither the user's access nor its region.
	{"without-policy", openBoundary, config.UsersBoundary, push, func(x attackTarget) bool {
		return x.name == "team-1/ours" && x.org == org && x.account == account
	}, config.UsersBoundary},
}

func ownPolicy(access string) string { return accessPolicies[access](keyScope).String() }

var openBoundary = policyForEverything(keyScope).String()

func isTheirs(x attackTarget) bool { return x.arn() == theRepositoryOfLeak.arn() }

// Every repository lets everybody in, so that only what is denied is denied. What
// one document does alone, the evaluator says, and one repository shows over HTTP.
func TestLeakedKey(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t)
	w.addAttackTargets()
	image := w.addStolenImage()
	w.letEverybodyIn()
	before := w.direct().state()
	thieves := make([]keyThief, len(keyTests))
	for i, test := range keyTests {
		thieves[i] = w.addKeyThief(test.name, test.policy, test.boundary)
		for _, x := range attackTargets {
			switch {
			case test.to(x):
			case test.alone == "" || x == theirNeighbor:
				thieves[i].wantNothing(t, image, x)
			default:
				thieves[i].wantDenied(t, test.alone, x)
			}
		}
		thieves[i].wantNoChange(t, theRepositoryOfLeak)
		thieves[i].wantNoMoreRights(t)
	}
	w.direct().unchanged(before)
	for i, test := range keyTests {
		for _, x := range attackTargets {
			if !test.to(x) {
				continue
			}
			if diff := gocmp.Diff(image.want(test.access, true), thieves[i].docker(t, x.region).try(image, x)); diff != "" {
				t.Errorf("%s on %s, %s (-want +got):\n%s", test.name, x.arn(), x.whose, diff)
			}
		}
	}
	all := w.addKeyThief("without-both", openBoundary, openBoundary)
	for attempt, status := range all.docker(t, region).try(image, attackTargets[2]) {
		if status == http.StatusForbidden {
			t.Errorf("without both, nothing denies, but %s: %d", attempt, status)
		}
	}
}

// theirNeighbor is a repository of the same group, account and region, of another org.
var theirNeighbor = attackTargets[2]

// wantDenied checks that a document denies the user everything on a repository.
func (k keyThief) wantDenied(t *testing.T, document string, x attackTarget) {
	t.Helper()
	context := map[string][]string{
		"aws:PrincipalAccount":              {account},
		"aws:PrincipalArn":                  {"arn:aws:iam::" + account + ":user" + keyScope.UserPath() + k.user},
		"aws:PrincipalTag/" + common.OrgTag: {org},
		"aws:PrincipalTag/" + resourceTag:   {group + "/ours"},
		"aws:ResourceAccount":               {x.account},
		"aws:username":                      {k.user},
	}
	if x.org != "" {
		context[resourceOrg] = []string{x.org}
	}
	actions := []string{"ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart"}
	for _, call := range directCalls {
		actions = append(actions, call.needs...)
	}
	parsed := parsedPolicies(t, document)
	for _, action := range actions {
		if got, err := policy.Decide(policy.Request{Action: action, Resource: x.arn(), Context: context}, parsed...); got != policy.Deny || err != nil {
			t.Errorf("%s: %s on %s: %s (%v)", k.user, action, x.arn(), got, err)
		}
	}
}

// wantNothing checks that the thief can do nothing to a repository.
func (k keyThief) wantNothing(t *testing.T, image stolenImage, x attackTarget) {
	t.Helper()
	if diff := gocmp.Diff(image.want(pull, false), k.docker(t, x.region).try(image, x)); diff != "" {
		t.Errorf("%s on %s, %s (-want +got):\n%s", k.user, x.arn(), x.whose, diff)
	}
	for name, call := range directCalls {
		if code := errorCode(call.do(k.ecr(x.region, k.key), x)); code != "AccessDeniedException" {
			t.Errorf("%s: %s on %s: %s", k.user, name, x.arn(), code)
		}
	}
}

// wantNoChange checks that the thief can use no API on its own repository but that
// for images.
func (k keyThief) wantNoChange(t *testing.T, x attackTarget) {
	t.Helper()
	for name, call := range directCalls {
		if name == "BatchGetImage" || name == "PutImage" {
			continue
		}
		if code := errorCode(call.do(k.ecr(x.region, k.key), x)); code != "AccessDeniedException" {
			t.Errorf("%s: %s on its own repository: %s", k.user, name, code)
		}
	}
}

// wantNoMoreRights checks that the thief can get no more rights in the account.
func (k keyThief) wantNoMoreRights(t *testing.T) {
	t.Helper()
	config := aws.NewConfig().WithCredentials(k.key)
	api, user := awsiam.New(k.session, config), aws.String(k.user)
	for what, try := range map[string]func() error{
		"see itself":  func() error { _, err := api.GetUser(&awsiam.GetUserInput{}); return err },
		"see users":   func() error { _, err := api.ListUsers(&awsiam.ListUsersInput{}); return err },
		"make a key":  func() error { _, err := api.CreateAccessKey(&awsiam.CreateAccessKeyInput{}); return err },
		"make a user": func() error { _, err := api.CreateUser(&awsiam.CreateUserInput{UserName: aws.String("x")}); return err },
		"change its boundary": func() error {
			_, err := api.PutUserPermissionsBoundary(&awsiam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: aws.String("arn:aws:iam::" + account + ":policy/x")})
			return err
		},
		"change its policy": func() error {
			_, err := api.PutUserPolicy(&awsiam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("ecr-api"), PolicyDocument: aws.String(openBoundary)})
			return err
		},
		"change its tags": func() error {
			_, err := api.TagUser(&awsiam.TagUserInput{UserName: user, Tags: []*awsiam.Tag{{Key: aws.String(resourceTag), Value: aws.String("other/ours")}}})
			return err
		},
		"assume the role": func() error {
			_, err := sts.New(k.session, config).AssumeRole(&sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/auditor"),
				RoleSessionName: aws.String("thief"), ExternalId: aws.String("local")})
			return err
		},
	} {
		if code := errorCode(try()); code != "AccessDenied" {
			t.Errorf("%s: %s: %s", k.user, what, code)
		}
	}
}

// A group's members may pull what is shared with the group. A user has the tags of
// its group, and only the Deny of its policy, or that of its boundary, keeps it out.
func TestLeakedKeyAndSharing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addAttackTargets()
	image := w.addStolenImage()
	w.run(exchange{method: "PUT", path: base + "/other/ours/sharing", body: `{"Groups": ["` + group + `"], "Accounts": []}`,
		status: 200, want: `{"Groups": ["team-1"], "Accounts": [], "Other": 1}`})
	own := accessPolicies[pull](keyScope)
	withoutDeny := iam.NewPolicy(own.Statement[:2]...).String()
	for name, test := range map[string]struct {
		policy, boundary string
		status           int
		words            string
	}{
		"both":         {own.String(), config.UsersBoundary, 403, "with an explicit deny in an identity-based policy"},
		"own-policy":   {own.String(), openBoundary, 403, "with an explicit deny in an identity-based policy"},
		"own-boundary": {withoutDeny, config.UsersBoundary, 403, "with an explicit deny in a permissions boundary"},
		"no-deny":      {withoutDeny, openBoundary, 200, image.manifest},
	} {
		docker := w.addKeyThief(name, test.policy, test.boundary).docker(t, region)
		status, text := docker.do("GET", "/v2/"+account+"/"+region+"/other/ours/manifests/v1", nil, "")
		if status != test.status || !strings.Contains(text, test.words) {
			t.Errorf("%s: %d %s, want %d with %q", name, status, text, test.status, test.words)
		}
	}
}

// Whoever changes the tags of a user does not get it anywhere: its path in IAM
// says whose it is, too. The user can do nothing then.
func TestLeakedKeyOfAUserWhoseTagsWereChanged(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string]map[string]string{
		"another repository":        {resourceTag: "other/ours"},
		"a repository of no group":  {resourceTag: group},
		"another org's repository":  {resourceTag: group + "/others", common.OrgTag: otherOrg},
		"the same name, other org":  {common.OrgTag: otherOrg},
		"the same in other letters": {resourceTag: "Team-1/ours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOpenWorld(t)
			w.addAttackTargets()
			image := w.addStolenImage()
			w.letEverybodyIn()
			thief := w.addKeyThief("x", openBoundary, config.UsersBoundary)
			docker := thief.docker(t, region)
			var list []*awsiam.Tag
			for key, value := range tags {
				list = append(list, &awsiam.Tag{Key: aws.String(key), Value: aws.String(value)})
			}
			w.must(awsiam.New(thief.session).TagUser(&awsiam.TagUserInput{UserName: aws.String(thief.user), Tags: list}))
			for _, x := range attackTargets {
				if x.account == account && x.region == region {
					if diff := gocmp.Diff(image.want(pull, false), docker.try(image, x)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", x.arn(), diff)
					}
				}
			}
			if _, err := thief.ecr(region, thief.key).GetAuthorizationToken(&awsecr.GetAuthorizationTokenInput{}); errorCode(err) != "AccessDeniedException" {
				t.Errorf("the login: %v", err)
			}
		})
	}
}

// When another org has made a repository of that name anew, the key is good for
// nothing there, also if the repository lets everybody in.
func TestLeakedKeyOfARepositoryMadeAnew(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t)
	w.addAttackTargets()
	image := w.addStolenImage()
	var thieves []keyThief
	for _, test := range keyTests {
		thieves = append(thieves, w.addKeyThief(test.name, test.policy, test.boundary))
	}
	w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("team-1/ours"), Force: aws.Bool(true)}))
	w.addRepository(account, "team-1/ours", otherOrg)
	w.addImage(account, "team-1/ours", localaws.Image{Tags: []string{"v1"}})
	w.letEverybodyIn()
	for _, thief := range thieves {
		thief.wantNothing(t, image, theRepositoryOfLeak)
	}
}

// When our own org has deleted the repository and made one of that name anew, with a
// user of the same name, the old key is good for nothing.
func TestLeakedKeyOfARepositoryThatOurOrgMadeAnew(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	addImage := func() { w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}}) }
	addImage()
	createUser := usersOf("POST", "", `{"UserName": "u"}`, 200, "-")
	w.run(createUser)
	status, _, body := w.do(usersOf("POST", "u/keys", "", 0, ""))
	key := w.madeOf(status, body)
	server := httptest.NewServer(w.aws)
	t.Cleanup(server.Close)
	thief := keyThief{w.direct(), server.URL, "g-a-u", credentials.NewStaticCredentials(key.AccessKeyID, key.SecretAccessKey, ""), map[string]dockerUser{}}
	docker := thief.docker(t, region)
	pull := func() int {
		status, _ := docker.do("GET", "/v2/"+account+"/"+region+"/g/a/manifests/v1", asManifest, "")
		return status
	}
	if got := pull(); got != http.StatusOK {
		t.Fatalf("the key cannot pull: %d", got)
	}
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 200, want: "-"},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`, status: 200, want: "-"},
		createUser,
	)
	addImage()
	if got := pull(); got != http.StatusUnauthorized { // nobody has it any more
		t.Errorf("the password can pull: %d", got)
	}
	_, err := thief.ecr(region, thief.key).GetAuthorizationToken(&awsecr.GetAuthorizationTokenInput{})
	if code := errorCode(err); code != "UnrecognizedClientException" {
		t.Errorf("the key can log in: %v", err)
	}
}
