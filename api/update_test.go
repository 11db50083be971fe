package api

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// updateAll is the body of an update of g/a with all parts.
const updateAll = `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "k", "Value": "v"}]}`

const (
	scanned   = `"ScanOnPush": "true"`
	immutable = `"ImageTagMutability": "IMMUTABLE"`
	tagged    = `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`
)

// updated returns the repository g/a after an update of these parts.
func updated(parts ...string) string {
	var replace []string
	for _, part := range parts {
		switch part {
		case scanned:
			replace = append(replace, `"ScanOnPush": "false"`, part)
		case immutable:
			replace = append(replace, `"ImageTagMutability": "MUTABLE"`, part)
		case tagged:
			replace = append(replace, `{"Key": "spinup:org"`, part)
		}
	}
	return shown("g/a", replace...)
}

func updatedAll() string { return updated(scanned, immutable, tagged) }

// A failed update says which parts are done. Its error is that of the first
// failed part. Sent again, the update completes.
func TestUpdateIsRepeatable(t *testing.T) {
	t.Parallel()
	const (
		tags, scan, mutability = "ecr:TagResource", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"
		badTag, throttled      = "InvalidTagParameterException", "ThrottlingException"
	)
	refused := func(operation, code string) localaws.Fault {
		return localaws.Fault{Operation: operation, Code: code, Message: "no"}
	}
	lost := func(operation string, afterWork bool) localaws.Fault {
		return localaws.Fault{Operation: operation, Drop: true, AfterWork: afterWork}
	}
	for name, test := range map[string]struct {
		faults []localaws.Fault
		status int
		want   string
		after  string // the repository after that
	}{
		"tags refused": {[]localaws.Fault{refused(tags, badTag)},
			400, failedChangeByAWS("bad-request", "no", []string{"ScanOnPush", "ImageTagMutability"}, nil, badTag), updated(scanned, immutable)},
		"too many tags": {[]localaws.Fault{refused(tags, "TooManyTagsException")},
			400, failedChangeByAWS("bad-request", "no", []string{"ScanOnPush", "ImageTagMutability"}, nil, "TooManyTagsException"), updated(scanned, immutable)},
		"tags throttled": {[]localaws.Fault{refused(tags, throttled)},
			429, failedChangeByAWS("throttled", throttledDetail, []string{"ScanOnPush", "ImageTagMutability"}, nil, throttled), updated(scanned, immutable)},
		"scanning refused": {[]localaws.Fault{refused(scan, "InvalidParameterException")},
			400, failedChangeByAWS("bad-request", "no", []string{"Tags", "ImageTagMutability"}, nil, "InvalidParameterException"), updated(tagged, immutable)},
		"mutability failing": {[]localaws.Fault{{Operation: mutability, Code: "ServerException", Status: 500}},
			500, failedChangeByAWS("internal", internalError, []string{"Tags", "ScanOnPush"}, []string{"ImageTagMutability"}, "ServerException"), updated(tagged, scanned)},
		"tags and mutability refused": {[]localaws.Fault{refused(mutability, throttled), refused(tags, badTag)},
			400, failedChangeByAWS("bad-request", "no", []string{"ScanOnPush"}, nil, badTag), updated(scanned)},
		"scanning and mutability refused": {[]localaws.Fault{refused(mutability, "InvalidParameterException"), refused(scan, throttled)},
			429, failedChangeByAWS("throttled", throttledDetail, []string{"Tags"}, nil, throttled), updated(tagged)},
		"all refused": {[]localaws.Fault{refused(mutability, throttled), refused(scan, "InvalidParameterException"), refused(tags, badTag)},
			400, problemByAWS("bad-request", "no", badTag), updated()},
		"tags refused, scanning lost before the work": {[]localaws.Fault{refused(tags, badTag), lost(scan, false)},
			400, failedChangeByAWS("bad-request", "no", []string{"ImageTagMutability"}, []string{"ScanOnPush"}, badTag), updated(immutable)},
		"tags refused, scanning lost after the work": {[]localaws.Fault{refused(tags, badTag), lost(scan, true)},
			400, failedChangeByAWS("bad-request", "no", []string{"ScanOnPush", "ImageTagMutability"}, nil, badTag), updated(scanned, immutable)},
		"tags lost before the work, scanning refused": {[]localaws.Fault{lost(tags, false), refused(scan, "InvalidParameterException")},
			500, failedChange("internal", internalError, []string{"ImageTagMutability"}, []string{"Tags"}), updated(immutable)},
		"tags lost after the work, scanning refused": {[]localaws.Fault{lost(tags, true), refused(scan, "InvalidParameterException")},
			400, failedChangeByAWS("bad-request", "no", []string{"Tags", "ImageTagMutability"}, nil, "InvalidParameterException"), updated(tagged, immutable)},
		"all lost before the work": {[]localaws.Fault{lost(tags, false), lost(scan, false), lost(mutability, false)},
			500, failedChange("internal", internalError, nil, []string{"Tags", "ScanOnPush", "ImageTagMutability"}), updated()},
		"all lost, only mutability after the work": {[]localaws.Fault{lost(tags, false), lost(scan, false), lost(mutability, true)},
			500, failedChange("internal", internalError, []string{"ImageTagMutability"}, []string{"Tags", "ScanOnPush"}), updated(immutable)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			var mend []func()
			for _, f := range test.faults {
				mend = append(mend, w.aws.Inject(f))
			}
			w.run(
				exchange{name: "with the faults", method: "PUT", path: base + "/g/a", body: updateAll, status: test.status, want: test.want},
				exchange{name: "what is done", method: "GET", path: base + "/g/a", status: 200, want: test.after},
			)
			for _, f := range mend {
				f()
			}
			w.run(exchange{name: "sent again", method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updatedAll()})
		})
	}
}

