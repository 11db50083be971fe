package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

const (
	group   = "team-1"
	region2 = "us-west-2"
)

var groupScope = iam.Scope{
	Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: group,
}

// An attackTarget is a repository that the tests attack from a session of the
// group.
type attackTarget struct {
	where, whose    string
	account, region string
	name            string
	org             string // "": untagged
}

// resource returns the target in the form that decisionFor takes.
func (x attackTarget) resource() resource { return resource{where: x.where, whose: x.whose} }

func (x attackTarget) arn() string {
	return common.Registry{Partition: "aws", Region: x.region, Account: x.account}.ARN(x.name)
}

var attackTargets = []attackTarget{
	{inGroup, ours, account, region, "team-1/ours", org},
	{inGroup, noOrg, account, region, "team-1/untagged", ""},
	{inGroup, others, account, region, "team-1/others", otherOrg},
	{inGroup, others, account, region, "team-1/capitals", "SPINDEV"},
	{inGroup, others, account, region, "team-1/longer-org", org + "2"},
	{outsideGroup, ours, account, region, "other/ours", org},
	{outsideGroup, noOrg, account, region, "other/untagged", ""},
	{outsideGroup, ours, account, region, "team-10/longer-group", org},
	{outsideGroup, ours, account, region, "team/shorter-group", org},
	{outsideGroup, ours, account, region, "team-1", org},
	{otherRegistry, ours, account2, region, "team-1/ours", org},
	{otherRegistry, ours, account, region2, "team-1/ours", org},
}

// addAttackTargets puts the attackTargets into the world's AWS, each with an
// image.
func (w *world) addAttackTargets() {
	w.t.Helper()
	for _, x := range attackTargets {
		tags := map[string]string{"marked": "hidden"}
		if x.org != "" {
			tags[common.OrgTag] = x.org
		}
		if err := w.aws.AddRepository(x.account, x.region, x.name, tags); err != nil {
			w.t.Fatal(err)
		}
		if err := w.aws.AddImage(x.account, x.region, x.name, localaws.Image{Tags: []string{"hidden"}}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.aws.SetLifecycle(x.account, x.region, x.name, keepTen); err != nil {
			w.t.Fatal(err)
		}
		w.setPolicyIn(x.account, x.region, x.name, policyOf(ofLambda))
	}
}

// state is all that is in the registries.
func (a directAWS) state() map[string]string {
	a.t.Helper()
	state := map[string]string{}
	for _, owner := range []string{account, account2} {
		role := a.auditor(owner)
		for _, in := range []string{region, region2} {
			api := a.ecr(in, role)
			described, err := api.DescribeRepositories(&awsecr.DescribeRepositoriesInput{})
			if err != nil {
				a.t.Fatal(err)
			}
			for _, r := range described.Repositories {
				tags, err := api.ListTagsForResource(&awsecr.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
				if err != nil {
					a.t.Fatal(err)
				}
				images, err := api.DescribeImages(&awsecr.DescribeImagesInput{RepositoryName: r.RepositoryName})
				if err != nil {
					a.t.Fatal(err)
				}
				policy, _ := api.GetLifecyclePolicy(&awsecr.GetLifecyclePolicyInput{RepositoryName: r.RepositoryName})
				sharing, _ := api.GetRepositoryPolicy(&awsecr.GetRepositoryPolicyInput{RepositoryName: r.RepositoryName})
				state[*r.RepositoryArn] = fmt.Sprint(r, tags.Tags, images.ImageDetails, aws.StringValue(policy.LifecyclePolicyText), aws.StringValue(sharing.PolicyText))
			}
		}
	}
	return state
}

// unchanged checks that the registries are as they were before.
func (a directAWS) unchanged(before map[string]string) {
	a.t.Helper()
	if diff := cmp.Diff(before, a.state()); diff != "" {
		a.t.Errorf("what is in AWS changed (-before +now):\n%s", diff)
	}
}

// allowed tells whether the row's session may take all the actions.
func allowed(e rowTest, x attackTarget, tags string, actions ...string) bool {
	for _, action := range actions {
		if decisionFor(e, action, x.resource(), tags) != policy.Allow {
			return false
		}
	}
	return true
}

// An attack is something that a handler can do with its client.
type attack struct {
	needs []string // actions
	tags  string   // that the request has
	do    func(context.Context, *ecr.Client, string) error
}

var attacks = map[string]attack{
	"show": {[]string{"ecr:DescribeRepositories", "ecr:ListTagsForResource"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.Repository(ctx, name)
		return err
	}},
	"tags": {[]string{"ecr:ListTagsForResource"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.Tags(ctx, name)
		return err
	}},
	"images": {[]string{"ecr:DescribeImages"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.Images(ctx, name, ecr.Selection{})
		return err
	}},
	"delete": {[]string{"ecr:DeleteRepository"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		return c.DeleteRepository(ctx, readRepository(ctx, c, name))
	}},
	"scanning": {[]string{"ecr:PutImageScanningConfiguration"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.UpdateRepository(ctx, readRepository(ctx, c, name), ecr.Settings{ScanOnPush: aws.Bool(true)})
		return err
	}},
	"mutability": {[]string{"ecr:PutImageTagMutability"}, noTags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.UpdateRepository(ctx, readRepository(ctx, c, name), ecr.Settings{ImageTagMutability: aws.String("IMMUTABLE")})
		return err
	}},
	"tag":                tagging(plainTags),
	"tag as ours":        tagging(ourOrg),
	"tag as theirs":      tagging(theirOrg),
	"tag in capitals":    tagging(ourOrgUpper),
	"tag Name":           tagging(nameOnly),
	"tag space":          tagging(spaceOnly),
	"tag space, upper":   tagging(spaceUpper),
	"create as ours":     creating(ourOrg),
	"create as theirs":   creating(theirOrg),
	"create with no tag": creating(noTags),
	"put lifecycle":      {[]string{"ecr:PutLifecyclePolicy"}, noTags, attackByPut},
	"delete lifecycle":   {[]string{"ecr:DeleteLifecyclePolicy"}, noTags, attackByDeletion},
	"preview":            {[]string{"ecr:StartLifecyclePolicyPreview"}, noTags, attackByPreview},
	"policy":             {[]string{"ecr:GetRepositoryPolicy"}, noTags, attackByPolicy},
	"share":              {[]string{"ecr:SetRepositoryPolicy"}, noTags, attackByShare},
}

// readRepository returns the repository. If the client cannot read it, only the
// name is set.
func readRepository(ctx context.Context, c *ecr.Client, name string) *ecr.Repository {
	r, err := c.Repository(ctx, name)
	if err != nil {
		return &ecr.Repository{RepositoryName: name}
	}
	return r
}

func tagging(tags string) attack {
	return attack{[]string{"ecr:TagResource"}, tags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.UpdateRepository(ctx, readRepository(ctx, c, name), ecr.Settings{Tags: tagList(tags)})
		return err
	}}
}

