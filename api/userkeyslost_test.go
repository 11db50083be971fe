package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
	"github.com/google/go-cmp/cmp"
)

// letTimePass makes AWS's clock go, second by second.
func (w *world) letTimePass() {
	ticks, end := time.NewTicker(time.Second), make(chan struct{})
	w.t.Cleanup(func() { ticks.Stop(); close(end) })
	go func() {
		for {
			select {
			case <-ticks.C:
				w.later.Add(1)
			case <-end:
				return
			}
		}
	}()
}

// madeOf returns the key in an answer, which must be a success.
func (w *world) madeOf(status int, body string) (k madeKey) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(body), &k); err != nil || status != 200 || k.SecretAccessKey == "" {
		w.t.Fatalf("status %d: %s", status, body)
	}
	return k
}

// failedOfUser is failedChange for a change of a user, with that advice.
func failedOfUser(code, said string, applied, unknown []string, advice string) string {
	return advised(failedChange(code, said, applied, unknown), advice)
}

const (
	lookAtUser = "Look at the user, or send the same request again."
	lookForKey = "AWS may have made a key. Show the user in a minute: if it has a key that nobody knows, delete that. Then send the same request again."
)

// The answer with the secret is lost. The key that nobody knows is deleted, and
// the caller gets another one.
func TestLostAccessKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	fault := localaws.Fault{Drop: true}
	w.loseAnswer("iam:CreateAccessKey", fault, true)
	status, _, body := w.do(exchange{method: "POST", path: builderKeys})
	first := w.madeOf(status, body)
	w.wantKeys(first.AccessKeyID)
	w.must(nil, w.logIn(first))

	w.loseAnswer("iam:CreateAccessKey", fault, true)
	status, _, body = w.do(exchange{method: "POST", path: builderKeys})
	second := w.madeOf(status, body)
	w.wantKeys(first.AccessKeyID, second.AccessKeyID)
}

// doubtfulKey is what the answer says of a key that may be somebody else's.
func doubtfulKey(id string) string {
	return "AWS may have made the key " + id + " for this request, or for somebody else. Delete it if nobody knows it. Then send the same request again."
}

// AWS says that it has failed. A key that is there all the same may be another's.
func TestAccessKeyOfAFailure(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	w.loseAnswer("iam:CreateAccessKey", localaws.Fault{Code: "ServiceFailure", Status: 500}, true)
	status, _, body := w.do(exchange{method: "POST", path: builderKeys})
	ids := w.keyIDs()
	if status != 500 || len(ids) != 1 || !strings.Contains(body, doubtfulKey(ids[0])) || !strings.Contains(body, `"unknown":["AccessKey"]`) {
		t.Errorf("status %d, keys %v: %s", status, ids, body)
	}
}

// Somebody switches off the key that the service is about to delete. So somebody
// knows it.
func TestLostAccessKeyThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	w.loseAnswer("iam:CreateAccessKey", localaws.Fault{Drop: true}, true)
	var once sync.Once
	w.after = func(c localaws.Call) {
		if c.Operation == "GetAccessKeyLastUsed" {
			once.Do(func() {
				w.must(w.iam().UpdateAccessKey(&awsiam.UpdateAccessKeyInput{
					UserName: aws.String("g-a-builder"), AccessKeyId: aws.String(w.keyIDs()[0]), Status: aws.String("Inactive"),
				}))
			})
		}
	}
	_, _, body := w.do(exchange{method: "POST", path: builderKeys})
	id := strings.Join(w.keyIDs(), " ")
	w.wantSame("the answer", body, failedOfUser("internal", internalError, nil, []string{"AccessKey"}, doubtfulKey(id)))
}

// Another copy of the service makes a key of the user in the same second, and the
// answer to this one is lost before AWS has done anything. Nothing in AWS tells
// whose that key is, so it is taken for the lost one.
func TestKnownGapAccessKeyOfAnotherCopy(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Drop: true, Times: 1, When: func(localaws.Call) bool {
		w.addKey(account, "g-a-builder")
		return true
	}})
	status, _, body := w.do(exchange{method: "POST", path: builderKeys})
	w.wantKeys(w.madeOf(status, body).AccessKeyID) // and not the other's
}

