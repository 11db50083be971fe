package api

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	lifecycleReads = right{do: []string{"ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}
	onlyOurs       = []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"}
)

var _ = describe("ShowLifecycle", rowTest{
	given: func(w *world, account, repository, _ string) { w.addLifecycle(account, repository, keepTen) },
	calls: []string{"ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "a policy", method: "GET", path: base + "/g/lifecycle/lifecycle", status: 200},
		{name: "none", method: "GET", path: base + "/g/plain/lifecycle", status: 404},
	},
	may:   []right{lifecycleReads},
	never: []right{denyOtherOrgs},
})

var _ = describe("PutLifecycle", rowTest{
	bodies: []string{expireOld, keepTen},
	calls:  []string{"ecr:ListTagsForResource", "ecr:PutLifecyclePolicy"},
	variants: []exchange{
		{name: "the first", method: "PUT", path: base + "/g/plain/lifecycle", body: keepTen, status: 200, want: keepTen},
		{name: "another", method: "PUT", path: base + "/g/lifecycle/lifecycle", body: expireOld, status: 200, want: expireOld},
		{name: "lost answers", method: "PUT", path: base + "/g/lost-lifecycle/lifecycle", body: expireOld, status: 200, want: expireOld},
	},
	may:       []right{lifecycleReads, {do: []string{"ecr:PutLifecyclePolicy"}, where: []string{inGroup}, whose: []string{ours}}},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:PutLifecyclePolicy"}, whose: []string{noOrg}}},
	changes:   map[string]change{"ecr:PutLifecyclePolicy": {part: "Lifecycle"}},
	redundant: onlyOurs,
})

var _ = describe("DeleteLifecycle", rowTest{
	calls: []string{"ecr:DeleteLifecyclePolicy", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "a policy", method: "DELETE", path: base + "/g/lifecycle/lifecycle", status: 200, want: neverEvaluated(keepTen)},
		{name: "none", method: "DELETE", path: base + "/g/plain/lifecycle", status: 404},
	},
	may:       []right{lifecycleReads, {do: []string{"ecr:DeleteLifecyclePolicy"}, where: []string{inGroup}, whose: []string{ours}}},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:DeleteLifecyclePolicy"}, whose: []string{noOrg}}},
	changes:   map[string]change{"ecr:DeleteLifecyclePolicy": {part: "Lifecycle"}},
	redundant: onlyOurs,
})

