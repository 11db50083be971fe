package api

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

const changedMeanwhile = "Somebody changed the policy of the repository g/a at the same time."

var (
	changedUnknown = failedChange("sharing-changed", changedMeanwhile, nil, []string{"Sharing"})
	changedBefore  = problemOf("sharing-changed", changedMeanwhile)
)

// afterSet does something once, when AWS has written the policy and before it
// answers.
func (w *world) afterSet(do func()) {
	var done atomic.Bool
	w.after = func(c localaws.Call) {
		if c.Operation == "SetRepositoryPolicy" && done.CompareAndSwap(false, true) {
			do()
		}
	}
}

// beforeSet does something once, when the service has read the policy and before
// AWS writes it. The fault hits that write.
func (w *world) beforeSet(do func(), fault localaws.Fault) {
	w.beforeCall("ecr:SetRepositoryPolicy", do, fault)
}

func (w *world) beforeCall(operation string, do func(), fault localaws.Fault) {
	var done atomic.Bool
	fault.Operation, fault.Times = operation, 1
	fault.When = func(localaws.Call) bool {
		first := done.CompareAndSwap(false, true)
		if first {
			do() // which may make such a call too
		}
		return first
	}
	w.aws.Inject(fault)
}

// newNeighbour returns a second service with the AWS of the first. It shares
// nothing else with it.
func (w *world) newNeighbour(t *testing.T) *world {
	return newWorld(t, func(c *common.Config, _ *[]route) {
		c.Account.Endpoint = w.service.settings.Load().config.Account.Endpoint
	})
}

// Many share at the same time, and others set the groups alone. No statement of
// somebody else is lost, and no account.
func TestManyShareAtOnce(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, policyOf(ofLambda, ofAccounts))
	var all errgroup.Group
	all.SetLimit(8)
	wanted := make(chan string, 24)
	for i := range 24 {
		all.Go(func() error {
			groups := fmt.Sprintf(`["g%d"]`, i)
			e := sharingOf("PUT", `{"Groups": `+groups+`, "Accounts": ["210987654321"]}`, 200, `{"Groups": `+groups+`, "Accounts": ["210987654321"], "Other": 1}`)
			if i%2 > 0 {
				e = exchange{name: "update", method: "PUT", path: base + "/g/a", body: `{"Groups": ` + groups + `}`, status: 200, want: with(shown("g/a"), `"Groups": `+groups)}
			}
			w.run(e)
			wanted <- `{"Groups":` + groups + `,"Accounts":["210987654321"],"Other":1}`
			return nil
		})
	}
	_ = all.Wait()
	close(wanted)
	_, _, now := w.do(sharingOf("GET", "", 200, ""))
	found := false
	for one := range wanted {
		found = found || one == strings.TrimSpace(now)
	}
	if !found {
		t.Errorf("nobody has set %s", now)
	}
	if !strings.Contains(w.policyNow(), "LambdaECRImageRetrievalPolicy") {
		t.Errorf("Lambda's statement is lost: %s", w.policyNow())
	}
}

// The groups are set by many, and the accounts by one. Whichever comes first, the
// accounts stay.
func TestGroupsAloneLoseNoAccounts(t *testing.T) {
	t.Parallel()
	for range 2 {
		w := newSharingWorld(t, "")
		var all errgroup.Group
		for i := range 6 {
			e := exchange{name: "update", method: "PUT", path: base + "/g/a", body: fmt.Sprintf(`{"Groups": ["g%d"]}`, i), status: 200, want: "-"}
			if i == 3 {
				e = sharingOf("PUT", shareToAll, 200, sharedToAll)
			}
			all.Go(func() error { w.run(e); return nil })
		}
		_ = all.Wait()
		if _, _, now := w.do(sharingOf("GET", "", 200, "")); !strings.Contains(now, `"Accounts":["210987654321"]`) {
			t.Fatalf("the accounts are lost: %s", now)
		}
	}
}

