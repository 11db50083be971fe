package api

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
)

const (
	builderPath = base + "/g/a/users/builder"
	builderKeys = builderPath + "/keys"
)

// sampleKey is the id of the access key that addFullRepository adds to the user
// builder. No two keys have the same.
func sampleKey(account, repository string) string {
	hash := sha256.Sum256([]byte(account + "/" + repository))
	return "AKIA" + base32.StdEncoding.EncodeToString(hash[:10])
}

var (
	readsOfKeys = []string{"iam:GetAccessKeyLastUsed", "iam:ListAccessKeys"}
	keyChange   = change{part: "AccessKey"}

	changeSession = rowTest{notCalled: map[string]string{
		"iam:PutUserPermissionsBoundary": "called for users of the earlier service",
		"iam:RemoveUserFromGroup":        "called for users of the earlier service",
	}}
	changeSessions = map[string]rowTest{"to list users": {}, "to change a user": changeSession, "to make access keys": {}}
)

var _ = describe("CreateAccessKey", rowTest{
	calls:   append([]string{"ecr:ListTagsForResource", "iam:CreateAccessKey"}, readsOfUser...),
	changes: map[string]change{"iam:CreateAccessKey": keyChange},
	variants: []exchange{
		{name: "a key", method: "POST", path: base + "/g/users/users/builder/keys", status: 200},
		{name: "missing", method: "POST", path: base + "/g/users/users/nobody/keys", status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: changeSessions,
})

var _ = describe("UpdateAccessKey", rowTest{
	bodies:  []string{`{"Status": "Inactive"}`, `{"Status": "Active"}`},
	calls:   append([]string{"ecr:ListTagsForResource", "iam:UpdateAccessKey"}, readsOfKeys...),
	changes: map[string]change{"iam:UpdateAccessKey": keyChange},
	variants: []exchange{
		{name: "missing", method: "PUT", path: base + "/g/users/users/builder/keys/AKIAIOSFODNN7EXAMPLE", body: `{"Status": "Inactive"}`, status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: map[string]rowTest{"to list users": {}, "to switch access keys on and off": {}},
})

var _ = describe("DeleteAccessKey", rowTest{
	calls:   append([]string{"ecr:ListTagsForResource", "iam:DeleteAccessKey"}, readsOfKeys...),
	changes: map[string]change{"iam:DeleteAccessKey": keyChange},
	variants: []exchange{
		{name: "missing", method: "DELETE", path: base + "/g/users/users/builder/keys/AKIAIOSFODNN7EXAMPLE", status: 404},
	},
	may:     readTags,
	never:   []right{denyOtherOrgs},
	further: map[string]rowTest{"to list users": {}, "to delete access keys": {}},
})

// newUserWorld returns a world with the user builder of the repository g/a.
func newUserWorld(t *testing.T, u localaws.User, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	w := newUsersWorld(t, change...)
	w.addUser(account, u)
	return w
}

// builder returns the user builder of the repository g/a, as the service makes it.
func builder(access string) localaws.User { return ourUser(account, "g/a", org, "builder", access) }

// A madeKey is a key in an answer.
type madeKey struct{ AccessKeyID, SecretAccessKey string }

// makeKey makes a key of the user, and compares the answer.
func (w *world) makeKey() (k madeKey) {
	w.t.Helper()
	status, header, body := w.do(exchange{method: "POST", path: builderKeys})
	if err := json.Unmarshal([]byte(body), &k); err != nil || status != 200 || header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("status %d: %v: %s", status, header, body)
	}
	w.wantSame("the key", body, fmt.Sprintf(`{"AccessKeyId": %q, "SecretAccessKey": %q, "Status": "Active", "CreateDate": "2040-12-14T15:34:18Z"}`, k.AccessKeyID, k.SecretAccessKey))
	return k
}

// wantSame compares two JSON documents.
func (w *world) wantSame(what, got, want string) {
	w.t.Helper()
	if jsonOf(parse(w.t, got)) != jsonOf(parse(w.t, want)) {
		w.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// shownOff is shownKey for a key that is switched off.
func shownOff(id string) string { return strings.Replace(shownKey(id), "Active", "Inactive", 1) }

// shownBuilder is the user builder with that access and these keys.
func shownBuilder(access string, keys ...string) string {
	return shownUser("builder", access, `"AccessKeys": []`, `"AccessKeys": [`+strings.Join(keys, ", ")+`]`)
}

// twoKeysSaid is what the answer says of two keys. AWS lists keys of the same
// second by their ids.
func twoKeysSaid(keys ...string) string {
	slices.Sort(keys)
	return fmt.Sprintf("The user builder has two access keys, which is AWS's limit. %s is Active, and AWS knows of no use of it. "+
		"%s is Active, and AWS knows of no use of it. AWS tells uses hours late. Delete one of them first.", keys[0], keys[1])
}

// logIn asks for a password with an access key, which fails if the key does not
// work.
func (w *world) logIn(k madeKey) error {
	signed := aws.NewConfig().WithCredentials(credentials.NewStaticCredentials(k.AccessKeyID, k.SecretAccessKey, ""))
	_, err := awsecr.New(w.direct().session, signed).GetAuthorizationToken(nil)
	return err
}

// keyIDs returns the ids of the keys of the user builder in AWS, sorted.
func (w *world) keyIDs() (ids []string) {
	w.t.Helper()
	list, err := awsiam.New(w.direct().session).ListAccessKeys(&awsiam.ListAccessKeysInput{UserName: aws.String("g-a-builder")})
	w.must(nil, err)
	for _, k := range list.AccessKeyMetadata {
		ids = append(ids, *k.AccessKeyId)
	}
	slices.Sort(ids)
	return ids
}

// wantKeys compares the ids of the keys in AWS.
func (w *world) wantKeys(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.keyIDs(); !slices.Equal(got, want) {
		w.t.Errorf("the user has the keys %s, want %s", got, want)
	}
}

// A key is replaced without an outage.
func TestRotationOfAccessKeys(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	first := w.makeKey()
	w.run(exchange{method: "GET", path: builderPath, status: 200, want: shownBuilder("pull", shownKey(first.AccessKeyID))})
	w.later.Add(1)
	second := madeKey{}
	_, _, body := w.do(exchange{method: "POST", path: builderKeys})
	w.must(nil, json.Unmarshal([]byte(body), &second))
	later := strings.Replace(shownKey(second.AccessKeyID), ":18Z", ":19Z", 1)
	w.run(
		exchange{name: "both", method: "GET", path: builderPath, status: 200, want: shownBuilder("pull", shownKey(first.AccessKeyID), later)},
		exchange{name: "off", method: "PUT", path: builderKeys + "/" + first.AccessKeyID, body: `{"Status": "Inactive"}`, status: 200, want: shownOff(first.AccessKeyID)},
		exchange{name: "shown off", method: "GET", path: builderPath, status: 200, want: shownBuilder("pull", shownOff(first.AccessKeyID), later)},
	)
	if w.logIn(first) == nil || w.logIn(second) != nil {
		t.Error("the key that is switched off works, or the other one does not")
	}
	used := strings.Replace(later, "null", `"2040-12-14T15:34:19Z"`, 1)
	w.run(
		exchange{name: "on", method: "PUT", path: builderKeys + "/" + first.AccessKeyID, body: `{"status": "Active"}`, status: 200, want: shownKey(first.AccessKeyID)},
		exchange{name: "a third", method: "POST", path: builderKeys, status: 409, want: problemByAWS("two-access-keys", fmt.Sprintf(
			"The user builder has two access keys, which is AWS's limit. %s is Active, and AWS knows of no use of it. %s is Active, and it was last used at 2040-12-14T15:34:19Z. AWS tells uses hours late. "+
				"Delete one of them first.", first.AccessKeyID, second.AccessKeyID), "LimitExceeded")},
		exchange{name: "deleted", method: "DELETE", path: builderKeys + "/" + first.AccessKeyID, status: 200, want: shownKey(first.AccessKeyID)},
		exchange{name: "one left", method: "GET", path: builderPath, status: 200, want: shownBuilder("pull", used)},
		exchange{name: "deleted again", method: "DELETE", path: builderKeys + "/" + first.AccessKeyID, status: 404,
			want: problemOf("access-key-not-found", "The user builder has no access key "+first.AccessKeyID+".")},
	)
	if w.logIn(first) == nil || w.logIn(second) != nil {
		t.Error("the deleted key works, or the other one does not")
	}
}

func TestAccessKeyRefusals(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.addUser(account, ourUser(account, "g/a", org, "other", "pull"))
	k := w.makeKey().AccessKeyID
	notHis := problemOf("access-key-not-found", "The user other has no access key "+k+".")
	others := base + "/g/a/users/other/keys/" + k
	status := func(body, detail string) exchange {
		return exchange{name: body, method: "PUT", path: builderKeys + "/" + k, body: body, status: 400, want: problemOf("bad-request", detail)}
	}
	nobody := base + "/g/a/users/nobody"
	noUser := problemOf("user-not-found", "The repository has no user nobody.")
	w.run(
		status(`{}`, "Status is needed: Active or Inactive."),
		status(`{"Status": "Expired"}`, "Status must be Active or Inactive."),
		exchange{name: "another's, off", method: "PUT", path: others, body: `{"Status": "Inactive"}`, status: 404, want: notHis},
		exchange{name: "another's, deleted", method: "DELETE", path: others, status: 404, want: notHis},
		exchange{method: "POST", path: nobody + "/keys", status: 404, want: noUser},
		exchange{method: "PUT", path: nobody, body: `{"Access": "push"}`, status: 404, want: noUser},
		exchange{method: "PUT", path: nobody + "/keys/" + k, body: `{"Status": "Inactive"}`, status: 404, want: noUser},
		exchange{method: "DELETE", path: nobody + "/keys/" + k, status: 404, want: noUser},
	)
	w.wantKeys(k)
	for _, operation := range w.called() {
		if strings.HasPrefix(operation, "iam:Put") || operation == "iam:UpdateAccessKey" || operation == "iam:DeleteAccessKey" {
			t.Errorf("AWS was called: %s", operation)
		}
	}
}

// Many callers ask for a key at the same time, and some of AWS's answers are lost.
// The user has two keys at most, and each caller who has got one has another, which
// works.
func TestManyAccessKeysAtOnce(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	var calls atomic.Int64
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Drop: true, AfterWork: true, When: func(localaws.Call) bool {
		n := calls.Add(1)
		return n == 1 || n == 3
	}})
	var mu sync.Mutex
	var made []madeKey
	refused := 0
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			status, _, body := w.do(exchange{method: "POST", path: builderKeys})
			mu.Lock()
			defer mu.Unlock()
			var k madeKey
			switch err := json.Unmarshal([]byte(body), &k); {
			case status == 200 && err == nil:
				made = append(made, k)
			case status == http.StatusConflict && strings.Contains(body, "two-access-keys"):
				refused++
			default:
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
	all.Wait()
	if len(made) != 2 || refused != 4 {
		t.Fatalf("%d keys, and %d refusals", len(made), refused)
	}
	for _, k := range made {
		w.must(nil, w.logIn(k))
	}
	w.wantKeys(made[0].AccessKeyID, made[1].AccessKeyID)
}

// IAM shows what was done only after some seconds. Each call takes one.
func TestAccessKeysWhileIAMIsLate(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	w.after = func(localaws.Call) { w.later.Add(1) }
	w.aws.SetIAMDelay(12 * time.Second)
	path := func() string {
		status, _, body := w.do(exchange{method: "POST", path: builderKeys})
		var k madeKey
		if err := json.Unmarshal([]byte(body), &k); err != nil || status != 200 {
			t.Fatalf("status %d: %s", status, body)
		}
		return builderKeys + "/" + k.AccessKeyID
	}
	first := path()
	w.run(
		exchange{name: "off", method: "PUT", path: first, body: `{"Status": "Inactive"}`, status: 200, want: "-"},
		exchange{name: "another", method: "DELETE", path: path(), status: 200, want: "-"},
	)
	w.after = nil // time stands still from here, so AWS keeps showing the key
	w.run(
		exchange{name: "deleted", method: "DELETE", path: first, status: 200, want: "-"},
		exchange{name: "shown", method: "GET", path: builderPath, status: 200, want: shownBuilder("push")},
		exchange{name: "deleted again", method: "DELETE", path: first, status: 404, want: "-"},
	)
}

// This test does not run in parallel with others, for the reason of
// TestRoundTrips.
func TestRoundTripsOfAccessKeys(t *testing.T) {
	for name, test := range map[string]struct {
		user    localaws.User
		request func(key string) exchange
		most    int // if the sessions are kept
		more    int // for the sessions
	}{
		"make": {builder("pull"), func(string) exchange { return exchange{method: "POST", path: builderKeys} }, 3, 1}, // the keys, when they were last used, and the new one
		"make for a user of the earlier service": {earlierUser("g/a", org, "builder"), func(string) exchange { return exchange{method: "POST", path: builderKeys} },
			3, 5}, // it is ours the second time; the first time there are two sessions and three steps more
		"switch": {builder("pull"), func(key string) exchange {
			return exchange{method: "PUT", path: builderKeys + "/" + key, body: `{"Status": "Inactive"}`}
		}, 3, 1},
		"delete":  {builder("pull"), func(key string) exchange { return exchange{method: "DELETE", path: builderKeys + "/" + key} }, 3, 1},
		"nothing": {builder("pull"), func(string) exchange { return updateOf(`{}`, 0, "") }, 2, 1},
		"tags": {builder("pull"), func(string) exchange {
			return updateOf(fmt.Sprintf(`{"Tags": [{"Key": "k", "Value": "%d"}]}`, time.Now().UnixNano()), 0, "")
		}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, test.user)
			keys := []string{w.addKey(account, "g-a-builder"), w.addKey(account, "g-a-builder")}
			w.aws.Inject(localaws.Fault{Operation: "*", Delay: 400 * time.Millisecond})
			for i, more := range []int{test.more, 0} {
				if strings.HasPrefix(name, "make") {
					w.run(exchange{method: "GET", path: builderPath, status: 200, want: "-"}) // the service sees the key that it made
					w.must(awsiam.New(w.direct().session).DeleteAccessKey(&awsiam.DeleteAccessKeyInput{UserName: aws.String("g-a-builder"), AccessKeyId: aws.String(w.keyIDs()[0])}))
				}
				w.forget()
				e := test.request(keys[i])
				e.status, e.want = 200, "-"
				w.run(e)
				if got := roundTrips(w.calls); got != test.most+more {
					t.Errorf("%d round trips, want %d: %v", got, test.most+more, w.called())
				}
			}
		})
	}
}