const (
	// keepTen and expireOld are policies as ECR keeps them.
	keepTen   = `{"rules":[{"rulePriority":1,"description":"keep ten","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`
	expireOld = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}`

	noLifecycle = "Lifecycle policy does not exist for the repository with name 'g/a' in the registry with id '012345678901'"
)

// neverEvaluated returns what callers get of a policy that ECR has not evaluated.
func neverEvaluated(policy string) string {
	return `{"LifecyclePolicy": ` + policy + `, "LastEvaluatedAt": null}`
}

// addLifecycle sets the policy of a repository without the service.
func (w *world) addLifecycle(account, repository, policy string) {
	w.t.Helper()
	if err := w.aws.SetLifecycle(account, region, repository, policy); err != nil {
		w.t.Fatal(err)
	}
}

// addLifecycleVariants adds what the variants of the rows of lifecycle policies
// need. All answers about a policy of g/lost-lifecycle get lost.
func (w *world) addLifecycleVariants() {
	w.t.Helper()
	w.addRepository(account, "g/lifecycle", org)
	w.addLifecycle(account, "g/lifecycle", keepTen)
	w.addPreview("g/lifecycle", keepTen)
	w.addRepository(account, "g/lost-lifecycle", org)
	w.aws.Inject(localaws.Fault{Operation: "ecr:PutLifecyclePolicy", AfterWork: true, Drop: true, When: func(c localaws.Call) bool {
		return c.Repository == "g/lost-lifecycle"
	}})
}

// newLifecycleWorld returns a world with the repository g/a, which has a policy.
// An empty policy is none.
func newLifecycleWorld(t *testing.T, policy string) *world {
	t.Helper()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	if policy != "" {
		w.addLifecycle(account, "g/a", policy)
	}
	return w
}

// lifecycleOf returns a request about the policy of g/a.
func lifecycleOf(method, body string, status int, want string) exchange {
	return exchange{name: method + " " + body, method: method, path: base + "/g/a/lifecycle", body: body, status: status, want: want}
}

func noLifecycleThere() string {
	return problemByAWS("lifecycle-not-found", noLifecycle, "LifecyclePolicyNotFoundException")
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	w.run(
		lifecycleOf("GET", "", 404, noLifecycleThere()),
		lifecycleOf("DELETE", "", 404, noLifecycleThere()),
		lifecycleOf("PUT", keepTen, 200, keepTen),
		lifecycleOf("GET", "", 200, neverEvaluated(keepTen)),
		lifecycleOf("PUT", expireOld, 200, expireOld),
		lifecycleOf("GET", "", 200, neverEvaluated(expireOld)),
	)
	w.aws.EvaluateLifecycles()
	evaluated := `{"LifecyclePolicy": ` + expireOld + `, "LastEvaluatedAt": "2040-12-14T15:34:18Z"}`
	w.run(
		lifecycleOf("GET", "", 200, evaluated),
		lifecycleOf("DELETE", "", 200, evaluated),
		lifecycleOf("DELETE", "", 404, noLifecycleThere()),
	)
}

// A document is sent without spaces, and otherwise as it is: with its escapes,
// its order and its numbers.
func TestLifecycleIsSentAsItIs(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	spaced := "\n\t" + strings.ReplaceAll(strings.Replace(keepTen, "keep ten", `caf\u00e9 \/ <&> é\"`, 1), `":`, "\" :\r\n ") + "  "
	w.run(lifecycleOf("PUT", spaced, 200, "-"))
	out, err := w.administrator().GetLifecyclePolicy(&awsecr.GetLifecyclePolicyInput{RepositoryName: aws.String("g/a")})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(keepTen, "keep ten", `caf\u00e9 \/ <&> é\"`, 1)
	if got := aws.StringValue(out.LifecyclePolicyText); got != want {
		t.Errorf("AWS has %s, want %s", got, want)
	}
}