// Another service, or somebody else, changes the policy between the steps of a
// change.
func TestSharingIsChangedMeanwhile(t *testing.T) {
	t.Parallel()
	const theirs = `{"Groups": ["theirs"], "Accounts": []}`
	putTheirs := func(neighbour *world) func() {
		return func() { neighbour.run(sharingOf("PUT", theirs, 200, "-")) }
	}
	for name, test := range map[string]struct {
		set  func(w, neighbour *world)
		want exchange
		then string // the sharing
	}{
		"by another service after the write": {func(w, n *world) { w.afterSet(putTheirs(n)) },
			sharingOf("PUT", shareToAll, 409, changedUnknown), `{"Groups": ["theirs"], "Accounts": [], "Other": 1}`},
		"by another service, and the write is throttled": {func(w, n *world) { w.beforeSet(putTheirs(n), localaws.Fault{Code: "ThrottlingException"}) },
			sharingOf("PUT", shareToAll, 409, changedBefore), `{"Groups": ["theirs"], "Accounts": [], "Other": 1}`},
		"by another service, and the write is denied": {func(w, n *world) { w.beforeSet(putTheirs(n), localaws.Fault{Code: "AccessDeniedException"}) },
			sharingOf("PUT", shareToAll, 409, changedBefore), `{"Groups": ["theirs"], "Accounts": [], "Other": 1}`},
		"by another service, and the write is lost": {func(w, n *world) { w.beforeSet(putTheirs(n), localaws.Fault{Drop: true}) },
			sharingOf("PUT", shareToAll, 409, changedUnknown), `{"Groups": ["theirs"], "Accounts": [], "Other": 1}`},
		"to the same, and the write is throttled": {func(w, n *world) {
			w.beforeSet(func() { n.run(sharingOf("PUT", shareToAll, 200, "-")) }, localaws.Fault{Code: "ThrottlingException"})
		}, sharingOf("PUT", shareToAll, 200, `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 1}`),
			`{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 1}`},
		"by Lambda after the write": {func(w, _ *world) {
			w.afterSet(func() { w.setPolicy(account, "g/a", policyOf(ofAuditor, ofGroups, ofAccounts, ofLambda)) })
		}, sharingOf("PUT", shareToAll, 200, `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 2}`),
			`{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 2}`},
		"by Lambda, and the write is throttled": {func(w, _ *world) {
			w.beforeSet(func() { w.setPolicy(account, "g/a", policyOf(ofAuditor, ofLambda)) }, localaws.Fault{Code: "ThrottlingException"})
		}, sharingOf("PUT", shareToAll, 409, changedBefore), `{"Groups": [], "Accounts": [], "Other": 2}`},
		"by somebody who removes it after the write": {func(w, _ *world) { w.afterSet(func() { w.setPolicy(account, "g/a", "") }) },
			sharingOf("PUT", shareToAll, 409, changedUnknown), notShared},
		"by an update of another service": {func(w, n *world) {
			w.afterSet(func() {
				n.run(exchange{method: "PUT", path: base + "/g/a", body: `{"Groups": ["theirs"]}`, status: 200, want: "-"})
			})
		}, sharingOf("PUT", shareToAll, 409, changedUnknown), `{"Groups": ["theirs"], "Accounts": ["210987654321"], "Other": 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSharingWorld(t, policyOf(ofAuditor))
			test.set(w, w.newNeighbour(t))
			w.run(test.want, sharingOf("GET", "", 200, test.then), sharingOf("PUT", shareToAll, 200, "-"))
		})
	}
}

// AWS has no versions of policies. What somebody writes between the read and the
// write of a change is lost, and nobody can see it.
func TestKnownGapPolicyWrittenBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, policyOf(ofAuditor))
	w.beforeSet(func() { w.setPolicy(account, "g/a", policyOf(ofAuditor, ofLambda)) }, localaws.Fault{Delay: 1})
	w.run(sharingOf("PUT", shareToAll, 200, `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 1}`))
}

// AWS may show the policy from before for a while.
func TestSharingIsReadLate(t *testing.T) {
	t.Parallel()
	for stale, want := range map[int64]exchange{
		1:   sharingOf("PUT", shareToAll, 200, `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 1}`),
		3:   sharingOf("PUT", shareToAll, 200, `{"Groups": ["space-1", "space-2"], "Accounts": ["210987654321"], "Other": 1}`),
		100: sharingOf("PUT", shareToAll, 409, failedChange("sharing-changed", "AWS does not show the change of the policy of the repository g/a yet.", nil, []string{"Sharing"})),
	} {
		t.Run(fmt.Sprint(stale), func(t *testing.T) {
			t.Parallel()
			var first atomic.Value
			var left atomic.Int64
			left.Store(stale)
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				switch {
				case operation != "GetRepositoryPolicy":
				case first.CompareAndSwap(nil, body):
				case left.Add(-1) >= 0:
					return first.Load().(string)
				}
				return body
			}))
			w.addRepository(account, "g/a", org)
			w.setPolicy(account, "g/a", policyOf(ofLambda))
			w.run(want)
			w.wantPolicy(policyOf(ofLambda, ofGroups, ofAccounts))
		})
	}
}

// The answer to a write gets lost. The service reads the policy before it writes
// again.
func TestLostSharing(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		for _, afterWork := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, done: %v", name, afterWork), func(t *testing.T) {
				t.Parallel()
				w := newSharingWorld(t, "")
				writes := 2
				if afterWork {
					writes = 1
				}
				w.loseAnswer("ecr:SetRepositoryPolicy", fault, afterWork)
				w.run(sharingOf("PUT", shareToAll, 200, sharedToAll))
				if n := count(w.called(), "ecr:SetRepositoryPolicy"); n != writes {
					t.Errorf("%d writes, want %d: %s", n, writes, w.called())
				}
				w.loseAnswer("ecr:DeleteRepositoryPolicy", fault, afterWork)
				w.run(sharingOf("DELETE", "", 200, notShared))
				if n := count(w.called(), "ecr:DeleteRepositoryPolicy"); n != writes {
					t.Errorf("%d deletions, want %d: %s", n, writes, w.called())
				}
				w.wantPolicy("")
			})
		}
	}
}

// A policy that somebody has put meanwhile is not deleted.
func TestDeletionOfSharingThatIsChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		put   string
		want  exchange
		then  string
	}{
		"throttled":                {localaws.Fault{Code: "ThrottlingException"}, policyOf(ofGroups, ofAccounts, ofLambda), sharingOf("DELETE", "", 409, changedBefore), policyOf(ofGroups, ofAccounts, ofLambda)},
		"lost":                     {localaws.Fault{Drop: true}, policyOf(ofGroups, ofAccounts, ofLambda), sharingOf("DELETE", "", 409, changedUnknown), policyOf(ofGroups, ofAccounts, ofLambda)},
		"written in between":       {localaws.Fault{Delay: 1}, policyOf(ofGroups, ofAccounts, ofLambda), sharingOf("DELETE", "", 409, changedBefore), policyOf(ofGroups, ofAccounts, ofLambda)},
		"without sharing":          {localaws.Fault{Drop: true}, policyOf(ofLambda), sharingOf("DELETE", "", 200, `{"Groups": [], "Accounts": [], "Other": 1}`), policyOf(ofLambda)},
		"deleted by somebody else": {localaws.Fault{Delay: 1}, "", sharingOf("DELETE", "", 200, notShared), ""},
		"deleted, and throttled":   {localaws.Fault{Code: "ThrottlingException"}, "", sharingOf("DELETE", "", 200, notShared), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSharingWorld(t, policyOf(ofGroups, ofAccounts))
			w.beforeCall("ecr:DeleteRepositoryPolicy", func() { w.setPolicy(account, "g/a", test.put) }, test.fault)
			w.run(test.want)
			w.wantPolicy(test.then)
			if n := count(w.called(), "ecr:DeleteRepositoryPolicy"); n != 1 {
				t.Errorf("%d deletions: %s", n, w.called())
			}
		})
	}
}

// losePolicy shares g/a. When the service ends that, somebody puts the policy in
// right before, and the service cannot write it back.
func (w *world) losePolicy(theirs string) {
	w.t.Helper()
	w.setPolicy(account, "g/a", policyOf(ofGroups, ofAccounts))
	w.beforeCall("ecr:DeleteRepositoryPolicy", func() { w.setPolicy(account, "g/a", theirs) }, localaws.Fault{Delay: 1})
	w.aws.Inject(localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Code: "ThrottlingException"})
}

// Somebody has changed the policy right before the service deletes it, and the
// service cannot write it back. Then the log has it.
func TestDeletedPolicyThatCannotBeWrittenBack(t *testing.T) {
	t.Parallel()
	theirs := policyOf(strings.Replace(ofLambda, "function:*", "function:"+strings.Repeat("a", 9_000), 1), ofAuditor)
	w := newSharingWorld(t, "")
	w.losePolicy(theirs)
	w.run(sharingOf("DELETE", "", 409, failedChange("sharing-changed", changedMeanwhile+" This request has deleted that policy, and could not write it back.", nil, []string{"Sharing"})))
	lines := w.logged(t)
	if diff := cmp.Diff(parse(t, theirs), parse(t, fmt.Sprint(lines[len(lines)-1]["lostPolicy"]))); diff != "" {
		t.Errorf("the policy in the log (-want +got):\n%s", diff)
	}
}

// No call comes between the read of a policy and its write, so that the time in
// between is short.
func TestSharingIsReadRightBeforeTheWrite(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, policyOf(ofLambda))
	w.run(sharingOf("PUT", shareToAll, 200, "-"))
	calls := w.called()
	read, write := slices.Index(calls, "ecr:GetRepositoryPolicy"), slices.Index(calls, "ecr:SetRepositoryPolicy")
	if last := slices.Index(calls, "ecr:ListTagsForResource"); write != max(read, last)+1 {
		t.Errorf("calls: %s", calls)
	}
}

// The repository is deleted while the service waits to write its policy again.
func TestSharingOfARepositoryThatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	const gone = "The repository with name 'g/a' does not exist in the registry with id '012345678901'"
	for _, operation := range []string{"ecr:SetRepositoryPolicy", "ecr:DeleteRepositoryPolicy"} {
		for name, fault := range map[string]localaws.Fault{
			"throttled": {Code: "ThrottlingException"},
			"denied":    {Code: "AccessDeniedException"},
			"lost":      {Drop: true},
		} {
			t.Run(operation+", "+name, func(t *testing.T) {
				t.Parallel()
				before, e := policyOf(ofLambda), sharingOf("PUT", shareToAll, 404, "")
				if operation == "ecr:DeleteRepositoryPolicy" {
					before, e = policyOf(ofGroups), sharingOf("DELETE", "", 404, "")
				}
				w := newSharingWorld(t, before)
				w.beforeCall(operation, func() {
					w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a")}))
				}, fault)
				e.want = problemByAWS("repository-not-found", gone, "RepositoryNotFoundException")
				w.run(e)
				if writes, reads := count(w.called(), operation), count(w.called(), "ecr:GetRepositoryPolicy"); writes != 1 || reads != 2 {
					t.Errorf("%d writes and %d reads: %s", writes, reads, w.called())
				}
			})
		}
	}
}

// Two attempts stall, and the third does the work and stalls too. There is time
// left to look.
func TestSharingThatAWSDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 15 * time.Second })
	w.addRepository(account, "g/a", org)
	w.aws.Inject(localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Times: 2, Delay: time.Hour})
	w.aws.Inject(localaws.Fault{Operation: "ecr:SetRepositoryPolicy", AfterWork: true, Delay: time.Hour})
	w.run(sharingOf("PUT", shareToAll, 200, sharedToAll))
}

// The read after the write fails. Then nobody knows whether the policy is still
// as it was written.
func TestSharingWhenReadingFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		want  exchange
	}{
		"throttled": {localaws.Fault{Code: "ThrottlingException"}, sharingOf("PUT", shareToAll, 429,
			failedChangeByAWS("throttled", throttledDetail, nil, []string{"Sharing"}, "ThrottlingException"))},
		"failing": {localaws.Fault{Code: "ServerException", Status: 500}, sharingOf("PUT", shareToAll, 500,
			failedChangeByAWS("internal", internalError, nil, []string{"Sharing"}, "ServerException"))},
		"deleted": {localaws.Fault{Code: "RepositoryNotFoundException", Message: "gone"}, sharingOf("PUT", shareToAll, 404,
			problemByAWS("repository-not-found", "gone", "RepositoryNotFoundException"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSharingWorld(t, "")
			w.afterSet(func() {
				test.fault.Operation = "ecr:GetRepositoryPolicy"
				w.aws.Inject(test.fault)
			})
			w.run(test.want)
		})
	}
}

// AWS denies the write although the tags allow it. It is tried once more.
func TestDeniedSharing(t *testing.T) {
	t.Parallel()
	w := newSharingWorld(t, "")
	w.aws.Inject(localaws.Fault{Operation: "ecr:SetRepositoryPolicy", Code: "AccessDeniedException", Message: "no"})
	w.run(sharingOf("PUT", shareToAll, 403, problemByAWS("denied-by-aws",
		"AWS denied ecr:SetRepositoryPolicy to the role of that account. Look at the permissions of the role, at the repository's own policy, and at its tags: "+
			"a second one whose key IAM may take for spinup:org, such as Spinup:Org, must be removed in AWS.", "AccessDeniedException")))
	if n := count(w.called(), "ecr:SetRepositoryPolicy"); n != 2 {
		t.Errorf("%d writes: %s", n, w.called())
	}
	w.wantPolicy("")
}
