package api

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// unanswered are the ways in which an attempt ends without AWS telling whether it
// did the work.
var unanswered = map[string]localaws.Fault{
	"drop":             {Drop: true},
	"internal failure": {Code: "ServerException", Status: 500},
}

// lose has the next attempt of the operation go unanswered.
func (w *world) lose(operation string, fault localaws.Fault, afterWork bool) {
	fault.Operation, fault.AfterWork, fault.Times = operation, afterWork, 1
	w.aws.Inject(fault)
}

// administrator is ECR for who may do everything in the first account.
func (w *world) administrator() *awsecr.ECR { return awsecr.New(w.wire().session) }

// must fails the test where setting something up has failed.
func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

const (
	createNew       = `{"RepositoryName": "new", "Tags": [{"Key": "k", "Value": "v"}]}`
	newIsTaken      = "The repository g/new exists already."
	throttledDetail = "AWS limits how much may be asked of that account, and the limit is reached. Try again later."
	noRepository    = "The repository with name 'g/a' does not exist in the registry with id '012345678901'"
)

func shownNew() string {
	return shown("g/new", `{"Key": "spinup:org"`, `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`)
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range unanswered {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)

			w.lose("ecr:CreateRepository", fault, true)
			w.run(exchange{name: "create whose answer is lost", method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
			w.lose("ecr:CreateRepository", fault, false)
			w.run(exchange{name: "the same create again, lost before the work", method: "POST", path: base + "/g", body: createNew,
				status: 409, want: refusedByAWS(409, newIsTaken, "AccessDeniedException")})

			w.lose("ecr:DeleteRepository", fault, true)
			w.run(exchange{name: "delete whose answer is lost", method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")})
			if !strings.Contains(w.metrics()[`ecr_api_aws_calls_total{operation="DeleteRepository",result="ok",service="ecr"}`], "1") {
				t.Error("the delete whose answer was lost is not counted")
			}
			w.lose("ecr:DeleteRepository", fault, false)
			w.run(exchange{name: "a second delete", method: "DELETE", path: base + "/g/a",
				status: 404, want: refusedByAWS(404, noRepository, "RepositoryNotFoundException")})
		})
	}
}

// Not only one answer is lost: no attempt is ever answered.
func TestAllAnswersLost(t *testing.T) {
	t.Parallel()
	for name, fault := range unanswered {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			fault.AfterWork = true
			for operation := range changed {
				fault.Operation = operation
				w.aws.Inject(fault)
			}
			w.run(
				exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()},
				exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE"}`,
					status: 200, want: shown("g/a", `"false"`, `"true"`, `"MUTABLE"`, `"IMMUTABLE"`)},
				exchange{method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a", `"false"`, `"true"`, `"MUTABLE"`, `"IMMUTABLE"`)},
			)
		})
	}
}

// A create whose attempt was lost meets a repository that it has not made.
func TestLostCreateMeetsAnother(t *testing.T) {
	t.Parallel()
	tags := func() map[string]string {
		return map[string]string{"Name": "g/new", "spinup:org": org, "spinup:spaceid": "g", "k": "v"}
	}
	takenBefore := refusedByAWS(409, newIsTaken, "AccessDeniedException")
	takenNow := unsettledByAWS(409, newIsTaken, nil, []string{"Repository"}, "AccessDeniedException")
	for name, test := range map[string]struct {
		change func(tags map[string]string)
		before int64 // seconds
		want   string
	}{
		"made a moment ago":        {func(map[string]string) {}, 2, takenBefore},
		"with another tag, before": {func(tags map[string]string) { tags["k"] = "w" }, 2, takenBefore},
		"with another tag, now":    {func(tags map[string]string) { tags["k"] = "w" }, 0, takenNow},
		"with one tag more, now":   {func(tags map[string]string) { tags["l"] = "v" }, 0, takenNow}, // which somebody may have added to ours
		"with a tag less, now":     {func(tags map[string]string) { delete(tags, "k") }, 0, takenNow},
		"another org's":            {func(tags map[string]string) { tags["spinup:org"] = "other" }, 0, takenBefore},
		"the same, at this moment": {func(map[string]string) {}, 0, ""}, // by all that AWS tells it is ours
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			there := tags()
			test.change(there)
			if err := w.aws.AddRepository(account, region, "g/new", there); err != nil {
				t.Fatal(err)
			}
			w.later.Add(test.before)
			w.lose("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			create := exchange{method: "POST", path: base + "/g", body: createNew, status: 409, want: test.want}
			if test.want == "" {
				create.status, create.want = 200, shownNew()
			}
			w.run(create)
		})
	}
}

