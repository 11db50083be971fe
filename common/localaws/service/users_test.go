//lint:file-ignore SA1019 The service uses the SDK's first version.

package service_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	localecr "github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
	localsts "github.com/YaleSpinup/ecr-api/common/localaws/sts"
)

// testKeys are the keys of users. A key whose session is nil is inactive.
type testKeys struct {
	mu       sync.Mutex
	sessions map[string]*service.Session
	used     []string
}

func (k *testKeys) Find(accessKey string) (*service.Session, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.sessions[accessKey]
	return s, ok
}

func (k *testKeys) Used(accessKey, service, region string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used = append(k.used, strings.Join([]string{accessKey, service, region, now.Format(time.TimeOnly)}, " "))
}

// set sets the user of a key.
func (k *testKeys) set(accessKey string, s *service.Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sessions == nil {
		k.sessions = make(map[string]*service.Session)
	}
	k.sessions[accessKey] = s
}

const (
	here, there = service.AdministratorAccount, awstest.Other

	userKey, userSecret = "AKIAUSER000000000000", "the secret of alice"
)

// alice returns a user with policies. "" is no policy.
func alice(t *testing.T, account, permissions, boundary string) *service.Session {
	t.Helper()
	arn := "arn:aws:iam::" + account + ":user/spinup/ours/alice"
	s := &service.Session{
		Principal: service.Principal{Account: account, ARN: arn, Identity: arn, UserID: "AIDAALICE000000000000", UserName: "alice",
			Tags: map[string]string{"spinup:org": "ours", "ResourceName": "group/one"}},
		Secret: userSecret,
	}
	if permissions != "" {
		s.Permissions = []policy.Policy{parse(t, permissions)}
	}
	if boundary != "" {
		limit := parse(t, boundary)
		s.Boundary = &limit
	}
	return s
}

func parse(t *testing.T, document string) policy.Policy {
	t.Helper()
	p, err := policy.Parse(document)
	awstest.Must(t, err)
	return p
}

// street is a server of ecr and sts with users and the repository group/one,
// which has a policy.
type street struct {
	keys testKeys
	aws  *session.Session
}

// newStreet returns a street. Its roles all have the account of the
// administrator. The policy "" is none.
func newStreet(t *testing.T, repositoryPolicy string, roles ...localsts.Role) *street {
	t.Helper()
	now := func() time.Time { return awstest.Noon }
	store, sessions := localecr.New(now, "", 1), service.NewSessions()
	t.Cleanup(func() { awstest.Must(t, store.Close()) })
	assuming, err := localsts.New(roles, sessions)
	awstest.Must(t, err)
	place := service.Place{Account: here, Region: awstest.Here}
	awstest.Must(t, store.AddRepository(place, "group/one", map[string]string{"spinup:org": "ours"}))
	if repositoryPolicy != "" {
		awstest.Must(t, store.SetPolicy(place, "group/one", repositoryPolicy))
	}
	s := &street{}
	server := httptest.NewServer(service.NewServer(service.Options{
		Services: []service.Service{store.Service(), assuming.Service()},
		Sessions: sessions,
		UserKeys: &s.keys,
		Now:      now,
		FaultFor: func(service.Call) service.Fault { return nil },
	}))
	t.Cleanup(server.Close)
	s.aws = session.Must(session.NewSession(&aws.Config{
		Endpoint: &server.URL, Region: aws.String(awstest.Here), MaxRetries: aws.Int(0),
	}))
	return s
}

func (s *street) as(key, secret, token string) *session.Session {
	return s.aws.Copy(&aws.Config{Credentials: credentials.NewStaticCredentials(key, secret, token)})
}

// describeImages describes the images of group/one as the user.
func (s *street) describeImages() error {
	return awstest.ErrorOf(ecr.New(s.as(userKey, userSecret, "")).DescribeImages(
		&ecr.DescribeImagesInput{RegistryId: aws.String(here), RepositoryName: aws.String("group/one")}))
}

