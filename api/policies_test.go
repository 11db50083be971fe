package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	awsiam "github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/inspector2"
	"github.com/aws/aws-sdk-go/service/kms"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

const otherOrg = "another-org"

// A directAWS calls the AWS of a world with the SDK, without the service.
type directAWS struct {
	t       testing.TB
	session *session.Session
}

// direct returns a directAWS for the world's AWS. Its calls are the
// administrator's if no other credentials are given.
func (w *world) direct() directAWS {
	w.t.Helper()
	server := httptest.NewServer(w.aws)
	w.t.Cleanup(server.Close)
	s, err := session.NewSession(&aws.Config{
		Region:      aws.String(region),
		Endpoint:    aws.String(server.URL),
		Credentials: credentials.NewStaticCredentials("any", "any", ""),
		MaxRetries:  aws.Int(0),
		HTTPClient:  &http.Client{}, // otherwise the SDK may change http.DefaultClient
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return directAWS{w.t, s}
}

// assumeRole returns the credentials of a session of the management role, with
// the tag of our org.
func (a directAWS) assumeRole(account string, document iam.Policy) *credentials.Credentials {
	a.t.Helper()
	return a.assume("arn:aws:iam::"+account+":role/ecr-api", &sts.AssumeRoleInput{
		Policy: aws.String(document.String()),
		Tags:   []*sts.Tag{{Key: aws.String(common.OrgTag), Value: aws.String(org)}},
	})
}

// auditor returns credentials that may do everything in the account.
func (a directAWS) auditor(account string) *credentials.Credentials {
	a.t.Helper()
	return a.assume("arn:aws:iam::"+account+":role/auditor", &sts.AssumeRoleInput{})
}

// assume returns the credentials of a session of the role.
func (a directAWS) assume(role string, in *sts.AssumeRoleInput) *credentials.Credentials {
	a.t.Helper()
	in.RoleArn, in.RoleSessionName, in.ExternalId = aws.String(role), aws.String("test"), aws.String("local")
	out, err := sts.New(a.session).AssumeRole(in)
	if err != nil {
		a.t.Fatal(err)
	}
	c := out.Credentials
	return credentials.NewStaticCredentials(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// ecr returns ECR in the region, with these credentials.
func (a directAWS) ecr(region string, c *credentials.Credentials) *awsecr.ECR {
	return awsecr.New(a.session, aws.NewConfig().WithRegion(region).WithCredentials(c))
}

func awsTags(tags map[string]string) []*awsecr.Tag {
	var list []*awsecr.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, &awsecr.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return list
}

// ourTags are the tags of a repository of our org.
func ourTags(name string) map[string]string {
	group, _, _ := strings.Cut(name, "/")
	return map[string]string{nameTag: name, common.OrgTag: org, spaceTag: group}
}

const customerKey = "arn:aws:kms:" + region + ":" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"

// setUpVariants adds the repositories that the variants need.
func (w *world) setUpVariants() {
	w.t.Helper()
	w.addRepository(account, "g/plain", org)
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account, "g/images", org)
	if err := w.aws.AddImage(account, region, "g/images", localaws.Image{Tags: []string{"latest"}}); err != nil {
		w.t.Fatal(err)
	}
	w.addRepository(account, "g/platforms", org)
	w.addPlatforms("g/platforms", "multi")
	w.addImage(account, "g/images", localaws.Image{Digest: partDigest})
	w.addIndexOf("g/images", indexDigest, []string{"multi"}, partDigest)
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Times: 1, AfterWork: true, Drop: true, When: func(c localaws.Call) bool {
		return c.Repository == "g/lost"
	}})
	w.addUserVariants()
	w.addScanVariants()
	w.addLifecycleVariants()
	w.addRepository(account, "g/users", org)
	w.addUser(account, ourUser(account, "g/users", org, "builder", "push"))
	administrator := awsecr.New(w.direct().session)
	for name, key := range map[string]*string{"g/kms": nil, "g/key": aws.String(customerKey)} {
		_, err := administrator.CreateRepository(&awsecr.CreateRepositoryInput{
			RepositoryName: aws.String(name), Tags: awsTags(ourTags(name)),
			EncryptionConfiguration: &awsecr.EncryptionConfiguration{EncryptionType: aws.String("KMS"), KmsKey: key},
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// failing returns the row's variants that end with another status than they
// should, or with another answer if they have one.
func (w *world) failing(rt route) []string {
	w.t.Helper()
	var names []string
	for _, e := range entryOf(w.t, rt).variants {
		status, _, body := w.do(e)
		switch {
		case status != e.status:
			names = append(names, fmt.Sprintf("%s: status %d, want %d", e.name, status, e.status))
		case e.want != "" && !cmp.Equal(parse(w.t, e.want), normalized(parse(w.t, body))):
			names = append(names, fmt.Sprintf("%s: %s, want %s", e.name, body, e.want))
		}
	}
	return names
}

func TestEveryRowCanDoItsWork(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		t.Run(rt.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setUpVariants()
			w.forget()
			for _, f := range w.failing(rt) {
				t.Error(f)
			}
			wantCalls(t, rt, w.called())
		})
	}
}

// wantCalls checks each action that the row's policy allows. Either a variant
// calls the action, or notCalled says why the policy has it.
func wantCalls(t *testing.T, rt route, called []string) {
	t.Helper()
	reasons := entryOf(t, rt).notCalled
	for action := range allowedActions(rt.Policy(exampleScope).Statement) {
		if reasons[action] == "" && !slices.Contains(called, action) {
			t.Errorf("no variant calls %s: say in notCalled why the policy has it", action)
		}
	}
}

// allowedActions returns the actions that some statement allows.
func allowedActions(statements []iam.Statement) map[string]bool {
	actions := map[string]bool{}
	for _, s := range statements {
		for _, a := range s.Action {
			if s.Effect == "Allow" {
				actions[a] = true
			}
		}
	}
	return actions
}

// without returns the policy without an action of one statement. If that was
// the statement's only action, the statement is removed too.
func without(p iam.Policy, statement int, action string) iam.Policy {
	p.Statement = slices.Clone(p.Statement)
	s := &p.Statement[statement]
	s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
	if len(s.Action) == 0 {
		p.Statement = slices.Delete(p.Statement, statement, statement+1)
	}
	if len(p.Statement) == 0 { // IAM refuses a policy without statements
		p.Statement = []iam.Statement{iam.Deny("*", "*")}
	}
	return p
}

// A row does not work without any of the actions in its policy.
func TestEveryActionIsNeeded(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		for i, s := range rt.Policy(exampleScope).Statement {
			if s.Effect != "Allow" {
				continue
			}
			for _, action := range s.Action {
				t.Run(rt.String()+" without "+action, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, changeRows(func(changed *route) {
						if changed.Name == rt.Name {
							changed.Policy = func(s iam.Scope) iam.Policy { return without(rt.Policy(s), i, action) }
						}
					}))
					w.setUpVariants()
					if len(w.failing(rt)) == 0 {
						t.Error("the row works without it")
					}
				})
			}
		}
	}
}