func creating(tags string) attack {
	return attack{[]string{"ecr:CreateRepository"}, tags, func(ctx context.Context, c *ecr.Client, name string) error {
		_, err := c.CreateRepository(ctx, name, ecr.Settings{Tags: tagList(tags)}, ecr.Encryption{})
		return err
	}}
}

func tagList(tags string) []common.Tag {
	var list []common.Tag
	for k, v := range requestTags(groupScope)[tags] {
		list = append(list, common.Tag{Key: k, Value: v})
	}
	return list
}

// An attempt is the body of a request to uncheckedHandler.
type attempt struct{ Attack, Target string }

func (attempt) check() error { return nil }

// uncheckedHandler makes any attack on any repository. It stands for a handler
// that forgot every check.
func uncheckedHandler(ctx context.Context, t target, in attempt) (string, error) {
	return "done", attacks[in.Attack].do(ctx, t.ECR(), in.Target)
}

// checkNothing makes a row call AWS without any check.
func checkNothing(rt *route) { rt.Endpoint, rt.Access = handledBy(uncheckedHandler), nil }

// If the code checks nothing, the session policy alone refuses every attack.
func TestPolicyAloneRefuses(t *testing.T) {
	t.Parallel()
	for _, rt := range rowsBySession(t) {
		t.Run(rt.String(), func(t *testing.T) {
			t.Parallel()
			w := newUnfencedWorld(t, changeRows(checkNothing), func(c *common.Config, _ *[]route) {
				c.MaxInFlightPerAccount = c.MaxInFlight
			})
			w.unspecified = true
			w.addAttackTargets()
			direct := w.direct()
			before := direct.state()
			entry := entryOf(t, rt)
			tried := 0
			var all errgroup.Group // many at once, because the client waits before it repeats a denied change
			all.SetLimit(32)
			for name, a := range attacks {
				for _, x := range attackTargets {
					if x.where == otherRegistry || allowed(entry, x, a.tags, a.needs...) {
						continue // a client calls one registry only, and other tests cover what is allowed
					}
					tried++
					all.Go(func() error {
						status, _, body := w.do(exchange{method: rt.Method, path: values{"group": group, "name": "any"}.fill(rt.Path), body: jsonOf(attempt{name, x.name})})
						want := fmt.Sprint(http.StatusForbidden, " AccessDeniedException")
						if status == http.StatusConflict && strings.HasPrefix(name, "create") {
							want = fmt.Sprint(http.StatusConflict, " RepositoryAlreadyExistsException")
						}
						if got := fmt.Sprint(status, " ", parse(t, body).(map[string]any)["awsCode"]); got != want {
							t.Errorf("%s on %s, %s: status %d: %s", name, x.name, x.whose, status, body)
						}
						return nil
					})
				}
			}
			_ = all.Wait() // none returns an error
			if tried < 60 {
				t.Errorf("only %d attacks were tried", tried)
			}
			direct.unchanged(before)
		})
	}
}