// What AWS has added since reaches it, and AWS decides.
func TestWhatIsNewInALifecyclePolicyIsForAWS(t *testing.T) {
	t.Parallel()
	const refused = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: x'"
	for name, edit := range map[string][2]string{
		"a key of the document":  {`{"rules"`, `{"version":2,"rules"`},
		"a key of a rule":        {`"rulePriority":1`, `"rulePriority":1,"name":{"a":[1,null]}`},
		"a key of the selection": {`"tagStatus":"any"`, `"tagStatus":"any","sizeInBytes":1`},
		"a key of the action":    {`"type":"expire"`, `"type":"expire","notify":true`},
		"a count type":           {`imageCountMoreThan`, `sinceImageSigned`},
		"a count type with unit": {`"imageCountMoreThan"`, `"sinceImageSigned","countUnit":"weeks"`},
		"a type without number":  {`"imageCountMoreThan","countNumber":10`, `"beforeDate","countDate":"2040-01-01"`},
		"an action":              {`"type":"expire"`, `"type":"quarantine","targetStorageClass":"vault"`},
		"a tag status":           {`"tagStatus":"any"`, `"tagStatus":"signed","tagPatternList":["a"],"tagPrefixList":["b"]`},
		"a storage class":        {`"tagStatus":"any"`, `"tagStatus":"any","storageClass":"glacier"`},
		"a target":               {`"type":"expire"`, `"type":"transition","targetStorageClass":"glacier"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLifecycleWorld(t, "")
			document := strings.Replace(keepTen, edit[0], edit[1], 1)
			status, _, body := w.do(lifecycleOf("PUT", document, 0, ""))
			if answer := parse(t, body).(map[string]any); status != 400 || answer["awsCode"] != "InvalidParameterException" {
				t.Errorf("what AWS refuses: status %d: %s", status, body)
			}
			w.aws.Inject(localaws.Fault{Operation: "ecr:PutLifecyclePolicy", Code: "InvalidParameterException", Message: refused, Times: 1})
			w.run(lifecycleOf("PUT", document, 400, problemByAWS("bad-request", refused, "InvalidParameterException")))
		})
	}
}

// AWS knows something that the service and the local AWS do not.
func TestWhatIsNewInALifecyclePolicyIsShown(t *testing.T) {
	t.Parallel()
	document := strings.Replace(keepTen, `{"rules"`, `{"version":2,"rules"`, 1)
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if strings.Contains(operation, "LifecyclePolicy") {
			return strings.ReplaceAll(body, `{\"rules\"`, `{\"version\":2,\"rules\"`)
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.run(
		lifecycleOf("PUT", keepTen, 200, document),
		lifecycleOf("GET", "", 200, neverEvaluated(document)),
		lifecycleOf("DELETE", "", 200, neverEvaluated(document)),
	)
}

// Somebody puts another policy while the answers to a PUT get lost.
func TestLostPutThatIsReplaced(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	w.aws.Inject(localaws.Fault{Operation: "ecr:PutLifecyclePolicy", Drop: true, AfterWork: true})
	w.after = func(c localaws.Call) {
		if c.Operation == "PutLifecyclePolicy" {
			w.addLifecycle(account, "g/a", expireOld)
		}
	}
	w.run(lifecycleOf("PUT", keepTen, 500, failedChange("internal", internalError, nil, []string{"Lifecycle"})))
}

// An empty answer to a PUT counts as lost. The same document with its keys in
// another order is the same.
func TestEmptyAnswerToAPut(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]string{"put": "", "put in another order": `{"rules": [{"action": {"type": "expire"},
		"selection": {"countNumber": 1e1, "countType": "imageCountMoreThan", "tagStatus": "any"}, "description": "keep\u0020ten", "rulePriority": 1.0}]}`} {
		for _, empty := range []string{"", "{}"} {
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				switch {
				case operation == "PutLifecyclePolicy":
					return empty
				case operation == "GetLifecyclePolicy" && there != "":
					return `{"lastEvaluatedAt": 0, "lifecyclePolicyText": ` + jsonOf(there) + `}`
				}
				return body
			}))
			w.addRepository(account, "g/a", org)
			e := lifecycleOf("PUT", keepTen, 200, keepTen)
			e.name = name
			w.run(e)
		}
	}
}

// An empty answer to a DELETE tells less than what was read before.
func TestEmptyAnswerToADeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "DeleteLifecyclePolicy" {
			return "{}"
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.addLifecycle(account, "g/a", keepTen)
	w.run(lifecycleOf("DELETE", "", 200, neverEvaluated(keepTen)), lifecycleOf("GET", "", 404, noLifecycleThere()))
}

// The repository goes while the answer to a PUT gets lost. Then nothing is
// unknown.
func TestLostPutInARepositoryThatGoes(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	w.loseAnswer("ecr:PutLifecyclePolicy", localaws.Fault{Drop: true}, true)
	w.aws.Inject(localaws.Fault{Operation: "ecr:PutLifecyclePolicy", Code: "RepositoryNotFoundException", Message: noRepository})
	w.run(lifecycleOf("PUT", keepTen, 404, problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")))
}

// AWS denies a DELETE, and somebody puts another policy before it is repeated.
// That one stays.
func TestDeniedDeletionKeepsTheNextLifecyclePolicy(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, keepTen)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DeleteLifecyclePolicy", Code: "AccessDeniedException", Message: "not yet", Times: 1})
	w.after = func(c localaws.Call) {
		if c.Operation == "DeleteLifecyclePolicy" {
			w.addLifecycle(account, "g/a", expireOld)
		}
	}
	w.run(
		lifecycleOf("DELETE", "", 404, problemOf("lifecycle-not-found", "The lifecycle policy of g/a is gone, and somebody has put another one.")),
		lifecycleOf("GET", "", 200, neverEvaluated(expireOld)),
	)
}

// What is kept of a document is as long as the document without its spaces, and
// does not change with the body.
func TestWhatIsKeptOfALifecyclePolicy(t *testing.T) {
	t.Parallel()
	body := []byte(strings.Repeat(" ", 1<<20) + strings.Replace(keepTen, ":", ":"+strings.Repeat("\n", 1<<20), 1))
	var in lifecycleInput
	if err := decodeJSON(body, &in); err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	if string(in.document) != keepTen || cap(in.document) > 2*len(keepTen) {
		t.Errorf("%d bytes are kept: %s", cap(in.document), in.document)
	}
}

// Spaces count in strings only, and an escaped quotation mark does not end one.
func TestCharactersOfALifecyclePolicy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		` {"a" : 1 } `:       7,
		"\t{\r\n\"é \": []}": 9,
		`{"\" ": 1}`:         9,
		`{"\\" : 1}`:         8,
		`{"\\\" " : "\\" } `: 14,
	} {
		if got := charactersIn([]byte(text)); got != want {
			t.Errorf("%q has %d characters, want %d", text, got, want)
		}
	}
}