func TestUserCredentials(t *testing.T) {
	t.Parallel()
	s := newStreet(t, "")
	s.keys.set(userKey, alice(t, there, awstest.AllowAll, ""))
	s.keys.set("AKIAINACTIVE00000000", nil)
	const user, administrator = "arn:aws:iam::210987654321:user/spinup/ours/alice", "arn:aws:iam::012345678901:user/administrator"
	for _, test := range []struct {
		name, key, secret, token string
		ecrCode, stsCode, arn    string
	}{
		{"good", userKey, userSecret, "", "", "", user},
		{"another secret", userKey, "x", "", "InvalidSignatureException", "SignatureDoesNotMatch", ""},
		{"with a token", userKey, userSecret, "token", "UnrecognizedClientException", "InvalidClientTokenId", ""},
		{"inactive key", "AKIAINACTIVE00000000", userSecret, "", "UnrecognizedClientException", "InvalidClientTokenId", ""},
		{"key that belongs to nobody", "AKIA0000000000000000", "x", "", "", "", administrator},
	} {
		as := s.as(test.key, test.secret, test.token)
		err := awstest.ErrorOf(ecr.New(as).DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
		awstest.WantError(t, test.name, err, test.ecrCode, "")
		identity, err := sts.New(as).GetCallerIdentity(&sts.GetCallerIdentityInput{})
		awstest.WantError(t, test.name, err, test.stsCode, "")
		if got := aws.StringValue(identity.Arn); got != test.arn {
			t.Errorf("%s: the caller is %q, want %q", test.name, got, test.arn)
		}
	}
	want := []string{userKey + " ecr us-east-1 12:00:00", userKey + " sts us-east-1 12:00:00"}
	if diff := cmp.Diff(want, s.keys.used); diff != "" {
		t.Errorf("use of keys (-want +got):\n%s", diff)
	}
}

func TestCallerIdentityOfUser(t *testing.T) {
	t.Parallel()
	s := newStreet(t, "")
	s.keys.set(userKey, alice(t, there, "", ""))
	got, err := sts.New(s.as(userKey, userSecret, "")).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	awstest.Must(t, err)
	want := &sts.GetCallerIdentityOutput{
		Account: aws.String("210987654321"),
		Arn:     aws.String("arn:aws:iam::210987654321:user/spinup/ours/alice"),
		UserId:  aws.String("AIDAALICE000000000000"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// statement returns a policy of one statement. It is one of a repository if it
// has a principal.
func statement(effect, principal, action string) string {
	target := `"Resource":"*"`
	if principal != "" {
		target = `"Principal":` + principal
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `",` + target + `,"Action":"` + action + `"}}`
}

// TestPoliciesDecideOfUser shows what a user needs: its permissions and its
// boundary, and the policy of the repository.
func TestPoliciesDecideOfUser(t *testing.T) {
	t.Parallel()
	const (
		resource = "because no resource-based policy allows the ecr:DescribeImages action"
		identity = "because no identity-based policy allows the ecr:DescribeImages action"
		boundary = "because no permissions boundary allows the ecr:DescribeImages action"

		everybody    = `"*"`
		theAccount   = `{"AWS":"012345678901"}`
		theUser      = `{"AWS":"arn:aws:iam::012345678901:user/spinup/ours/alice"}`
		withoutPath  = `{"AWS":"arn:aws:iam::012345678901:user/alice"}`
		otherAccount = `{"AWS":"210987654321"}`
		otherUser    = `{"AWS":"arn:aws:iam::210987654321:user/spinup/ours/alice"}`
	)
	all, list := statement("Allow", "", "ecr:*"), statement("Allow", "", "ecr:ListImages")
	no := statement("Deny", "", "ecr:DescribeImages")
	on := func(principal string) string { return statement("Allow", principal, "ecr:*") }
	deny := func(principal string) string { return statement("Deny", principal, "ecr:*") }
	for _, test := range []struct {
		name                  string
		account               string // of the user
		permissions, boundary string // of the user, "" for none
		policy                string // of the repository, "" for none
		text                  string // of the refusal, "" if the call is allowed
	}{
		{"nothing", here, "", "", "", identity},
		{"permission", here, all, "", "", ""},
		{"permission and boundary", here, all, all, "", ""},
		{"permission outside of the boundary", here, all, list, "", boundary},
		{"boundary alone", here, "", all, "", identity},
		{"neither", here, list, list, "", identity},

		{"account", here, "", "", on(theAccount), identity},
		{"account, with a permission", here, all, all, on(theAccount), ""},
		{"account, outside of the boundary", here, all, list, on(theAccount), boundary},
		{"account, with a boundary alone", here, "", all, on(theAccount), identity},
		{"user", here, "", "", on(theUser), ""},
		{"user, outside of the boundary", here, "", list, on(theUser), ""},
		{"user without its path", here, "", all, on(withoutPath), identity},
		{"everybody", here, "", "", on(everybody), ""},
		{"everybody, outside of the boundary", here, list, list, on(everybody), ""},
		{"another account", here, "", "", on(otherAccount), identity},

		{"the user's policy denies", here, no, all, on(theUser), "with an explicit deny in an identity-based policy"},
		{"the boundary denies", here, all, no, on(theUser), "with an explicit deny in a permissions boundary"},
		{"the boundary denies, and everybody may", here, all, no, on(everybody), "with an explicit deny in a permissions boundary"},
		{"the repository denies everybody", here, all, all, deny(everybody), "with an explicit deny in a resource-based policy"},
		{"the repository denies the account", here, all, all, deny(theAccount), "with an explicit deny in a resource-based policy"},
		{"the repository denies the user", here, all, all, deny(theUser), "with an explicit deny in a resource-based policy"},
		{"the repository denies others", here, all, all, deny(otherUser), ""},

		{"other account: no policy", there, all, all, "", resource},
		{"other account: account", there, all, all, on(otherAccount), ""},
		{"other account: account, and no permission", there, "", all, on(otherAccount), resource},
		{"other account: account, outside of the boundary", there, all, list, on(otherAccount), boundary},
		{"other account: user", there, all, "", on(otherUser), ""},
		{"other account: user, and no permission", there, "", "", on(otherUser), identity},
		{"other account: user, outside of the boundary", there, all, list, on(otherUser), boundary},
		{"other account: everybody, and no permission", there, "", all, on(everybody), identity},
		{"other account: everybody, outside of the boundary", there, all, list, on(everybody), boundary},
		{"other account: the boundary denies", there, all, no, on(otherUser), "with an explicit deny in a permissions boundary"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, test.policy)
			s.keys.set(userKey, alice(t, test.account, test.permissions, test.boundary))
			code, text := "", ""
			if test.text != "" {
				code = "AccessDeniedException"
				text = fmt.Sprintf("User: arn:aws:iam::%s:user/spinup/ours/alice is not authorized to perform: ecr:DescribeImages on resource: "+
					"arn:aws:ecr:us-east-1:012345678901:repository/group/one %s", test.account, test.text)
			}
			awstest.WantError(t, "call", s.describeImages(), code, text)
		})
	}
}

// TestContextOfUser shows what conditions and variables know of a user.
func TestContextOfUser(t *testing.T) {
	t.Parallel()
	const hold = `{"StringEquals":{"aws:PrincipalAccount":"012345678901","aws:PrincipalArn":"arn:aws:iam::012345678901:user/spinup/ours/alice",` +
		`"aws:PrincipalType":"User","aws:userid":"AIDAALICE000000000000","aws:username":"alice","aws:PrincipalTag/spinup:org":"ours"},` +
		`"Null":{"aws:TokenIssueTime":"true","aws:SourceIdentity":"true"}}`
	for name, test := range map[string]struct{ resource, condition, code string }{
		"all keys":         {"*", hold, ""},
		"another name":     {"*", `{"StringEquals":{"aws:username":"Alice"}}`, "AccessDeniedException"},
		"another tag":      {"*", `{"StringEquals":{"aws:PrincipalTag/spinup:org":"theirs"}}`, "AccessDeniedException"},
		"a role's session": {"*", `{"Null":{"aws:TokenIssueTime":"false"}}`, "AccessDeniedException"},
		"tag as variable":  {"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/ResourceName}", `{}`, ""},
		"tag of others":    {"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/group}/one", `{}`, "AccessDeniedException"},
		"name as variable": {"arn:aws:ecr:*:*:repository/*", `{"StringLike":{"aws:PrincipalArn":"*/${aws:username}"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, "")
			s.keys.set(userKey, alice(t, here, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"`+
				test.resource+`","Condition":`+test.condition+`}}`, ""))
			awstest.WantError(t, "call", s.describeImages(), test.code, "")
		})
	}
}