// All parts are denied once, each at the same time as the others.
func TestAllPartsDeniedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for operation := range rowTests["UpdateRepository"].changes {
		w.aws.Inject(localaws.Fault{Operation: operation, Code: "AccessDeniedException", Message: "not yet", Times: 1})
	}
	w.run(exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updatedAll()})
}

// A 200 needs no second look. Right after the change a look may show old
// values, and it may fail.
func TestUpdateIsShownAsAWSConfirmsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updatedAll()})
	called := w.called()
	slices.Sort(called)
	want := []string{
		"ecr:DescribeRepositories", "ecr:ListTagsForResource",
		"ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource", "sts:AssumeRole",
	}
	if diff := cmp.Diff(want, called); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: updatedAll()})

	other := newWorld(t, changeAnswers(t, func(operation, body string) string {
		switch operation {
		case "PutImageScanningConfiguration":
			return strings.Replace(body, "true", "false", 1)
		case "PutImageTagMutability":
			return strings.Replace(body, "IMMUTABLE", "MUTABLE", 1)
		}
		return body
	}))
	other.addRepository(account, "g/a", org)
	other.run(exchange{name: "AWS confirms other values", method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updated(tagged)})
}

// What somebody else changes during an update is not in the answer, and it is
// not undone.
func TestUpdateBesideAnotherChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.aws.Inject(localaws.Fault{Operation: "ecr:TagResource", Code: "X", Times: 1, When: func(c localaws.Call) bool {
		if c.Policy != "" { // not the administrator's call
			w.must(w.administrator().TagResource(&awsecr.TagResourceInput{
				ResourceArn: aws.String(groupScope.ARN("g/a")), Tags: []*awsecr.Tag{{Key: aws.String("another"), Value: aws.String("x")}},
			}))
		}
		return false
	}})
	w.run(
		exchange{method: "PUT", path: base + "/g/a", body: `{"Tags": [{"Key": "k", "Value": "v"}]}`, status: 200, want: updated(tagged)},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: strings.Replace(updated(tagged), `{"Key": "k"`, `{"Key": "another", "Value": "x"}, {"Key": "k"`, 1)},
	)
}

