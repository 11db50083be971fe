package api

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// lostAnswerFaults are faults after which the service cannot know whether AWS
// did the work.
var lostAnswerFaults = map[string]localaws.Fault{
	"drop":             {Drop: true},
	"internal failure": {Code: "ServerException", Status: 500},
}

// loseAnswer makes the answer to the next attempt of the operation get lost,
// before or after the work.
func (w *world) loseAnswer(operation string, fault localaws.Fault, afterWork bool) {
	fault.Operation, fault.AfterWork, fault.Times = operation, afterWork, 1
	w.aws.Inject(fault)
}

// administrator returns ECR for a caller who may do everything in the first
// account.
func (w *world) administrator() *awsecr.ECR { return awsecr.New(w.direct().session) }

// must fails the test if something could not be set up.
func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

// failedChange returns the problem document of a change that failed, with the
// applied and the unknown parts.
func failedChange(code, said string, applied, unknown []string) string {
	detail, members := strings.TrimSuffix(said, ".")+".", []string{}
	if applied != nil {
		detail += " Done all the same: " + strings.Join(applied, ", ") + "."
		members = append(members, `"applied": `+jsonOf(applied))
	}
	if unknown != nil {
		detail += " It is not known whether this was done: " + strings.Join(unknown, ", ") + "."
		members = append(members, `"unknown": `+jsonOf(unknown))
	}
	next := "send the same request again"
	if code == "bad-request" {
		next = "correct the request and send it again"
	}
	advice := "Look at the repository, or " + next + "."
	if len(unknown) == 1 && strings.HasPrefix(unknown[0], "Tag ") {
		advice = "Look first which image has the tag: the same request, sent again, takes it from that image. Or delete the image by its digest."
	}
	detail += " " + advice
	return with(problemOf(code, detail), strings.Join(members, ", "))
}

// advised returns the problem document of failedChange with that advice, unless
// it is empty.
func advised(problem, advice string) string {
	if advice == "" {
		return problem
	}
	return strings.Replace(problem, "Look at the repository, or send the same request again.", advice, 1)
}

// failedChangeByAWS is the same for an error that AWS answered.
func failedChangeByAWS(code, said string, applied, unknown []string, awsCode string) string {
	return with(failedChange(code, said, applied, unknown), `"awsCode": "`+awsCode+`", "awsRequestId": "aws"`)
}

// changing returns the operations that change a repository, by the rows'
// entries.
func changing() []string {
	list := map[string]bool{}
	for _, e := range rowTests {
		for operation := range e.changes {
			list[operation] = true
		}
	}
	return slices.Sorted(maps.Keys(list))
}

const (
	createNew       = `{"RepositoryName": "new", "Tags": [{"Key": "k", "Value": "v"}]}`
	newIsTaken      = "The repository with name 'g/new' already exists in the registry with id '012345678901'"
	throttledDetail = "AWS limits how much may be asked of that account, and the limit is reached. Try again later."
	noRepository    = "The repository with name 'g/a' does not exist in the registry with id '012345678901'"
)

func shownNew() string {
	return shown("g/new", `{"Key": "spinup:org"`, `{"Key": "k", "Value": "v"}, {"Key": "spinup:org"`)
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)

			w.loseAnswer("ecr:CreateRepository", fault, true)
			w.run(exchange{name: "create whose answer is lost", method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
			w.loseAnswer("ecr:CreateRepository", fault, false)
			w.run(exchange{name: "the same create again, lost before the work", method: "POST", path: base + "/g", body: createNew,
				status: 409, want: problemByAWS("repository-exists", newIsTaken, "RepositoryAlreadyExistsException")})

			w.loseAnswer("ecr:DeleteRepository", fault, true)
			w.run(exchange{name: "delete whose answer is lost", method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")})
			if !strings.Contains(w.metrics()[`ecr_api_aws_calls_total{operation="DeleteRepository",result="ok",service="ecr"}`], "1") {
				t.Error("the delete whose answer was lost is not counted")
			}
			w.loseAnswer("ecr:DeleteRepository", fault, false)
			w.run(exchange{name: "a second delete", method: "DELETE", path: base + "/g/a",
				status: 404, want: problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")})
		})
	}
}

// The answers to all attempts get lost.
func TestAllAnswersLost(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.scanLater()
			w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1", "v2"}})
			fault.AfterWork = true
			for _, operation := range changing() {
				fault.Operation = operation
				w.aws.Inject(fault)
			}
			w.run(
				exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()},
				exchange{method: "DELETE", path: base + "/g/a/images/v1", status: 200, want: lostTag("v1")},
				exchange{method: "DELETE", path: base + "/g/a/images/v2", status: 200,
					want: deletion(`{"ImageDigest": "`+digestA+`", "ImageTag": "v2"}`, digestA)},
				exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 200, want: updatedAll()},
				exchange{method: "POST", path: scanPath, status: 202, want: "-"},
				exchange{method: "PUT", path: base + "/g/a/lifecycle", body: keepTen, status: 200, want: keepTen},
				exchange{method: "DELETE", path: base + "/g/a/lifecycle", status: 200, want: neverEvaluated(keepTen)},
				sharingOf("PUT", shareToAll, 200, sharedToAll),
				sharingOf("DELETE", "", 200, notShared),
				exchange{method: "DELETE", path: base + "/g/a", status: 200, want: updatedAll()},
			)
		})
	}
}