// Between a DELETE and its repeat somebody puts another policy. That one stays.
func TestLostDeletionKeepsTheNextLifecyclePolicy(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLifecycleWorld(t, keepTen)
			w.loseAnswer("ecr:DeleteLifecyclePolicy", fault, true)
			w.after = func(c localaws.Call) {
				if c.Operation == "DeleteLifecyclePolicy" {
					w.addLifecycle(account, "g/a", expireOld)
				}
			}
			w.run(lifecycleOf("DELETE", "", 200, neverEvaluated(keepTen)), lifecycleOf("GET", "", 200, neverEvaluated(expireOld)))
		})
	}
}

// A DELETE whose answer is lost is 200. Its repeat, and one that was lost before
// the work, do what a DELETE does.
func TestLostDeletionOfALifecyclePolicy(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLifecycleWorld(t, keepTen)
			w.loseAnswer("ecr:DeleteLifecyclePolicy", fault, true)
			w.run(lifecycleOf("DELETE", "", 200, neverEvaluated(keepTen)), lifecycleOf("DELETE", "", 404, noLifecycleThere()))
			w.addLifecycle(account, "g/a", expireOld)
			w.loseAnswer("ecr:DeleteLifecyclePolicy", fault, false)
			w.run(lifecycleOf("DELETE", "", 200, neverEvaluated(expireOld)), lifecycleOf("GET", "", 404, noLifecycleThere()))
		})
	}
}

// The answer has the policy that went, which may be a newer one than was read.
func TestDeletionTellsWhatWent(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, keepTen)
	w.after = func(c localaws.Call) {
		if c.Operation == "GetLifecyclePolicy" {
			w.addLifecycle(account, "g/a", expireOld)
		}
	}
	w.run(lifecycleOf("DELETE", "", 200, neverEvaluated(expireOld)))
}

// Somebody else deletes the policy after the service has read it.
func TestDeletionOfALifecyclePolicyThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, keepTen)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DeleteLifecyclePolicy", Times: 1, When: func(c localaws.Call) bool {
		if c.Policy != "" { // otherwise it is the administrator's
			w.must(w.administrator().DeleteLifecyclePolicy(&awsecr.DeleteLifecyclePolicyInput{RepositoryName: aws.String("g/a")}))
		}
		return c.Policy != ""
	}})
	w.run(lifecycleOf("DELETE", "", 404, noLifecycleThere()))
}