// An answer that cannot be read is lost too. Nothing of it is told to anybody.
func TestBrokenAnswerWithAnAccessKey(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(body string) string{
		"cut off":            func(body string) string { cut, _, _ := strings.Cut(body, "</SecretAccessKey>"); return cut },
		"broken in its tags": func(body string) string { return strings.Replace(body, "</SecretAccessKey>", "</Secret>", 1) },
		"no XML": func(body string) string {
			return `{"secret": "` + between(body, "<SecretAccessKey>", "</SecretAccessKey>") + `"}`
		},
		"an odd entity":      func(body string) string { return strings.Replace(body, "<SecretAccessKey>", "<SecretAccessKey>&", 1) },
		"without the secret": func(body string) string { return strings.ReplaceAll(body, "SecretAccessKey", "Secret") },
		"empty":              func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var secrets []string
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation != "CreateAccessKey" {
					return body
				}
				secrets = append(secrets, between(body, "<SecretAccessKey>", "</SecretAccessKey>"))
				return broken(body)
			}))
			w.letTimePass()
			w.addRepository(account, "g/a", org)
			w.addUser(account, builder("pull"))
			w.run(exchange{method: "POST", path: builderKeys, status: 500, want: with(problemOf("internal", internalError), `"awsRequestId": "aws"`)})
			w.wantKeys()
			if len(secrets) != 2 { // it was tried twice
				t.Errorf("%d keys were made", len(secrets))
			}
			for _, s := range secrets {
				if strings.Contains(w.log.String(), s[1:]) {
					t.Errorf("the log has %s: %s", s, w.log.String())
				}
			}
		})
	}
}

// between returns the text between two others.
func between(text, start, end string) string {
	_, rest, _ := strings.Cut(text, start)
	between, _, _ := strings.Cut(rest, end)
	return between
}

// The list lacks a key that somebody has the secret of, and shows it again when the
// answer about the next key is lost. It is not the lost one.
func TestLostAccessKeyBesideAKnownOne(t *testing.T) {
	t.Parallel()
	var late atomic.Bool
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "ListAccessKeys" && late.Load() {
			return strings.Replace(body, between(body, "<AccessKeyMetadata>", "</AccessKeyMetadata>"), "", 1)
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.addUser(account, builder("pull"))
	first := w.makeKey()
	w.run(exchange{method: "GET", path: builderPath, status: 200, want: "-"}) // IAM has shown it
	late.Store(true)
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Drop: true, Times: 1, When: func(localaws.Call) bool {
		late.Store(false)
		return true
	}})
	_, _, body := w.do(exchange{method: "POST", path: builderKeys})
	w.wantSame("the answer", body, failedOfUser("internal", internalError, nil, []string{"AccessKey"}, lookForKey))
	w.wantKeys(first.AccessKeyID)
}

// A key that this request may have made is deleted only if that is certain. The
// call does not come to AWS, and makes no key.
func TestUnknownAccessKey(t *testing.T) {
	t.Parallel()
	add := func(w *world) string {
		id, _, err := w.aws.AddUserKey(account, "g-a-builder")
		w.must(nil, err)
		return id
	}
	for name, test := range map[string]struct {
		meanwhile func(*world) string // returns the key that somebody else makes
		advice    func(id string) string
	}{
		"no key": {func(*world) string { return "" }, func(string) string { return lookForKey }},
		"another's, which was switched off": {func(w *world) string {
			id := add(w)
			_, err := awsiam.New(w.direct().session).UpdateAccessKey(&awsiam.UpdateAccessKeyInput{
				UserName: aws.String("g-a-builder"), AccessKeyId: aws.String(id), Status: aws.String("Inactive"),
			})
			w.must(nil, err)
			return id
		}, doubtfulKey},
		"another's, of a later time": {func(w *world) string {
			w.later.Add(60)
			return add(w)
		}, doubtfulKey},
		"an older one, which the first list did not have": {func(w *world) string {
			w.later.Add(-60)
			defer w.later.Add(60)
			return add(w)
		}, func(string) string { return lookForKey }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, builder("pull"))
			w.letTimePass()
			var others string
			w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Drop: true, Times: 1, When: func(localaws.Call) bool {
				others = test.meanwhile(w)
				return true
			}})
			_, _, body := w.do(exchange{method: "POST", path: builderKeys})
			w.wantSame("the answer", body, failedOfUser("internal", internalError, nil, []string{"AccessKey"}, test.advice(others)))
			if others != "" {
				w.wantKeys(others)
			}
		})
	}
}

// The lost call has made a key, and somebody else makes one at the same moment.
// Nobody can tell which is which, so both stay.
func TestLostAccessKeyBesideAnother(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Drop: true, AfterWork: true, When: func(localaws.Call) bool {
		_, _, err := w.aws.AddUserKey(account, "g-a-builder")
		return err == nil
	}})
	_, _, body := w.do(exchange{method: "POST", path: builderKeys})
	ids := w.keyIDs()
	named := strings.Contains(body, strings.Join(ids, " or "))
	if named = named || len(ids) == 2 && strings.Contains(body, ids[1]+" or "+ids[0]); len(ids) != 2 || !named {
		t.Errorf("keys %s: %s", ids, body)
	}
}