// A directCall is a call of an ECR operation with the credentials of a session,
// without the service.
type directCall struct {
	needs []string // actions
	tags  string   // that the request has
	do    func(*awsecr.ECR, attackTarget) error
}

var directCalls = map[string]directCall{
	"DescribeRepositories": {[]string{"ecr:DescribeRepositories"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.DescribeRepositories(&awsecr.DescribeRepositoriesInput{RegistryId: &x.account, RepositoryNames: []*string{&x.name}})
		return err
	}},
	"DeleteRepository": {[]string{"ecr:DeleteRepository"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.DeleteRepository(&awsecr.DeleteRepositoryInput{RegistryId: &x.account, RepositoryName: &x.name, Force: aws.Bool(true)})
		return err
	}},
	"PutImageScanningConfiguration": {[]string{"ecr:PutImageScanningConfiguration"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.PutImageScanningConfiguration(&awsecr.PutImageScanningConfigurationInput{RegistryId: &x.account, RepositoryName: &x.name,
			ImageScanningConfiguration: &awsecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)}})
		return err
	}},
	"PutImageTagMutability": {[]string{"ecr:PutImageTagMutability"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.PutImageTagMutability(&awsecr.PutImageTagMutabilityInput{RegistryId: &x.account, RepositoryName: &x.name, ImageTagMutability: aws.String("IMMUTABLE")})
		return err
	}},
	"ListTagsForResource": {[]string{"ecr:ListTagsForResource"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.ListTagsForResource(&awsecr.ListTagsForResourceInput{ResourceArn: aws.String(x.arn())})
		return err
	}},
	"UntagResource": {[]string{"ecr:UntagResource"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.UntagResource(&awsecr.UntagResourceInput{ResourceArn: aws.String(x.arn()), TagKeys: []*string{aws.String(common.OrgTag)}})
		return err
	}},
	"DescribeImages": {[]string{"ecr:DescribeImages"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.DescribeImages(&awsecr.DescribeImagesInput{RegistryId: &x.account, RepositoryName: &x.name})
		return err
	}},
	"ListImages": {[]string{"ecr:ListImages"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.ListImages(&awsecr.ListImagesInput{RegistryId: &x.account, RepositoryName: &x.name})
		return err
	}},
	"BatchGetImage": {[]string{"ecr:BatchGetImage"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.BatchGetImage(&awsecr.BatchGetImageInput{RegistryId: &x.account, RepositoryName: &x.name, ImageIds: hiddenImage})
		return err
	}},
	"BatchDeleteImage": {[]string{"ecr:BatchDeleteImage"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.BatchDeleteImage(&awsecr.BatchDeleteImageInput{RegistryId: &x.account, RepositoryName: &x.name, ImageIds: hiddenImage})
		return err
	}},
	"PutImage": {[]string{"ecr:PutImage"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.PutImage(&awsecr.PutImageInput{RegistryId: &x.account, RepositoryName: &x.name, ImageTag: aws.String("hidden"),
			ImageManifest: aws.String(`{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"size": 1}, "layers": []}`)})
		return err
	}},
	"StartImageScan": {[]string{"ecr:StartImageScan"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.StartImageScan(&awsecr.StartImageScanInput{RegistryId: &x.account, RepositoryName: &x.name, ImageId: hiddenImage[0]})
		return err
	}},
	"DescribeImageScanFindings": {[]string{"ecr:DescribeImageScanFindings"}, noTags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.DescribeImageScanFindings(&awsecr.DescribeImageScanFindingsInput{RegistryId: &x.account, RepositoryName: &x.name, ImageId: hiddenImage[0]})
		return err
	}},
	"GetLifecyclePolicy":            {[]string{"ecr:GetLifecyclePolicy"}, noTags, getLifecycleDirectly},
	"PutLifecyclePolicy":            {[]string{"ecr:PutLifecyclePolicy"}, noTags, putLifecycleDirectly},
	"DeleteLifecyclePolicy":         {[]string{"ecr:DeleteLifecyclePolicy"}, noTags, deleteLifecycleDirectly},
	"StartLifecyclePolicyPreview":   {[]string{"ecr:StartLifecyclePolicyPreview"}, noTags, startPreviewDirectly},
	"GetRepositoryPolicy":           {[]string{"ecr:GetRepositoryPolicy"}, noTags, getPolicyDirectly},
	"SetRepositoryPolicy":           {[]string{"ecr:SetRepositoryPolicy"}, noTags, setPolicyDirectly},
	"DeleteRepositoryPolicy":        {[]string{"ecr:DeleteRepositoryPolicy"}, noTags, deletePolicyDirectly},
	"TagResource":                   retagging(plainTags),
	"TagResource as ours":           retagging(ourOrg),
	"TagResource as theirs":         retagging(theirOrg),
	"TagResource in capitals":       retagging(ourOrgUpper),
	"CreateRepository":              recreating(ourOrg),
	"CreateRepository as theirs":    recreating(theirOrg),
	"CreateRepository with no tags": recreating(noTags),
}