// A change goes on without its caller.
func TestChangesOfLifecyclePoliciesGoOn(t *testing.T) {
	t.Parallel()
	w := newLifecycleWorld(t, "")
	w.hangUp(t, lifecycleOf("PUT", keepTen, 0, ""), 300*time.Millisecond)
	waitFor(t, "the policy to be put", func() bool { return strings.Contains(w.log.String(), `"action":"PutLifecycle"`) })
	w.run(lifecycleOf("GET", "", 200, neverEvaluated(keepTen)))
	w.hangUp(t, lifecycleOf("DELETE", "", 0, ""), 300*time.Millisecond)
	waitFor(t, "the policy to be deleted", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteLifecycle"`) })
	w.run(lifecycleOf("GET", "", 404, "-"))
}

// Callers do not learn whether another org's repository has a policy, and change
// nothing in it.
func TestLifecycleOfAnotherOrg(t *testing.T) {
	t.Parallel()
	for repositoryOrg, whose := range map[string]string{"": "nobody's", otherOrg: "another org's"} {
		for name, w := range map[string]*world{"role with a fence": newWorld(t), "role without": newUnfencedWorld(t)} {
			w.addRepository(account, "g/with", repositoryOrg)
			w.addLifecycle(account, "g/with", keepTen)
			w.addRepository(account, "g/without", repositoryOrg)
			for _, repository := range []string{"g/with", "g/without"} {
				for _, e := range []exchange{
					{method: "GET", path: "/lifecycle"}, {method: "DELETE", path: "/lifecycle"}, {method: "PUT", path: "/lifecycle", body: expireOld},
					{method: "GET", path: "/lifecycle/preview"}, {method: "POST", path: "/lifecycle/preview"}, {method: "POST", path: "/lifecycle/preview", body: keepTen},
				} {
					e.path = base + "/" + repository + e.path
					status, _, body := w.do(e)
					if status != 403 || parse(t, body).(map[string]any)["code"] != "other-org" {
						t.Errorf("%s, %s, %s %s: status %d: %s", whose, name, e.method, e.path, status, body)
					}
				}
			}
			if called := w.called(); slices.Contains(called, "ecr:PutLifecyclePolicy") || slices.Contains(called, "ecr:DeleteLifecyclePolicy") ||
				slices.Contains(called, "ecr:StartLifecyclePolicyPreview") {
				t.Errorf("%s, %s: AWS was asked to change something: %v", whose, name, called)
			}
		}
	}
}

// The next functions are what attackers do with lifecycle policies: with a client
// of the service, or with AWS itself.
func attackByPut(ctx context.Context, c *ecr.Client, name string) error {
	_, err := c.PutLifecycle(ctx, name, jsontext.Value(expireOld))
	return err
}

func attackByDeletion(ctx context.Context, c *ecr.Client, name string) error {
	_, err := c.DeleteLifecycle(ctx, name, &ecr.LifecyclePolicy{LifecyclePolicy: jsontext.Value(keepTen)})
	return err
}

func attackByPreview(ctx context.Context, c *ecr.Client, name string) error {
	_, err := c.Preview(ctx, name, jsontext.Value(expireOld), func(ctx context.Context, pages func(context.Context) error) error { return pages(ctx) })
	return err
}

func getLifecycleDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.GetLifecyclePolicy(&awsecr.GetLifecyclePolicyInput{RegistryId: &x.account, RepositoryName: &x.name})
	return err
}

func putLifecycleDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.PutLifecyclePolicy(&awsecr.PutLifecyclePolicyInput{RegistryId: &x.account, RepositoryName: &x.name, LifecyclePolicyText: aws.String(expireOld)})
	return err
}

func deleteLifecycleDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.DeleteLifecyclePolicy(&awsecr.DeleteLifecyclePolicyInput{RegistryId: &x.account, RepositoryName: &x.name})
	return err
}

func startPreviewDirectly(api *awsecr.ECR, x attackTarget) error {
	_, err := api.StartLifecyclePolicyPreview(&awsecr.StartLifecyclePolicyPreviewInput{RegistryId: &x.account, RepositoryName: &x.name, LifecyclePolicyText: aws.String(expireOld)})
	return err
}