// The answer to an attempt of a create gets lost, and then the create finds a
// repository that it has not made.
func TestLostCreateFindsAnotherRepository(t *testing.T) {
	t.Parallel()
	tags := func() map[string]string {
		return map[string]string{"Name": "g/new", "spinup:org": org, "spinup:spaceid": "g", "k": "v"}
	}
	takenBefore := problemByAWS("repository-exists", newIsTaken, "RepositoryAlreadyExistsException")
	takenNow := failedChangeByAWS("repository-exists", newIsTaken, nil, []string{"Repository"}, "RepositoryAlreadyExistsException")
	for name, test := range map[string]struct {
		change func(tags map[string]string)
		before int64 // seconds
		want   string
	}{
		"made a minute ago":        {func(map[string]string) {}, 60, takenBefore},
		"with another tag, before": {func(tags map[string]string) { tags["k"] = "w" }, 60, takenBefore},
		"with another tag, now":    {func(tags map[string]string) { tags["k"] = "w" }, 0, takenNow},
		"with one tag more, now":   {func(tags map[string]string) { tags["l"] = "v" }, 0, takenNow}, // somebody may have added it to ours
		"with a tag less, now":     {func(tags map[string]string) { delete(tags, "k") }, 0, takenNow},
		"another org's":            {func(tags map[string]string) { tags["spinup:org"] = "other" }, 0, takenBefore},
		"the same, at this moment": {func(map[string]string) {}, 0, ""}, // by all that AWS shows, it is the one that this create made
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
			w.loseAnswer("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			create := exchange{method: "POST", path: base + "/g", body: createNew, status: 409, want: test.want}
			if test.want == "" {
				create.status, create.want = 200, shownNew()
			}
			w.run(create)
		})
	}
}

// If the repository has other settings than the create asked for, this create
// did not make it.
func TestLostCreateFindsOtherSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{`"ScanOnPush": true`, `"ImageTagMutability": "IMMUTABLE"`, `"EncryptionType": "KMS"`} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/new", org)
			w.loseAnswer("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new", ` + settings + `}`,
				status: 409, want: failedChangeByAWS("repository-exists", newIsTaken, nil, []string{"Repository"}, "RepositoryAlreadyExistsException")})
		})
	}
}

// An absent setting means the default. The KMS key is compared too.
func TestLostCreateFindsSettingsItDidNotAskFor(t *testing.T) {
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
			w.loseAnswer("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "new"` + test.asked + `}`, status: test.status, want: "-"})
		})
	}
}

// The first attempt of a create did the work, and AWS refuses the second
// attempt.
func TestLostCreateIsRefusedAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.loseAnswer("ecr:CreateRepository", localaws.Fault{Code: "ServerException", Status: 500}, true)
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "KmsException", Message: "not now"})
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
}

// An answer that is cut off before its body counts as lost.
func TestLostCreateWithAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "CreateRepository" {
			return ""
		}
		return body
	}))
	w.after = func(c localaws.Call) {
		if c.Operation == "CreateRepository" { // the answer arrives a second after the work, by both clocks
			time.Sleep(time.Second)
			w.later.Add(1)
		}
	}
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
}

// Two equal creates run at the same time. The answer of one gets lost before
// the work. Only the create that made the repository may succeed.
func TestTwoEqualCreatesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, proceed := make(chan struct{}), make(chan struct{})
	w.after = func(c localaws.Call) {
		if c.Operation == "CreateRepository" && c.ErrorCode == "" {
			close(made)
			<-proceed
		}
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		w.run(exchange{name: "the one whose answer is late", method: "POST", path: base + "/g", body: createNew, status: 200, want: shownNew()})
	}()
	<-made
	w.loseAnswer("ecr:CreateRepository", localaws.Fault{Drop: true}, false)
	w.run(exchange{name: "the one that has made nothing", method: "POST", path: base + "/g", body: createNew, status: 409,
		want: failedChangeByAWS("repository-exists", newIsTaken, nil, []string{"Repository"}, "RepositoryAlreadyExistsException")})
	close(proceed)
	<-first
}

// AWS may deny the create of a repository that is there before it says so.
func TestDeniedCreateOfARepositoryThatIsThere(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{org, otherOrg, ""} {
		w := newWorld(t)
		w.addRepository(account, "g/new", owner)
		w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "AccessDeniedException"})
		w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 409, want: problemByAWS("repository-exists", newIsTaken, "RepositoryAlreadyExistsException")})
	}
}