// A create of other settings than asked for is not ours either.
func TestLostCreateMeetsOtherSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{`"ScanOnPush": true`, `"ImageTagMutability": "IMMUTABLE"`, `"EncryptionType": "KMS"`} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/new", org)
			w.lose("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new", ` + settings + `}`,
				status: 409, want: unsettledByAWS(409, newIsTaken, nil, []string{"Repository"}, "AccessDeniedException")})
		})
	}
}

// What is absent means the default, and a KMS key counts too.
func TestLostCreateMeetsWhatItDidNotAskFor(t *testing.T) {
	t.Parallel()
	const key, other = "1111abcd-12ab-34cd-56ef-1234567890ab", "2222abcd-12ab-34cd-56ef-1234567890ab"
	const arn = "arn:aws:kms:" + region + ":" + account + ":key/"
	kms := func(key string) *awsecr.EncryptionConfiguration {
		return &awsecr.EncryptionConfiguration{EncryptionType: aws.String("KMS"), KmsKey: aws.String(key)}
	}
	for name, test := range map[string]struct {
		there  awsecr.CreateRepositoryInput
		asked  string
		status int
	}{
		"immutable":         {awsecr.CreateRepositoryInput{ImageTagMutability: aws.String("IMMUTABLE")}, ``, 409},
		"encrypted by KMS":  {awsecr.CreateRepositoryInput{EncryptionConfiguration: kms(arn + key)}, ``, 409},
		"another key":       {awsecr.CreateRepositoryInput{EncryptionConfiguration: kms(arn + other)}, `, "KmsKeyId": "` + arn + key + `"`, 409},
		"the key":           {awsecr.CreateRepositoryInput{EncryptionConfiguration: kms(arn + key)}, `, "KmsKeyId": "` + arn + key + `"`, 200},
		"the key by its id": {awsecr.CreateRepositoryInput{EncryptionConfiguration: kms(arn + key)}, `, "KmsKeyId": "` + key + `"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.there.RepositoryName, test.there.Tags = aws.String("g/new"), awsTags(ourTags("g/new"))
			w.must(w.administrator().CreateRepository(&test.there))
			w.lose("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new"` + test.asked + `}`, status: test.status, want: "-"})
		})
	}
}

// AWS refuses the repeat of a create that has done its work.
func TestLostCreateIsRefusedAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lose("ecr:CreateRepository", localaws.Fault{Code: "ServerException", Status: 500}, true)
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "KmsException", Message: "not now"})
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
}

// An answer that is cut off before its body is no answer.
func TestLostCreateWithAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) {
		aws, err := url.Parse(c.Account.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(aws)
		proxy.ModifyResponse = func(answer *http.Response) error {
			if strings.HasSuffix(answer.Request.Header.Get("X-Amz-Target"), ".CreateRepository") {
				answer.Body = http.NoBody
				answer.Header.Set("Content-Length", "0")
			}
			return nil
		}
		between := httptest.NewServer(proxy)
		t.Cleanup(between.Close)
		c.Account.Endpoint = between.URL
	})
	w.after = func(c localaws.Call) {
		if c.Operation == "CreateRepository" { // by all clocks, the answer comes a second after the work
			time.Sleep(time.Second)
			w.later.Add(1)
		}
	}
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
}

// Of two same creates at the same time, one lost before the work, only the one
// that has made the repository says so.
func TestLostCreateBesideAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, let := make(chan struct{}), make(chan struct{})
	w.after = func(c localaws.Call) {
		if c.Operation == "CreateRepository" && c.ErrorCode == "" {
			close(made)
			<-let
		}
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		w.run(exchange{name: "the one whose answer is late", method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
	}()
	<-made
	w.lose("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
	w.run(exchange{name: "the one that has made nothing", method: "POST", path: base + "/g", body: createNew, status: 409,
		want: unsettledByAWS(409, newIsTaken, nil, []string{"Repository"}, "AccessDeniedException")})
	close(let)
	<-first
}

// Why a create was refused cannot be told where the look fails too.
func TestRefusedCreateThatCannotBeLookedInto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/new", org)
	mend := w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException"})
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 429, want: refusedByAWS(429, throttledDetail, "ThrottlingException")})
	mend()
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 409, want: refusedByAWS(409, newIsTaken, "AccessDeniedException")})
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Drop: true, Times: 1})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException"})
	w.run(exchange{name: "lost before", method: "POST", path: base + "/g", body: createNew,
		status: 429, want: unsettledByAWS(429, throttledDetail, nil, []string{"Repository"}, "ThrottlingException")})
}

// Between an attempt that deleted the repository and its repeat, somebody makes
// another of that name: that one stays.
func TestLostDeleteSparesTheNextRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.lose("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteRepository" {
			w.later.Add(1)
			w.addRepository(account, "g/a", org)
		}
	}
	w.run(
		exchange{method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")},
		exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a", "15:34:18", "15:34:19")},
	)
}

// A delete is not repeated where nobody can tell whether the repository that is
// there is still the same.
func TestLostDeleteThatCannotBeLookedInto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.lose("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
	mend := func() {}
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteRepository" {
			w.later.Add(1)
			w.addRepository(account, "g/a", org)
			mend = w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ServerException", Status: 500})
		}
	}
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 500, want: unsettled(500, internalError, nil, []string{"Repository"})})
	mend()
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a", "15:34:18", "15:34:19")})
}

// What was seen to be gone is not looked at again.
func TestLostDeleteIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.lose("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")})
	if got := w.called(); len(got) != 5 { // AssumeRole, the two reads, the delete, the look
		t.Errorf("calls: %v", got)
	}
}

// Not known stays not known, and is said.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for operation := range changed {
		w.aws.Inject(localaws.Fault{Operation: operation, Code: "ServerException", Status: 500})
	}
	failed := func(unknown ...string) string {
		return unsettledByAWS(500, internalError, nil, unknown, "ServerException")
	}
	w.run(
		exchange{method: "POST", path: base + "/g", body: createNew, status: 500, want: failed("Repository")},
		exchange{method: "DELETE", path: base + "/g/a", status: 500, want: failed("Repository")},
		exchange{method: "PUT", path: base + "/g/a", body: `{"Tags": [{"Key": "k", "Value": "v"}], "ScanOnPush": true}`, status: 500, want: failed("Tags")},
		exchange{method: "PUT", path: base + "/g/a", body: `{"ImageTagMutability": "IMMUTABLE", "ScanOnPush": true}`,
			status: 500, want: failed("ScanOnPush", "ImageTagMutability")},
	)
}

// What AWS refuses once although it was just read to be ours is tried again.
func TestDenialThatContradictsWhatWasRead(t *testing.T) {
	t.Parallel()
	for operation := range changed {
		if operation == "ecr:CreateRepository" {
			continue // it reads nothing before
		}
		request := callers[operation]
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			denied := localaws.Fault{Operation: operation, Code: "AccessDeniedException", Message: "not yet", Times: 1}
			w.aws.Inject(denied)
			request.status, request.want = 200, "-"
			w.run(request)

			gone := newWorld(t)
			gone.addRepository(account, "g/a", org)
			denied.When = func(c localaws.Call) bool {
				if c.Policy == "" { // the administrator below
					return false
				}
				gone.must(gone.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}))
				return true
			}
			gone.aws.Inject(denied)
			request.name, request.status = "vanished meanwhile", 404
			request.want = refusedByAWS(404, noRepository, "RepositoryNotFoundException")
			gone.run(request)
		})
	}
}

// An update says what it has left behind, and sent again, completes.
func TestUpdateIsRepeatable(t *testing.T) {
	t.Parallel()
	const all = `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "k", "Value": "v"}]}`
	completed := shown("g/a", `"false"`, `"true"`, `"MUTABLE"`, `"IMMUTABLE"`, `{"Key": "spinup:org"`, `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`)
	const throttled = "ThrottlingException"
	for name, test := range map[string]struct {
		fault  localaws.Fault
		status int
		want   string
	}{
		"tags that AWS does not take": {localaws.Fault{Operation: "ecr:TagResource", Code: "InvalidTagParameterException", Message: "no"},
			400, refusedByAWS(400, "no", "InvalidTagParameterException")},
		"throttled at the tags": {localaws.Fault{Operation: "ecr:TagResource", Code: throttled},
			429, refusedByAWS(429, throttledDetail, throttled)},
		"throttled at the scanning": {localaws.Fault{Operation: "ecr:PutImageScanningConfiguration", Code: throttled},
			429, unsettledByAWS(429, throttledDetail, []string{"Tags", "ImageTagMutability"}, nil, throttled)},
		"failing at the mutability": {localaws.Fault{Operation: "ecr:PutImageTagMutability", Code: "ServerException", Status: 500},
			500, unsettledByAWS(500, internalError, []string{"Tags", "ScanOnPush"}, []string{"ImageTagMutability"}, "ServerException")},
		"failing when all is done": {localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ServerException", Status: 500},
			500, unsettledByAWS(500, internalError, []string{"Tags", "ScanOnPush", "ImageTagMutability"}, nil, "ServerException")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			if test.fault.Operation == "ecr:DescribeRepositories" { // not the first, before the changes
				test.fault.When = func(localaws.Call) bool { return len(w.called()) > 4 }
			}
			mend := w.aws.Inject(test.fault)
			w.run(exchange{name: "with the fault", method: "PUT", path: base + "/g/a", body: all, status: test.status, want: test.want})
			mend()
			w.run(exchange{name: "sent again", method: "PUT", path: base + "/g/a", body: all, status: 200, want: completed})
		})
	}
}