// TestUserAssumesRole shows that a user can assume a role for twelve hours,
// within its policy and its boundary, and that its tags stay with it.
func TestUserAssumesRole(t *testing.T) {
	t.Parallel()
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::012345678901:user/spinup/ours/alice"},` +
		`"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:username":"alice","aws:PrincipalTag/spinup:org":"ours"}}}}`
	const untagged = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":` +
		`{"Null":{"aws:username":"true","aws:PrincipalTag/spinup:org":"true","aws:TokenIssueTime":"false"}}}}`
	s := newStreet(t, "", localsts.Role{Account: here, Name: "app", Trust: trust, Permissions: []string{untagged}, MaxSessionDuration: 12 * 3600})
	in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(here, "app"), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int64(12 * 3600)}
	assume := statement("Allow", "", "sts:AssumeRole")
	for _, test := range []struct{ name, permissions, boundary, code, text string }{
		{"outside of the boundary", assume, statement("Allow", "", "ecr:*"), "AccessDenied", "because no permissions boundary allows the sts:AssumeRole action"},
		{"no permission", "", "", "AccessDenied", "because no identity-based policy allows the sts:AssumeRole action"},
		{"permission and boundary", assume, assume, "", ""},
	} {
		s.keys.set(userKey, alice(t, here, test.permissions, test.boundary))
		out, err := sts.New(s.as(userKey, userSecret, "")).AssumeRole(in)
		awstest.WantError(t, test.name, err, test.code, test.text)
		if err != nil {
			continue
		}
		as := s.aws.Copy(&aws.Config{Credentials: awstest.Issued(out)})
		err = awstest.ErrorOf(ecr.New(as).DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
		awstest.WantError(t, test.name+": its session", err, "", "")
	}
}