// allActions are the actions of ECR, IAM, STS, KMS and Inspector, and some more: actions
// that are not named like an operation, actions of other services, and actions
// that do not exist yet.
var allActions = slices.Concat(
	operations("ecr", &awsecr.ECR{}),
	operations("iam", &awsiam.IAM{}),
	operations("sts", &sts.STS{}),
	operations("kms", &kms.KMS{}),
	operations("inspector2", &inspector2.Inspector2{}),
	[]string{
		"ecr:BatchImportUpstreamImage", "ecr:ReplicateImage", "ecr:AnOperationThatIsAddedNextMonth",
		"iam:PassRole", "sts:SetContext", "sts:SetSourceIdentity", "sts:TagSession", "kms:AnOperationThatIsAddedNextMonth",
		"ecr-public:DeleteRepository", "s3:GetObject", "secretsmanager:GetSecretValue",
	},
)

// operations returns an action for each operation of a client of the SDK. The
// client has a method for each operation, and another that only makes the
// request.
func operations(service string, client any) []string {
	methods := reflect.TypeOf(client)
	var actions []string
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if _, ok := methods.MethodByName(name + "Request"); ok {
			actions = append(actions, service+":"+name)
		}
	}
	return actions
}

func TestAllActionsAreFound(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, action := range allActions {
		service, _, _ := strings.Cut(action, ":")
		counts[service]++
	}
	for service, least := range map[string]int{"ecr": 45, "iam": 150, "sts": 8, "kms": 45, "inspector2": 40} {
		if counts[service] < least {
			t.Errorf("%s has %d actions only", service, counts[service])
		}
	}
	for _, action := range []string{"ecr:SetRepositoryPolicy", "ecr:BatchDeleteImage", "ecr:GetAuthorizationToken", "iam:CreateUser", "sts:AssumeRole", "kms:Decrypt", "inspector2:ListFindings"} {
		if !slices.Contains(allActions, action) {
			t.Errorf("%s is not among them", action)
		}
	}
}