// If the read after a refused create fails too, the service cannot know why the
// create was refused.
func TestRefusedCreateWhenReadingFailsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/new", otherOrg)
	mend := w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException"})
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 429, want: problemByAWS("throttled", throttledDetail, "ThrottlingException")})
	mend()
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 409, want: problemByAWS("repository-exists", newIsTaken, "RepositoryAlreadyExistsException")})
	w = newWorld(t)
	w.addRepository(account, "g/new", org)
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Drop: true, Times: 1})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException"})
	w.run(exchange{name: "lost before", method: "POST", path: base + "/g", body: createNew,
		status: 429, want: failedChangeByAWS("throttled", throttledDetail, nil, []string{"Repository"}, "ThrottlingException")})
}

// An attempt deletes the repository, and its answer gets lost. Before the next
// attempt somebody makes another repository of the same name. That one stays.
func TestLostDeleteKeepsTheNextRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.loseAnswer("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
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

// A delete is not repeated if the service cannot find out whether the
// repository is still the same.
func TestLostDeleteWhenReadingFailsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.loseAnswer("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
	mend := func() {}
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteRepository" {
			w.later.Add(1)
			w.addRepository(account, "g/a", org)
			mend = w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ServerException", Status: 500})
		}
	}
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 500, want: failedChange("internal", internalError, nil, []string{"Repository"})})
	mend()
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a", "15:34:18", "15:34:19")})
}

// If the repository is gone, the service does not read it a second time.
func TestLostDeleteIsCheckedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.loseAnswer("ecr:DeleteRepository", localaws.Fault{Drop: true}, true)
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 200, want: shown("g/a")})
	got := slices.DeleteFunc(w.called(), func(call string) bool { return !strings.HasPrefix(call, "ecr:") })
	if len(got) != 4 { // the two reads, the delete, the read after it
		t.Errorf("calls: %v", got)
	}
}

// The answer to the first attempt of a delete gets lost, AWS denies the next
// ones, and the read that should find out why fails. The answer is the failure
// of that read.
func TestLostDeleteThatIsDeniedWhenReadingFailsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.loseAnswer("ecr:DeleteRepository", localaws.Fault{Drop: true}, false)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DeleteRepository", Code: "AccessDeniedException", Message: "no"})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException", When: func(localaws.Call) bool {
		reads := 0
		for _, operation := range w.called() {
			if operation == "ecr:DescribeRepositories" {
				reads++
			}
		}
		return reads > 2 // one before the delete, one before each of its repeats
	}})
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 429,
		want: failedChangeByAWS("throttled", throttledDetail, nil, []string{"Repository"}, "ThrottlingException")})
}

// If the outcome stays unknown, the answer says so.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addFullRepository(account, "g/a", org)
	for _, operation := range changing() {
		if strings.HasPrefix(operation, "ecr:") {
			w.aws.Inject(localaws.Fault{Operation: operation, Code: "ServerException", Status: 500})
		}
	}
	failed := func(unknown ...string) string {
		return failedChangeByAWS("internal", internalError, nil, unknown, "ServerException")
	}
	w.run(
		exchange{method: "POST", path: base + "/g", body: createNew, status: 500, want: failed("Repository")},
		exchange{method: "POST", path: scanPath, status: 500, want: failed("Scan")},
		exchange{method: "DELETE", path: base + "/g/a/images/latest", status: 500, want: failed("Tag latest")},
		exchange{method: "PUT", path: base + "/g/a/lifecycle", body: expireOld, status: 500, want: failed("Lifecycle")},
		exchange{method: "DELETE", path: base + "/g/a/lifecycle", status: 500, want: failed("Lifecycle")},
		sharingOf("PUT", shareToAll, 500, failed("Sharing")),
		sharingOf("DELETE", "", 500, failed("Sharing")),
		exchange{method: "DELETE", path: base + "/g/a", status: 500,
			want: failedChangeByAWS("internal", internalError, []string{"User builder"}, []string{"Repository"}, "ServerException")},
		exchange{method: "PUT", path: base + "/g/a", body: updateAll, status: 500, want: failed("Tags", "ScanOnPush", "ImageTagMutability")},
	)
}

// AWS once denies the change of a repository that was just read and is ours.
// The service tries the change again.
func TestDenialThatContradictsWhatWasRead(t *testing.T) {
	t.Parallel()
	for operation, request := range requestsByOperation(t) {
		if partOf(operation) == "" || operation == "ecr:CreateRepository" || strings.HasPrefix(operation, "iam:") { // a create reads nothing before
			continue
		}
		if strings.HasPrefix(operation, "iam:") { // users have tests of their own
			continue
		}
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			denied := localaws.Fault{Operation: operation, Code: "AccessDeniedException", Message: "not yet", Times: 1}
			w.aws.Inject(denied)
			w.run(request)

			gone := newWorld(t)
			gone.addFullRepository(account, "g/a", org)
			denied.When = func(c localaws.Call) bool {
				if c.Policy == "" { // the administrator's call below
					return false
				}
				gone.must(gone.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}))
				return true
			}
			gone.aws.Inject(denied)
			request.name, request.status = "deleted meanwhile", 404
			request.want = problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")
			if done := doneBefore(operation); done != nil {
				request.want = failedChangeByAWS("repository-not-found", noRepository, done, nil, "RepositoryNotFoundException")
			}
			gone.run(request)
		})
	}
}