// An answer that is cut off before its body does not confirm a change.
func TestUpdateWithEmptyAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if strings.HasPrefix(operation, "Put") {
			return ""
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.run(exchange{name: "a read finds out", method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updatedAll()})
	w.forget()
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException", When: func(localaws.Call) bool {
		return slices.Contains(w.called(), "ecr:TagResource")
	}})
	w.after = func(c localaws.Call) {
		if strings.HasPrefix(c.Operation, "Put") { // the tags are set before the read
			waitFor(t, "the tags", func() bool { return slices.Contains(w.called(), "ecr:TagResource") })
		}
	}
	w.run(exchange{name: "the read fails", method: "PUT", path: base + "/g/a", body: updateAll, status: 500,
		want: with(failedChange("internal", internalError, []string{"Tags"}, []string{"ScanOnPush", "ImageTagMutability"}), `"awsRequestId": "aws"`)})
}

// deleteRepository deletes g/a by another way than the service.
func (w *world) deleteRepository() {
	w.t.Helper()
	w.must(w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}))
}

// A repository that is gone is 404, however far the update came.
func TestRepositoryIsDeletedDuringAnUpdate(t *testing.T) {
	t.Parallel()
	t.Run("before all parts", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.addRepository(account, "g/a", org)
		gone, parts := make(chan struct{}), make(chan struct{}, 3)
		for operation := range rowTests["UpdateRepository"].changes {
			w.aws.Inject(localaws.Fault{Operation: operation, Code: "X", When: func(localaws.Call) bool {
				parts <- struct{}{}
				<-gone
				return false
			}})
		}
		go func() {
			for range 3 {
				<-parts
			}
			w.deleteRepository()
			close(gone)
		}()
		w.run(exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 404, want: problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")})
	})
	t.Run("after the tags", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.addRepository(account, "g/a", org)
		w.aws.Inject(localaws.Fault{Operation: "ecr:PutImageScanningConfiguration", Code: "X", Times: 1, When: func(localaws.Call) bool {
			waitFor(t, "the tags", func() bool { return slices.Contains(w.called(), "ecr:TagResource") })
			w.deleteRepository()
			return false
		}})
		w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "Tags": [{"Key": "k", "Value": "v"}]}`, status: 404,
			want: failedChangeByAWS("repository-not-found", noRepository, []string{"Tags"}, nil, "RepositoryNotFoundException")})
	})
	t.Run("after a part whose answer is lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.addRepository(account, "g/a", org)
		w.loseAnswer("ecr:PutImageScanningConfiguration", localaws.Fault{Drop: true}, true)
		remove := sync.OnceFunc(w.deleteRepository)
		w.after = func(c localaws.Call) {
			if c.Operation == "PutImageScanningConfiguration" {
				remove()
			}
		}
		w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true}`, status: 404,
			want: problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")})
	})
}

// The answers to a part get lost, and somebody makes another repository of the
// same name that has the wanted value. It does not show what the part has done.
func TestLostUpdateFindsAnotherRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	replace := sync.OnceFunc(func() {
		w.deleteRepository()
		w.later.Add(1)
		w.must(w.administrator().CreateRepository(&awsecr.CreateRepositoryInput{
			RepositoryName: aws.String("g/a"), Tags: awsTags(ourTags("g/a")),
			ImageScanningConfiguration: &awsecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)},
		}))
	})
	w.aws.Inject(localaws.Fault{Operation: "ecr:PutImageScanningConfiguration", Drop: true, When: func(localaws.Call) bool {
		replace()
		return true
	}})
	w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true}`, status: 500,
		want: failedChange("internal", internalError, nil, []string{"ScanOnPush"})})
}