// The places where a resource may be, relative to the scope of a session.
const (
	theRepository = "the repository of the scope" // if it has one
	inGroup       = "in the group"
	outsideGroup  = "outside the group, in the same registry"
	otherRegistry = "in another registry"
	wholeList     = "the pattern of all repositories" // the resource of a DescribeRepositories without names
	everything    = "*"
	ownKey        = "a KMS key of the account, through ECR"
	ownKeyNoGrant = "the same, but a grant on it would not be for a resource of AWS"
	otherKey      = "another KMS key"
	otherResource = "no repository and no key"
)

// The owners of a resource.
const (
	ours   = "ours"
	noOrg  = "no org's" // it has no such tag, or it does not exist; for a policy both look the same
	others = "another org's"
)

// beingCreated is the owner of a repository that the request makes. Then it is
// that of the request's tags, because AWS documents that these count as the
// resource's already. If AWS does not do so, the repository is noOrg.
const beingCreated = "the request's"

// A resource is something on which a session may try an action.
type resource struct {
	where, whose string
	arn          string
	context      map[string][]string
}

// resourcesFor returns resources of each kind for a scope.
func resourcesFor(s iam.Scope) []resource {
	var list []resource
	add := func(where, whose, arn string, context map[string][]string) {
		list = append(list, resource{where, whose, arn, context})
	}
	orgs := []struct {
		whose string
		tags  map[string]string
	}{
		{ours, map[string]string{common.OrgTag: s.Org, "Application": "x"}},
		{noOrg, nil},
		{noOrg, map[string]string{nameTag: "x", spaceTag: s.Group, "org": s.Org}},
		{others, map[string]string{common.OrgTag: otherOrg}},
		// A policy with a mistake could take these for ours.
		{others, map[string]string{common.OrgTag: ""}},
		{others, map[string]string{common.OrgTag: strings.ToUpper(s.Org)}},
		{others, map[string]string{common.OrgTag: s.Org + " "}},
		{others, map[string]string{common.OrgTag: s.Org + "2"}},
		{others, map[string]string{common.OrgTag: s.Org[:len(s.Org)-1]}},
		{others, map[string]string{common.OrgTag: "*"}},
		{others, map[string]string{common.OrgTag: "${aws:PrincipalTag/" + common.OrgTag + "}"}},
		{others, map[string]string{"SPINUP:ORG": otherOrg}},
	}
	otherAccount, otherRegion, otherPartition := s.Registry, s.Registry, s.Registry
	otherAccount.Account, otherRegion.Region, otherPartition.Partition = account2, "eu-west-1", "aws-iso"
	one, group := []string(nil), []string{s.ARN(s.Group + "/a"), s.ARN(s.Group + "/a/b")}
	if s.Name != "" {
		one, group = []string{s.Repository()}, []string{s.Repository() + "/b", s.Repository() + "b", s.ARN(s.Group + "/b"), s.ARN(s.Group + "/b/" + s.Name)}
	}
	for where, arns := range map[string][]string{
		theRepository: one,
		inGroup:       group,
		outsideGroup: {
			s.ARN("other/a"),
			s.ARN(s.Group + "1/a"), s.ARN(s.Group + "-/a"), s.ARN(s.Group[:len(s.Group)-1] + "/a"),
			s.ARN(s.Group), // a repository and no group
			s.ARN("a/" + s.Group + "/a"), s.ARN("a"),
		},
		otherRegistry: {
			otherAccount.ARN(s.Group + "/a"), otherRegion.ARN(s.Group + "/a"), otherPartition.ARN(s.Group + "/a"),
			otherAccount.ARN("*"), otherRegion.ARN("*"),
		},
	} {
		for i, arn := range arns {
			for j, o := range orgs {
				if j > 3 && (i > 0 || where != inGroup && where != theRepository) {
					break // the unusual orgs are tried in one place only
				}
				context := map[string][]string{}
				for k, v := range o.tags {
					context["aws:ResourceTag/"+k], context["ecr:ResourceTag/"+k] = []string{v}, []string{v}
				}
				add(where, o.whose, arn, context)
			}
		}
	}
	add(inGroup, beingCreated, group[0], nil)
	add(wholeList, noOrg, s.ARN("*"), nil)
	add(everything, noOrg, "*", nil)

	via := func(service string) map[string][]string {
		return map[string][]string{"kms:ViaService": {service}, "kms:CallerAccount": {s.Account}, "kms:GrantIsForAWSResource": {"true"}}
	}
	throughECR := via("ecr." + s.Region + ".amazonaws.com")
	kms := fmt.Sprintf("arn:%s:kms:%s:%s:", s.Partition, s.Region, s.Account)
	add(ownKey, noOrg, kms+"key/1234abcd", throughECR)
	for _, context := range []map[string][]string{
		{"kms:ViaService": throughECR["kms:ViaService"]},
		{"kms:ViaService": throughECR["kms:ViaService"], "kms:GrantIsForAWSResource": {"false"}},
	} {
		add(ownKeyNoGrant, noOrg, kms+"key/1234abcd", context)
	}
	add(otherKey, noOrg, kms+"key/1234abcd", nil)
	add(otherKey, noOrg, kms+"key/1234abcd", via("ec2."+s.Region+".amazonaws.com"))
	add(otherKey, noOrg, kms+"key/1234abcd", via("ecr.eu-west-1.amazonaws.com"))
	add(otherKey, noOrg, kms+"alias/ours", throughECR)
	add(otherKey, noOrg, strings.Replace(kms, s.Account, account2, 1)+"key/1234abcd", throughECR)
	add(otherKey, noOrg, strings.Replace(kms, s.Region, "eu-west-1", 1)+"key/1234abcd", throughECR)
	add(otherKey, noOrg, "*", throughECR)

	role := fmt.Sprintf("arn:%s:iam::%s:", s.Partition, s.Account)
	for _, arn := range []string{role + "role/ecr-api", role + "user/a", role + "policy/a", "arn:aws:s3:::a/b"} {
		add(otherResource, noOrg, arn, nil)
	}
	return list
}

