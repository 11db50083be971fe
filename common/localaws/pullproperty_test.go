//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"pgregory.net/rapid"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const (
	here, there, third = localaws.AdministratorAccount, awstest.Other, "111122223333"

	orgKey   = "aws:PrincipalTag/spinup:org"
	groupKey = "aws:PrincipalTag/spinup:spaceid"
	ofTheOrg = "ours"

	shared    = "g1/shared"
	unshared  = "g1/another"
	getImage  = "ecr:BatchGetImage"
	getLayers = "ecr:GetDownloadUrlForLayer"
)

var pullActions = []string{getImage, getLayers}

// allRights are the policies that roles, users and sessions have, and the
// boundaries of users. The last two are like those of this service. Those come first that
// leave it to the repository, because the first are drawn more often.
var allRights = []rights{
	{},
	{allows: pullActions, on: unshared},
	{allows: []string{getImage}},
	{denies: []string{getLayers}},
	{allows: []string{"ecr:*"}},
	{allows: pullActions, on: shared},
	{allows: pullActions, denies: []string{getLayers}},
	{allows: pullActions, ifOrg: ofTheOrg},
	{allows: pullActions, denies: []string{"ecr:*"}, butTeam: "g2"},
	{allows: pullActions, on: shared, only: shared},
	{allows: []string{"ecr:*"}, on: itsOwn, only: itsOwn},
}