// The key whose secret was lost cannot be deleted.
func TestLostAccessKeyThatStays(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	w.loseAnswer("iam:CreateAccessKey", localaws.Fault{Drop: true}, true)
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "AccessDenied", Status: 403})
	status, _, body := w.do(exchange{method: "POST", path: builderKeys})
	id := strings.Join(w.keyIDs(), " ")
	w.wantSame("the answer", body, failedOfUser("internal", internalError, nil, []string{"AccessKey"},
		"AWS has made the key "+id+", and did not delete it. Delete it, since nobody knows it. Then send the same request again."))
	if status != 500 || len(w.keyIDs()) != 1 {
		t.Errorf("status %d, keys %s", status, id)
	}
}

// A refusal makes no key, so the call is repeated where that may help.
func TestAccessKeyIsMadeAfterARefusal(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	for _, f := range []localaws.Fault{{Code: "Throttling"}, {Code: "ExpiredToken", Status: 403}, {Code: "AccessDenied", Status: 403}} {
		f.Operation, f.Times = "iam:CreateAccessKey", 1
		w.aws.Inject(f)
	}
	w.wantKeys(w.makeKey().AccessKeyID)
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Code: "AccessDenied", Status: 403})
	w.run(exchange{method: "POST", path: builderKeys, status: 403, want: problemByAWS("denied-by-aws",
		"AWS denied iam:CreateAccessKey to the role of that account. Give the role the permissions for users "+
			"(config/aws/users-policy.json), and look for a policy that denies them.", "AccessDenied")})
}

// withoutKeys changes answers so that IAM lists no access keys.
func withoutKeys(operation, body string) string {
	before, rest, found := strings.Cut(body, "<AccessKeyMetadata>")
	if _, after, ended := strings.Cut(rest, "</AccessKeyMetadata>"); found && ended && operation == "ListAccessKeys" {
		return before + "<AccessKeyMetadata></AccessKeyMetadata>" + after
	}
	return body
}

// A caller hangs up, and the answer to the deletion of the new key is lost. IAM has
// never shown that key, so nobody knows whether it is gone, and it is not shown.
func TestLostDeletionOfAnUnseenKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"), changeAnswers(t, withoutKeys))
	w.run(exchange{method: "GET", path: builderPath, status: 200, want: "-"})
	asked := make(chan struct{})
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Delay: time.Second, When: func(localaws.Call) bool {
		close(asked)
		return true
	}})
	w.loseAnswer("iam:DeleteAccessKey", localaws.Fault{Drop: true}, true)
	w.hangUpWhen(t, exchange{method: "POST", path: builderKeys}, asked)
	waitFor(t, "the create to be logged", func() bool { return w.lastLine(t)["action"] == "CreateAccessKey" })
	if line := w.lastLine(t); fmt.Sprint(line["unknown"]) != "[AccessKey]" {
		t.Errorf("the line about it: %v", line)
	}
	w.run(usersOf("GET", "builder", "", 200, shownUser("builder", "pull")))
}

// AWS does what is asked of a key, and all answers are lost.
func TestLostAnswersAboutAccessKeys(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, builder("pull"))
			id := w.makeKey().AccessKeyID
			off := exchange{method: "PUT", path: builderKeys + "/" + id, body: `{"Status": "Inactive"}`, status: 200, want: shownOff(id)}
			gone := exchange{method: "DELETE", path: builderKeys + "/" + id, status: 200, want: shownOff(id)}
			for _, operation := range []string{"iam:UpdateAccessKey", "iam:DeleteAccessKey"} {
				fault.Operation, fault.AfterWork = operation, false
				mend := w.aws.Inject(fault)
				failed := off
				if operation == "iam:DeleteAccessKey" {
					failed = gone
				}
				failed.name, failed.status = "not done", 500
				failed.want = failedOfUser("internal", internalError, nil, []string{"AccessKey"}, lookAtUser)
				if fault.Code != "" {
					failed.want = with(failed.want, `"awsCode": "ServerException", "awsRequestId": "aws"`)
				}
				w.run(failed)
				mend()
				fault.AfterWork = true
				w.aws.Inject(fault)
				done := off
				if operation == "iam:DeleteAccessKey" {
					done = gone
				}
				w.run(done)
			}
			w.wantKeys()
		})
	}
}