// with returns the resource as it is for a request with these tags.
func (r resource) with(s iam.Scope, tags map[string]string) resource {
	if r.whose != beingCreated {
		return r
	}
	r.whose, r.context = noOrg, map[string][]string{}
	for k, v := range tags {
		r.context["aws:ResourceTag/"+k], r.context["ecr:ResourceTag/"+k] = []string{v}, []string{v}
		switch {
		case !strings.EqualFold(k, common.OrgTag):
		case v == s.Org:
			r.whose = ours
		default:
			r.whose = others
		}
	}
	return r
}

// The tags that a request may have.
const (
	noTags       = "no tags"
	plainTags    = "plain tags"
	ourOrg       = "our org"
	ourOrgUpper  = "our org in capitals"
	theirOrg     = "another org"
	nameOnly     = "Name"
	spaceOnly    = "spinup:spaceid"
	spaceUpper   = "spinup:spaceid in capitals"
	plainAndName = "plain tags and Name"
)

func requestTags(s iam.Scope) map[string]map[string]string {
	return map[string]map[string]string{
		noTags:       nil,
		plainTags:    {"Application": "x", "name": "x", "org": otherOrg},
		ourOrg:       {"Application": "x", common.OrgTag: s.Org, nameTag: s.Group + "/a", spaceTag: s.Group},
		ourOrgUpper:  {"SPINUP:ORG": s.Org},
		theirOrg:     {common.OrgTag: otherOrg, nameTag: s.Group + "/a", spaceTag: s.Group},
		nameOnly:     {nameTag: "x"},
		spaceOnly:    {spaceTag: s.Group},
		spaceUpper:   {"Spinup:SpaceID": s.Group},
		plainAndName: {"Application": "x", nameTag: "x"},
	}
}

// bringsTags are the actions whose requests have tags. The other actions are
// tried only with the tags that allow the most.
var bringsTags = []string{"ecr:CreateRepository", "ecr:TagResource", "ecr:UntagResource"}

// A right says on which resources, and with which tags, a row's policy allows
// or denies some actions. A nil list means all.
type right struct {
	do     []string
	except []string // actions to which it does not apply
	where  []string
	whose  []string
	with   []string
}