// TestPasswordOfUser shows that a password of a user stands for its key: each
// request has the rights of that time, and none when the key has none.
func TestPasswordOfUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	readOne := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"house:Read","Resource":"arn:aws:ecr:*:*:repository/group/one"}}`
	user := alice(t, there, readOne, "")
	user.AccessKey = userKey
	h.keys.set(userKey, user)
	password := h.password(t, user)
	read := func(when, want, code string) {
		t.Helper()
		login, err := h.logIn("AWS", password)
		awstest.Must(t, err)
		out, err := login.Perform("house", "Read", "group/one", layerInput{"group/one", "text"})
		if got, _ := out.(string); got != want || !strings.Contains(fmt.Sprint(err), code) {
			t.Errorf("%s: %q (%v), want %q and the error %q", when, got, err, want, code)
		}
	}
	read("at first", "text", "")
	h.keys.set(userKey, alice(t, there, readOne, statement("Allow", "", "house:List")))
	read("with another boundary", "", "because no permissions boundary allows the house:Read action")
	h.keys.set(userKey, alice(t, there, "", ""))
	read("without its policy", "", "because no identity-based policy allows the house:Read action")
	h.keys.set(userKey, nil)
	h.wantLogin(t, "inactive key", password, noLogin)
	h.keys.set(userKey, user)
	h.advance(12*time.Hour - time.Second)
	read("active again", "text", "")
	h.advance(time.Second)
	h.wantLogin(t, "after twelve hours", password, expiredLogin)

	want := slices.Repeat([]string{userKey + " house us-east-1 12:00:00"}, 4) // the password, and three times Read
	if diff := cmp.Diff(append(want, userKey+" house us-east-1 23:59:59"), h.keys.used); diff != "" {
		t.Errorf("use of keys (-want +got):\n%s", diff)
	}
}

// TestKeyWithoutUser shows that a password is refused, and not the
// administrator's, if nobody knows of its key any more.
func TestKeyWithoutUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	user := alice(t, there, "", "")
	user.AccessKey = userKey
	h.keys.set(userKey, user)
	password := h.password(t, user)
	h.keys.sessions = nil
	h.wantLogin(t, "unknown key", password, noLogin)
}