// document returns the policy in IAM's language, "" if it has no statement.
func (r rights) document() string {
	var statements []any
	if r.allows != nil {
		s := map[string]any{"Effect": "Allow", "Action": r.allows, "Resource": "*"}
		if r.on != "" {
			s["Resource"] = awstest.RepositoryARN(here, r.on)
		}
		if r.ifOrg != "" {
			s["Condition"] = map[string]any{"StringEquals": map[string]any{orgKey: r.ifOrg}}
		}
		statements = append(statements, s)
	}
	if r.denies != nil {
		s := map[string]any{"Effect": "Deny", "Action": r.denies, "Resource": "*"}
		if r.butTeam != "" {
			s["Condition"] = map[string]any{"StringNotEquals": map[string]any{groupKey: r.butTeam}}
		}
		statements = append(statements, s)
	}
	if r.only != "" {
		statements = append(statements, map[string]any{
			"Effect": "Deny", "NotAction": "ecr:GetAuthorizationToken", "NotResource": awstest.RepositoryARN(here, r.only),
		})
	}
	if statements == nil {
		return ""
	}
	return jsonOf(map[string]any{"Version": "2012-10-17", "Statement": statements})
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// roleTags are the tags of the roles whose names end in "-tagged".
var roleTags = map[string]string{"spinup:org": ofTheOrg, "spinup:spaceid": "g2"}

// pullWorld is an AWS with a repository that has an image.
type pullWorld struct {
	*awstest.AWS
	keys map[string]*credentials.Credentials // of users, by ARN
}

// newPullWorld returns a world with a role and a boundary for each of the
// policies in three accounts, the roles with tags and without.
func newPullWorld(t *testing.T) *pullWorld {
	t.Helper()
	var roles []localaws.Role
	for _, account := range []string{here, there, third} {
		for i, r := range allRights {
			role := localaws.Role{Account: account, Name: fmt.Sprintf("role-%d", i), Trust: awstest.TrustLocal}
			if document := r.document(); document != "" {
				role.Permissions = []string{document}
			}
			tagged := role
			tagged.Name, tagged.Tags = role.Name+"-tagged", roleTags
			roles = append(roles, role, tagged)
		}
	}
	b := awstest.New(t, roles...)
	for _, account := range []string{here, there, third} {
		for i, r := range allRights[1:] {
			awstest.Must(t, b.AddManagedPolicy(account, fmt.Sprintf("boundary-%d", i+1), r.document()))
		}
	}
	awstest.Must(t, b.AddRepository(here, awstest.Here, shared, nil))
	awstest.Must(t, b.AddImage(here, awstest.Here, shared, localaws.Image{Tags: []string{"v1"}, Files: map[string]string{"a.txt": "a"}}))
	return &pullWorld{b, make(map[string]*credentials.Credentials)}
}

// drawPerson draws who pulls, with the tags of a session.
func (w *pullWorld) drawPerson(t *rapid.T) (p person, sessionTags map[string]string) {
	kind := rapid.IntRange(0, 9).Draw(t, "kind of person")
	if kind == 0 {
		return person{account: here, user: administrator}, nil
	}
	i := rapid.IntRange(0, len(allRights)-1).Draw(t, "rights")
	p = person{
		account:  rapid.SampledFrom([]string{here, here, there, third}).Draw(t, "account"),
		tags:     map[string]string{},
		identity: allRights[i],
	}
	tags := drawTags(t)
	if kind < 5 {
		w.drawUser(t, &p, i, tags)
		return p, nil
	}
	p.role = fmt.Sprintf("role-%d", i)
	p.session = rapid.SampledFrom([]string{"one", "two"}).Draw(t, "session")
	if rapid.Bool().Draw(t, "tagged role") {
		p.role += "-tagged"
		maps.Copy(p.tags, roleTags)
	}
	p.addTags(tags)
	if rapid.Bool().Draw(t, "limited") {
		limit := rapid.SampledFrom(limits).Draw(t, "limit")
		p.limit = &limit.rights
	}
	return p, tags
}

// limit is a policy that is not empty, with its number.
type limit struct {
	number int
	rights rights
}

var limits = func() (all []limit) {
	for i, r := range allRights[1:] {
		all = append(all, limit{i + 1, r})
	}
	return all
}()

// drawTags draws the tags of a session or a user.
func drawTags(t *rapid.T) map[string]string {
	tags := map[string]string{}
	for _, tag := range []struct {
		key    string
		values []string
	}{
		{"spinup:org", []string{ofTheOrg, ofTheOrg, "theirs", "Ours"}},
		{"spinup:spaceid", []string{"g1", "g2", "g22"}},
		{"ResourceName", []string{shared, unshared}},
	} {
		if rapid.Bool().Draw(t, "has "+tag.key) {
			tags[tag.key] = rapid.SampledFrom(tag.values).Draw(t, tag.key)
		}
	}
	return tags
}

func (p person) addTags(tags map[string]string) {
	for key, value := range tags {
		p.tags[strings.ToLower(key)] = value
	}
}

// drawUser makes the person a user with the policy of a number. The user is
// added to the AWS, unless it is there. Its name tells its policies and tags.
func (w *pullWorld) drawUser(t *rapid.T, p *person, number int, tags map[string]string) {
	p.addTags(tags)
	p.user = fmt.Sprintf("user-%d", number)
	u := localaws.User{Path: userPath, Tags: tags}
	if rapid.IntRange(0, 3).Draw(t, "bounded") > 0 {
		bounds := rapid.SampledFrom(limits).Draw(t, "boundary")
		p.boundary, u.Boundary = &bounds.rights, fmt.Sprintf("boundary-%d", bounds.number)
		p.user += "-" + u.Boundary
	}
	p.user += fmt.Sprintf("-%.8x", sha256.Sum256([]byte(jsonOf(tags))))
	if w.keys[p.arn()] != nil {
		return
	}
	u.Name = p.user
	if document := p.identity.document(); document != "" {
		u.Policies = map[string]string{"its-policy": document}
	}
	if err := w.AddUser(p.account, u); err != nil {
		t.Fatal(err)
	}
	id, secret, err := w.AddUserKey(p.account, u.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.keys[p.arn()] = credentials.NewStaticCredentials(id, secret, "")
}

// clientOf returns a client of a person.
func (w *pullWorld) clientOf(t *rapid.T, p person, sessionTags map[string]string) *ecr.ECR {
	switch p.user {
	case "":
		return ecr.New(w.Session(awstest.Here, w.assume(t, p, sessionTags)))
	case administrator:
		return w.ECR(awstest.Here)
	}
	return ecr.New(w.Session(awstest.Here, w.keys[p.arn()]))
}

// assume returns the credentials of a session.
func (w *pullWorld) assume(t *rapid.T, p person, sessionTags map[string]string) *credentials.Credentials {
	in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(p.account, p.role), RoleSessionName: &p.session, ExternalId: aws.String("local")}
	for key, value := range sessionTags {
		in.Tags = append(in.Tags, &sts.Tag{Key: &key, Value: &value})
	}
	if p.limit != nil {
		in.Policy = aws.String(p.limit.document())
	}
	out, err := w.STS().AssumeRole(in)
	if err != nil {
		t.Fatal(err)
	}
	return awstest.Issued(out)
}

// drawRules draws the policy of a repository: at first what the service writes
// for groups and accounts, and then statements of others about these persons.
func drawRules(t *rapid.T, persons []person) (rules []rule) {
	groups := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"g1", "g2", "g3"}), rapid.ID).Draw(t, "groups")
	accounts := rapid.SliceOfDistinct(rapid.SampledFrom([]string{there, third}), rapid.ID).Draw(t, "accounts")
	if len(groups) > 0 {
		rules = append(rules, rule{everybody: true, actions: pullActions, conditions: []demand{
			{"StringEquals", orgKey, []string{ofTheOrg}}, {"StringEquals", groupKey, groups},
			{"StringEquals", "aws:PrincipalAccount", append([]string{here}, accounts...)},
		}})
	}
	if len(accounts) > 0 {
		roots := make([]string, len(accounts))
		for i, account := range accounts {
			roots[i] = "arn:aws:iam::" + account + ":root"
		}
		rules = append(rules, rule{named: roots, actions: pullActions, conditions: []demand{{"StringEquals", "aws:PrincipalAccount", accounts}}})
	}
	for range rapid.IntRange(0, 5).Draw(t, "foreign statements") {
		rules = append(rules, drawForeign(t, persons))
	}
	return rules
}