var hiddenImage = []*awsecr.ImageIdentifier{{ImageTag: aws.String("hidden")}}

func retagging(tags string) directCall {
	return directCall{[]string{"ecr:TagResource"}, tags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.TagResource(&awsecr.TagResourceInput{ResourceArn: aws.String(x.arn()), Tags: awsTags(requestTags(groupScope)[tags])})
		return err
	}}
}

func recreating(tags string) directCall {
	return directCall{[]string{"ecr:CreateRepository"}, tags, func(api *awsecr.ECR, x attackTarget) error {
		_, err := api.CreateRepository(&awsecr.CreateRepositoryInput{RegistryId: &x.account, RepositoryName: &x.name, Tags: awsTags(requestTags(groupScope)[tags])})
		return err
	}}
}

func errorCode(err error) string {
	var e awserr.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return fmt.Sprint(err)
}

// Leaked credentials of a session allow only what the row does. They allow
// nothing on repositories that are not ours, no other operations, and no other
// roles.
func TestLeakedSession(t *testing.T) {
	t.Parallel()
	for _, rt := range rowsBySession(t) {
		t.Run(rt.String(), func(t *testing.T) {
			t.Parallel()
			w := newUnfencedWorld(t)
			w.addAttackTargets()
			direct := w.direct()
			before := direct.state()
			entry := entryOf(t, rt)
			session := direct.assumeRole(account, rt.Policy(groupScope))
			for name, r := range directCalls {
				for _, x := range attackTargets {
					if allowed(entry, x, r.tags, r.needs...) {
						continue
					}
					if code := errorCode(r.do(direct.ecr(x.region, session), x)); code != "AccessDeniedException" {
						t.Errorf("%s on %s: %s, want AccessDeniedException", name, x.arn(), code)
					}
				}
			}
			for _, a := range []string{account, account2} {
				_, err := sts.New(direct.session, aws.NewConfig().WithCredentials(session)).AssumeRole(&sts.AssumeRoleInput{
					RoleArn: aws.String("arn:aws:iam::" + a + ":role/ecr-api"), RoleSessionName: aws.String("next"), ExternalId: aws.String("local"),
				})
				if code := errorCode(err); code != "AccessDenied" {
					t.Errorf("assuming the role of %s from the session: %s, want AccessDenied", a, code)
				}
			}
			direct.unchanged(before)
		})
	}
}

// policyForEverything is a session policy that allows everything that the role
// allows.
func policyForEverything(iam.Scope) iam.Policy { return iam.NewPolicy(iam.Allow("*", "*")) }

func allowEverything(rt *route) { rt.Policy = policyForEverything }