func (r right) covers(action string, on resource, tags string) bool {
	in := func(list []string, s string) bool { return list == nil || slices.Contains(list, s) }
	named := in(r.do, action) || slices.Contains(r.do, "ecr:*") && strings.HasPrefix(action, "ecr:")
	return named && !slices.Contains(r.except, action) && in(r.where, on.where) && in(r.whose, on.whose) && in(r.with, tags)
}

// notOthers is the value of whose for a right that excludes other orgs'
// repositories.
var notOthers = []string{ours, noOrg}

// denyOtherOrgs is every action on a repository whose tag names another org. A
// policy must deny it. It is not enough to leave it out, because a repository's
// own policy could allow it.
var denyOtherOrgs = right{do: []string{"ecr:*"}, whose: []string{others}}

// decisionFor returns what a row's policy must decide, as the row's entry says.
func decisionFor(e rowTest, action string, on resource, tags string) policy.Decision {
	covered := func(rights []right) bool {
		return slices.ContainsFunc(rights, func(r right) bool { return r.covers(action, on, tags) })
	}
	switch {
	case covered(e.never):
		return policy.Deny
	case covered(e.may):
		return policy.Allow
	}
	return policy.NotAllowed
}

// mistakes returns where a policy decides differently from the row's entry. It
// stops when it has found enough.
func mistakes(t *testing.T, e rowTest, s iam.Scope, p iam.Policy, actions []string, enough int) []string {
	t.Helper()
	document, err := policy.Parse(p.String())
	if err != nil {
		t.Fatalf("%v: %s", err, p)
	}
	var found []string
	requests := requestTags(s)
	for _, on := range resourcesFor(s) {
		for tags, request := range requests {
			on := on.with(s, request)
			context := requestContext(s, on, request)
			for _, action := range actions {
				if tags != ourOrg && !slices.Contains(bringsTags, action) {
					continue
				}
				got, err := policy.Decide(policy.Request{Action: action, Resource: on.arn, Context: context}, document)
				if err != nil {
					t.Fatal(err)
				}
				if want := decisionFor(e, action, on, tags); got != want {
					found = append(found, fmt.Sprintf("%s on %s %v (%s, %s) with %s: %s, want %s",
						action, on.arn, on.context, on.where, on.whose, tags, got, want))
				}
				if len(found) == enough {
					return found
				}
			}
		}
	}
	return found
}

func requestContext(s iam.Scope, on resource, tags map[string]string) map[string][]string {
	context := map[string][]string{
		"aws:PrincipalAccount":              {s.Account},
		"aws:PrincipalTag/" + common.OrgTag: {s.Org},
		"aws:RequestedRegion":               {s.Region},
	}
	maps.Copy(context, on.context)
	for k, v := range tags {
		context["aws:RequestTag/"+k] = []string{v}
		context["aws:TagKeys"] = append(context["aws:TagKeys"], k)
	}
	return lowerKeys(context)
}

// everyCharacter has all characters that names and orgs may have.
var everyCharacter = iam.Scope{
	Registry: common.Registry{Partition: "aws-us-gov", Region: "us-gov-west-1", Account: "000000000001"},
	Org:      "A b+c=d._:/@-e", Group: "a.b_c-d",
}

// sessionsOfECR are the policies but for those that call IAM. Their tests are in
// userattacks_test.go.
func sessionsOfECR(t *testing.T) []sessionPolicy {
	return slices.DeleteFunc(sessionPolicies(t), func(p sessionPolicy) bool { return p.ofIAM })
}

func TestPoliciesAllowNothingElse(t *testing.T) {
	t.Parallel()
	for _, p := range sessionsOfECR(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.scope(exampleScope)
			for _, m := range mistakes(t, p.entry, s, p.of(s), allActions, 10) {
				t.Error(m)
			}
			s = p.scope(everyCharacter)
			for _, m := range mistakes(t, p.entry, s, p.of(s), operations("ecr", &awsecr.ECR{}), 10) {
				t.Error(m)
			}
		})
	}
}