// drawForeign draws a statement of others. It is about one of the persons,
// perhaps among others.
func drawForeign(t *rapid.T, persons []person) (r rule) {
	p := rapid.SampledFrom(persons).Draw(t, "about")
	names := []string{p.arn(), rapid.SampledFrom([]string{p.account, "arn:aws:iam::" + p.account + ":root"}).Draw(t, "its account")}
	if p.user == "" {
		names = append(names, p.roleARN())
	}
	r.deny = rapid.IntRange(0, 2).Draw(t, "deny") == 0
	switch kind := rapid.IntRange(0, 7).Draw(t, "kind"); {
	case kind == 0:
		r.everybody = true
	case kind <= 3 && r.deny:
		r.butNot = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "but not")
	default:
		if rapid.IntRange(0, 3).Draw(t, "names another") == 0 {
			names = append(names, rapid.SampledFrom(persons).Draw(t, "another").arn(), "arn:aws:sts::"+here+":assumed-role/role-0/three")
		}
		r.named = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 2, rapid.ID).Draw(t, "named")
	}
	r.actions = rapid.SampledFrom([][]string{{"ecr:*"}, pullActions, {getImage}, {getLayers}, {"ecr:PutImage"}}).Draw(t, "actions")
	if rapid.Bool().Draw(t, "is for all of them") {
		return r
	}
	operatorAndKey := func(d demand) string { return d.operator + strings.ToLower(d.key) }
	r.conditions = rapid.SliceOfNDistinct(rapid.SampledFrom(demands), 1, 2, operatorAndKey).Draw(t, "conditions")
	return r
}

// demands are the conditions of others' statements.
var demands = []demand{
	{"StringEquals", "aws:principaltag/SPINUP:org", []string{"theirs", ofTheOrg}},
	{"StringEquals", groupKey, []string{"g1"}},
	{"StringEquals", groupKey, []string{"*"}},
	{"StringEquals", "aws:PrincipalAccount", []string{there}},
	{"StringEquals", "aws:PrincipalTag/none", []string{""}},
	{"StringEqualsIfExists", groupKey, []string{"g2"}},
	{"StringNotEquals", orgKey, []string{ofTheOrg}},
	{"StringNotEquals", "aws:PrincipalAccount", []string{here, there}},
	{"StringLike", groupKey, []string{"g2*"}},
	{"StringLike", "aws:PrincipalArn", []string{"arn:aws:iam::" + there + ":role/*", "arn:aws:iam::" + here + ":user/*"}},
	{"StringNotLike", orgKey, []string{"our*"}},
	{"Null", groupKey, []string{"true"}},
	{"Null", orgKey, []string{"false"}},
	{"StringEquals", "aws:PrincipalType", []string{"User"}},
	{"StringLike", "aws:username", []string{"user-1-*", administrator}},
	{"StringNotLike", "aws:username", []string{"user-*"}},
	{"Null", "aws:TokenIssueTime", []string{"true"}},
}