// If the session policy allows everything, the code alone refuses. It does so
// before it changes anything or answers anything about the repository.
func TestCodeAloneRefuses(t *testing.T) {
	t.Parallel()
	w := newUnfencedWorld(t, changeRows(allowEverything))
	w.addAttackTargets()
	for name, tags := range map[string]map[string]string{
		"team-1/key-in-capitals": {"SPINUP:ORG": org},
		"team-1/shorter-org":     {common.OrgTag: org[:len(org)-1]},
		"team-1/space-after":     {common.OrgTag: org + " "},
		"team-1/empty":           {common.OrgTag: ""},
		"team-1/other-key":       {"org": org, nameTag: org, spaceTag: org, "x" + common.OrgTag: org},
	} {
		if err := w.aws.AddRepository(account, region, name, tags); err != nil {
			t.Fatal(err)
		}
	}
	direct := w.direct()
	before := direct.state()
	w.forget()
	for _, name := range []string{"untagged", "others", "capitals", "longer-org", "key-in-capitals", "shorter-org", "space-after", "empty", "other-key"} {
		for _, e := range aboutRepository(t, values{"group": "team-1", "name": name}) {
			status, _, body := w.do(e)
			if status != http.StatusForbidden || strings.Contains(body, "hidden") || strings.Contains(body, "awsCode") {
				t.Errorf("%s of %s: status %d: %s", e.name, name, status, body)
			}
		}
	}
	for _, operation := range w.called() {
		if slices.Contains(changing(), operation) {
			t.Errorf("%s was called", operation)
		}
	}
	// ECR itself refuses to create a repository that exists.
	for _, name := range []string{"untagged", "others", "ours"} {
		w.run(exchange{method: "POST", path: base + "/team-1", body: `{"RepositoryName": "` + name + `"}`, status: 409, want: "-"})
	}
	direct.unchanged(before)
}

func TestCodeAloneKeepsToTheGroup(t *testing.T) {
	t.Parallel()
	w := newUnfencedWorld(t, changeRows(allowEverything))
	w.addAttackTargets()
	w.run(
		exchange{method: "GET", path: base + "/team-1", status: 200,
			want: `["team-1/capitals", "team-1/longer-org", "team-1/others", "team-1/ours", "team-1/untagged"]`},
		exchange{method: "GET", path: base + "/team", status: 200, want: `["team/shorter-group"]`},
		exchange{method: "GET", path: base + "/eam-1", status: 200, want: `[]`},
	)
	direct := w.direct()
	before := direct.state()
	w.forget()
	for _, path := range []string{
		"/team-1%2Fours", "/team-1%2Fours/ours", "/team-1/..%2Fother%2Fours", "/team-1/%2e%2e%2fother%2fours", "/other%2F..%2Fteam-1/ours",
		"/*", "/*/ours", "/team-1/*", "/team-%3F/ours", "/team-1/our%3F", "/$%7Baws:PrincipalTag/x%7D/ours", "/team-1%00/ours", "/team-1%0A/ours",
		"/team-1:x/ours", "/team-1%20/ours", "/%2e/ours", "/%C3%BC/ours",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			e := exchange{method: method, path: base + path}
			if method == "PUT" {
				e.body = `{"ScanOnPush": true}`
			}
			if status, _, body := w.do(e); status != 400 && status != 404 && status != 405 {
				t.Errorf("%s %s: status %d: %s", method, path, status, body)
			}
		}
	}
	if called := w.called(); len(called) > 0 {
		t.Errorf("AWS was called: %s", called)
	}
	direct.unchanged(before)
}

func TestReservedTagsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{"by the code alone": newUnfencedWorld(t, changeRows(allowEverything)), "as it is": newWorld(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.addRepository(account, "g/a", org)
			direct := w.direct()
			before := direct.state()
			hostile := `{"Key": "Name", "Value": "x"}, {"Key": "spinup:org", "Value": "another-org"}, {"Key": "spinup:spaceid", "Value": "x"}`
			w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"Tags": [` + hostile + `]}`, status: 200, want: "-"})
			for _, key := range []string{"SPINUP:ORG", "Spinup:Org", "spinup:orG", "\u017fpinup:org", "spinup:SPACEID"} {
				body := `{"Tags": [` + hostile + `, {"Key": "` + key + `", "Value": "another-org"}]}`
				w.run(
					exchange{method: "PUT", path: base + "/g/a", body: body, status: 400, want: "-"},
					exchange{method: "POST", path: base + "/g", body: strings.Replace(body, "{", `{"RepositoryName": "b", `, 1), status: 400, want: "-"},
				)
			}
			direct.unchanged(before)

			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "b", "Tags": [` + hostile + `]}`, status: 200, want: "-"})
			out, err := direct.ecr(region, direct.auditor(account)).ListTagsForResource(&awsecr.ListTagsForResourceInput{
				ResourceArn: aws.String(groupScope.ARN("g/b")),
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fmt.Sprint(awsTags(ourTags("g/b"))), fmt.Sprint(out.Tags)); diff != "" {
				t.Errorf("tags of what was created (-want +got):\n%s", diff)
			}
		})
	}
}