// The caller hangs up before he has the secret. Nobody knows the key then, so it
// is deleted, and a key that it was to replace stays.
func TestHangUpBeforeTheSecret(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	old := w.makeKey().AccessKeyID
	for _, e := range []exchange{
		{name: "CreateAccessKey", method: "POST", path: builderKeys},
		{name: "CreateAccessKey", method: "POST", path: builderKeys, body: `{}`},
		{name: "UpdateUser", method: "PUT", path: builderPath, body: `{"resetkey": true}`},
	} {
		asked := make(chan struct{})
		var once atomic.Bool
		remove := w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Delay: time.Second, When: func(localaws.Call) bool {
			if !once.Swap(true) {
				close(asked)
			}
			return true
		}})
		w.hangUpWhen(t, e, asked)
		waitFor(t, e.name+" to be logged", func() bool {
			line := w.lastLine(t)
			return line["action"] == e.name && line["status"] == 499.0
		})
		remove()
		if got := w.lastLine(t)["error"]; got != "The caller hung up, so the new access key was deleted." {
			t.Errorf("the error is %q", got)
		}
		w.wantKeys(old)
	}
}

// The new key cannot be deleted. AWS does not show it yet, and that says nothing.
func TestHangUpBeforeTheSecretWhileIAMIsLate(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.run(exchange{method: "GET", path: builderPath, status: 200, want: "-"})
	w.aws.SetIAMDelay(2 * time.Second)
	asked := make(chan struct{})
	w.aws.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Delay: time.Second, When: func(localaws.Call) bool {
		close(asked)
		return true
	}})
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "ServiceFailure", Status: 500})
	w.hangUpWhen(t, exchange{method: "POST", path: builderKeys}, asked)
	waitFor(t, "the create to be logged", func() bool { return w.lastLine(t)["action"] == "CreateAccessKey" })
	if line := w.lastLine(t); fmt.Sprint(line["unknown"]) != "[AccessKey]" || len(w.aws.UsersNow(account, "/")["g-a-builder"].Keys) != 1 {
		t.Errorf("the line about it: %v", line)
	}
}

// The caller hangs up while the old key is deleted, and nobody knows whether it is.
// The new key goes, and the log says that the old one may be gone too.
func TestHangUpWhileTheOldKeyMayBeDeleted(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.makeKey()
	asked := make(chan struct{})
	var begun, looked atomic.Bool
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "ServiceFailure", Status: 500, AfterWork: true, Times: 1, Delay: time.Second, When: func(localaws.Call) bool {
		begun.Store(true)
		close(asked)
		return true
	}})
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: "ServiceFailure", Status: 500, When: func(localaws.Call) bool { return !looked.Load() }})
	w.aws.Inject(localaws.Fault{Operation: "iam:ListAccessKeys", Code: "InvalidInput", Message: "no", When: func(localaws.Call) bool {
		return begun.Load() && !looked.Swap(true)
	}})
	w.hangUpWhen(t, updateOf(`{"resetkey": true}`, 0, ""), asked)
	waitFor(t, "the update to be logged", func() bool { return w.lastLine(t)["action"] == "UpdateUser" })
	want := map[string]any{"status": 499.0, "outcome": "unknown", "error": "The caller hung up, so the new access key was deleted.", "unknown": []any{"AccessKey"}}
	if diff := cmp.Diff(want, some(w.lastLine(t), "status", "outcome", "error", "unknown", "applied")); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	w.wantKeys()
}

// The caller hangs up while the old key is deleted. If that fails, the new key
// goes. Otherwise it stays, and the log says that nobody knows it.
func TestHangUpWhileTheOldKeyIsDeleted(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"it stays": "InvalidInput", "it goes": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t, builder("pull"))
			old := w.makeKey().AccessKeyID
			asked := make(chan struct{})
			w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Code: code, Times: 1, Delay: time.Second, When: func(localaws.Call) bool {
				close(asked)
				return true
			}})
			w.hangUpWhen(t, updateOf(`{"resetkey": true}`, 0, ""), asked)
			waitFor(t, "the update to be logged", func() bool { return w.lastLine(t)["action"] == "UpdateUser" })
			line, keys := w.lastLine(t), w.keyIDs()
			withdrawn := line["deletedAccessKeys"] // nobody is told its id
			want := map[string]any{"status": 499.0, "outcome": "failed", "error": "The caller hung up, so the new access key was deleted.", "deletedAccessKeys": withdrawn}
			left := []string{old}
			if fmt.Sprint(withdrawn) == fmt.Sprint([]any{old}) != (code == "") {
				t.Errorf("the deleted keys are %v", withdrawn)
			}
			if code == "" {
				want = map[string]any{"status": 200.0, "outcome": "dropped", "madeAccessKey": line["madeAccessKey"], "deletedAccessKeys": []any{old}}
				left = []string{fmt.Sprint(line["madeAccessKey"])}
			}
			if diff := cmp.Diff(want, some(line, "status", "outcome", "error", "madeAccessKey", "deletedAccessKeys")); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(left, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}