// policyOfRules returns the policy in the language of ECR.
func policyOfRules(rules []rule) string {
	var statements []any
	for _, r := range rules {
		s := map[string]any{"Effect": "Allow", "Action": r.actions}
		if r.deny {
			s["Effect"] = "Deny"
		}
		switch {
		case r.everybody:
			s["Principal"] = "*"
		case r.butNot != nil:
			s["NotPrincipal"] = map[string]any{"AWS": r.butNot}
		default:
			s["Principal"] = map[string]any{"AWS": r.named}
		}
		conditions := map[string]map[string]any{}
		for _, d := range r.conditions {
			if conditions[d.operator] == nil {
				conditions[d.operator] = map[string]any{}
			}
			conditions[d.operator][d.key] = d.values
		}
		if len(conditions) > 0 {
			s["Condition"] = conditions
		}
		statements = append(statements, s)
	}
	return jsonOf(map[string]any{"Version": "2012-10-17", "Statement": statements})
}

// TestRandomPulls lets random persons pull from a repository with a random
// policy, and compares with what the evaluator says.
func TestRandomPulls(t *testing.T) {
	t.Parallel()
	w := newPullWorld(t)
	registry, repository := aws.String(here), aws.String(shared)
	v1 := []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}
	owner := w.ECR(awstest.Here)
	out, err := owner.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: repository, ImageIds: v1})
	awstest.Must(t, err)
	var manifest struct{ Layers []struct{ Digest string } }
	awstest.Must(t, json.Unmarshal([]byte(*out.Images[0].ImageManifest), &manifest))
	calls := map[string]func(*ecr.ECR) error{
		getImage: func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.BatchGetImage(&ecr.BatchGetImageInput{RegistryId: registry, RepositoryName: repository, ImageIds: v1}))
		},
		getLayers: func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetDownloadUrlForLayer(&ecr.GetDownloadUrlForLayerInput{
				RegistryId: registry, RepositoryName: repository, LayerDigest: &manifest.Layers[0].Digest,
			}))
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		persons := make([]person, 8)
		tags := make([]map[string]string, len(persons))
		for i := range persons {
			persons[i], tags[i] = w.drawPerson(t)
		}
		rules := drawRules(t, persons)
		setRules(t, owner, rules)
		for i, p := range persons {
			client := w.clientOf(t, p, tags[i])
			for _, action := range pullActions {
				want, err := "", calls[action](client)
				if !mayDo(p, action, here, shared, rules) {
					want = "AccessDeniedException"
				}
				if got := awstest.CodeOf(err); got != want {
					t.Fatalf("%s by %s with %v and %+v, limited by %+v and %+v:\n%v\nwant the code %q with the policy %s",
						action, p.arn(), p.tags, p.identity, p.boundary, p.limit, err, want, policyOfRules(rules))
				}
			}
		}
	})
}

// setRules sets the policy of the repository, which has none without rules. The
// one before it may deny the administrator everything but its removal.
func setRules(t *rapid.T, owner *ecr.ECR, rules []rule) {
	repository := aws.String(shared)
	err := awstest.ErrorOf(owner.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: repository}))
	if code := awstest.CodeOf(err); code != "" && code != "RepositoryPolicyNotFoundException" {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		return
	}
	err = awstest.ErrorOf(owner.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: repository, PolicyText: aws.String(policyOfRules(rules))}))
	if err != nil {
		t.Fatal(err)
	}
}