// Characters that have a meaning in a policy are refused in tags.
func TestHostileTagValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	direct := w.direct()
	before := direct.state()
	for _, text := range []string{"${aws:PrincipalTag/spinup:org}", "*", "?", `\"`, "<x>", "a\\nb"} {
		for _, tag := range []string{`{"Key": "k", "Value": "` + text + `"}`, `{"Key": "` + text + `", "Value": "v"}`} {
			w.run(
				exchange{name: "update " + tag, method: "PUT", path: base + "/g/a", body: `{"Tags": [` + tag + `]}`, status: 400, want: "-"},
				exchange{name: "create " + tag, method: "POST", path: base + "/g", body: `{"RepositoryName": "b", "Tags": [` + tag + `]}`, status: 400, want: "-"},
			)
		}
	}
	w.run(exchange{method: "PUT", path: base + "/g/a", body: `{"Tags": [{"Key": "aws:ResourceTag/spinup:org", "Value": "x"}]}`, status: 400, want: "-"})
	direct.unchanged(before)
}

// The session of a create may not use a KMS key of another account.
func TestKMSKeyOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{
		strings.Replace(customerKey, account, account2, 1),
		"arn:aws:kms:" + region + ":" + account2 + ":alias/ours",
	} {
		w.run(exchange{name: key, method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "KmsKeyId": "` + key + `"}`, status: 403, want: "-"})
	}
	w.run(exchange{method: "GET", path: base + "/g", status: 200, want: `[]`})
}

// A policy compares the org as plain text and not as a pattern. A policy
// variable would still be replaced, so the configuration refuses an org that
// contains one.
func TestOrgCannotWidenAPolicy(t *testing.T) {
	t.Parallel()
	const document = `{"account": {"region": "us-east-1", "role": "ecr-api"}, "token": "a-pre-shared-key-that-is-long", "org": %q}`
	if _, err := common.ParseConfig(fmt.Appendf(nil, document, org), nil); err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{"*", "?", "spin*", "spinde?", "sp*n", "sp?n", "${aws:ResourceTag/spinup:org}", "a${aws:ResourceTag/spinup:org}b", "$", "{", "}", `"`, `\`, "\n", "\u00fc", "aws:x", " spindev", "spindev "} {
		if _, err := common.ParseConfig(fmt.Appendf(nil, document, hostile), nil); err == nil || !strings.Contains(err.Error(), "org ") {
			t.Errorf("org %q: %v", hostile, err)
		}
	}
	for _, hostile := range []string{"*", "?pindev", "spin*"} {
		for _, p := range sessionsOfECR(t) { // the others have the org in ARNs: the configuration is the only fence
			s := p.scope(groupScope)
			s.Org = hostile
			document, err := policy.Parse(p.of(s).String())
			if err != nil {
				t.Fatal(err)
			}
			where := inGroup
			if p.named {
				where = theRepository
			}
			on := resource{where: where, whose: others, arn: s.ARN("team-1/a"), context: map[string][]string{"aws:ResourceTag/" + common.OrgTag: {org}}}
			for _, action := range allActions {
				got, err := policy.Decide(policy.Request{
					Action: action, Resource: on.arn, Context: requestContext(s, on, map[string]string{common.OrgTag: org}),
				}, document)
				if want := decisionFor(p.entry, action, on, theirOrg); err != nil || got != want {
					t.Errorf("%s: %s with the org %q: %s, %v, want %s", p.name, action, hostile, got, err, want)
				}
			}
		}
	}
}

// A group or a name has no character that has a meaning in the ARN of a policy.
func TestNamesCannotWidenAPolicy(t *testing.T) {
	t.Parallel()
	const fit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	for c := range rune(0x250) {
		if ok := checkName("The name", "a"+string(c)+"b") == nil; ok != strings.ContainsRune(fit, c) {
			t.Errorf("%q: %v", c, ok)
		}
	}
}