// If a part of a policy is left out or widened, mistakes finds it. If not, that
// part is not needed, or it is not tested.
func TestNoPartOfAPolicyCouldBeWeaker(t *testing.T) {
	t.Parallel()
	actions := []string{"ecr:BatchDeleteImage", "ecr:UntagResource", "kms:Decrypt", "inspector2:Disable"}
	for _, p := range sessionsOfECR(t) {
		for _, s := range p.of(p.scope(exampleScope)).Statement {
			for _, a := range s.Action {
				if !strings.HasSuffix(a, "*") && !slices.Contains(actions, a) {
					actions = append(actions, a)
				}
			}
		}
	}
	for _, p := range sessionsOfECR(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.scope(exampleScope)
			for name, weaker := range weakened(p.of(s)) {
				noticed := len(mistakes(t, p.entry, s, weaker, actions, 1)) > 0
				if noticed == slices.Contains(p.entry.redundant, name) {
					t.Errorf("%s: noticed: %v, want %v", name, noticed, !noticed)
				}
			}
		})
	}
}

// weakened returns all policies that are one step weaker.
func weakened(p iam.Policy) map[string]iam.Policy {
	list := map[string]iam.Policy{}
	for i, s := range p.Statement {
		put := func(what string, changed ...iam.Statement) {
			list[fmt.Sprintf("statement %d %s", i, what)] = iam.NewPolicy(slices.Concat(p.Statement[:i], changed, p.Statement[i+1:])...)
		}
		if s.Effect == "Deny" {
			narrowed(s, put)
		} else {
			widened(s, put)
		}
	}
	return list
}

// narrowed puts the ways in which a Deny can deny less.
func narrowed(s iam.Statement, put func(what string, changed ...iam.Statement)) {
	put("left out")
	narrower := s
	if s.NotResource == nil {
		narrower.Resource = []string{exampleScope.GroupRepositories()}
		put("on the group only", narrower)
	} else {
		narrower.NotResource = []string{exampleScope.GroupRepositories()}
		put("outside the group only", narrower)
		narrower.NotResource = []string{strings.Replace(s.NotResource[0], exampleScope.Account, "*", 1)}
		put("on other names only", narrower)
	}
	for _, a := range []string{"ecr:BatchDeleteImage", "ecr:BatchGetImage"} {
		if s.NotAction != nil && !slices.Contains(s.NotAction, a) {
			narrower := s
			narrower.NotAction = append(slices.Clone(s.NotAction), a)
			put("but not of "+a, narrower)
		}
	}
	for _, a := range s.Action {
		if len(s.Action) > 1 {
			put("without "+a, without(iam.NewPolicy(s), 0, a).Statement...)
		}
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			for _, v := range values {
				if len(values) > 1 {
					fewer := withoutCondition(s, operator, key)
					put("without the value "+v, fewer.When(operator, key, slices.DeleteFunc(slices.Clone(values), func(w string) bool { return w == v })...))
				}
			}
		}
	}
}

// widened puts the ways in which an Allow can allow more.
func widened(s iam.Statement, put func(what string, changed ...iam.Statement)) {
	for _, r := range []string{
		"*",
		strings.Replace(s.Resource[0], exampleScope.Group+"/*", exampleScope.Group+"*", 1),
		strings.Replace(s.Resource[0], exampleScope.Group+"/a", exampleScope.Group+"/*", 1),
		strings.Replace(s.Resource[0], exampleScope.Group, "*", 1),
		strings.Replace(s.Resource[0], "/"+exampleScope.Org+"/", "/*/", 1),
		strings.Replace(s.Resource[0], "-builder", "-*", 1),
		strings.Replace(s.Resource[0], exampleScope.Account, "*", 1),
		strings.Replace(s.Resource[0], exampleScope.Region, "*", 1),
	} {
		if r != s.Resource[0] {
			wider := s
			wider.Resource = []string{r}
			put("on "+r, wider)
		}
	}
	service, _, _ := strings.Cut(s.Action[0], ":")
	wider := s
	wider.Action = []string{service + ":*"}
	put("of "+service+":*", wider)
	for operator, keys := range s.Condition {
		for key := range keys {
			put("without "+operator+" "+key, withoutCondition(s, operator, key))
		}
	}
}

func withoutCondition(s iam.Statement, operator, key string) iam.Statement {
	fewer := s
	fewer.Condition = nil
	for o, keys := range s.Condition {
		for k, values := range keys {
			if o != operator || k != key {
				fewer = fewer.When(o, k, values...)
			}
		}
	}
	return fewer
}
