package check

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
)

const (
	here  = localaws.AdministratorAccount
	other = awstest.Other

	identity = "arn:aws:iam::012345678901:user/administrator"
)

func configFor(endpoint string) *common.Config {
	c := common.Defaults()
	c.Org = "spindev"
	c.Account = common.Account{
		Region: "us-east-1", AKID: "AKID", Secret: "hush", ExternalID: "local", Role: "ecr-api", Endpoint: endpoint,
	}
	c.Token = common.Keys{{Name: "default", Secret: "a long pre-shared key"}}
	c.Accounts = map[string]string{"main": here, "other": other}
	return c
}

// role returns the role of the other account.
func role(trust, permissions string) localaws.Role {
	return localaws.Role{Account: other, Name: "ecr-api", Trust: trust, Permissions: []string{permissions}}
}

// wantRun runs the check, and compares what it writes and its error.
func wantRun(t *testing.T, c *common.Config, accounts []string, want, wantError string) {
	t.Helper()
	var out bytes.Buffer
	err := Run(context.Background(), c, "", accounts, &out)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	message := ""
	if err != nil {
		message = err.Error()
	}
	if diff := cmp.Diff(wantError, message); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func allowing(action string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"*"}}`
}

// The check says what to mend in an account.
func TestAccount(t *testing.T) {
	t.Parallel()
	const (
		assume    = "AssumeRole of arn:aws:iam::210987654321:role/ecr-api "
		anyReason = "refused: the role does not exist, or its trust policy does not allow " + identity +
			" with this external id, or the policy of " + identity + " does not allow sts:AssumeRole"
		unknownSession = "ECR does not know the session (UnrecognizedClientException): " +
			"is the region enabled in that account, or was the role just made anew?"
	)
	const (
		scanning  = "; image scanning: "
		good      = "good; docker credentials: set up" + scanning
		anonymous = "good, but sts:SetSourceIdentity is not allowed: CloudTrail will not show which key the calls are for (docs/aws.md); docker credentials: "
		notSetUp  = "not set up (config/aws/credentials-policy.json)"
		mayNotAsk = "not known: the role may not ask, so findings of enhanced scanning are not set up (config/aws/inspector-policy.json)"
	)
	var described, loggedIn atomic.Bool // of "no second session" and "no third session"
	given := func(permissions ...string) localaws.Role {
		return localaws.Role{Account: other, Name: "ecr-api", Trust: awstest.TrustLocal, Permissions: permissions}
	}
	open := role(awstest.TrustLocal, awstest.AllowAll)
	noIdentity := strings.Replace(awstest.TrustLocal, `,"sts:SetSourceIdentity"`, "", 1)
	for name, test := range map[string]struct {
		role  localaws.Role
		fault localaws.Fault
		want  string
	}{
		"all is well":           {open, localaws.Fault{}, good + "basic"},
		"least permissions":     {role(awstest.TrustLocal, allowing("ecr:DescribeRepositories")), localaws.Fault{}, "good; docker credentials: " + notSetUp + scanning + mayNotAsk},
		"the policies as given": {given(config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy), localaws.Fault{}, good + "basic"},
		"not that of Inspector": {given(config.RolePolicy, config.CredentialsPolicy), localaws.Fault{}, good + mayNotAsk},
		"scanning fails": {open, localaws.Fault{Operation: "ecr:GetRegistryScanningConfiguration", Code: "InvalidParameterException", Message: "no"},
			good + "not known: ecr: GetRegistryScanningConfiguration failed: InvalidParameterException: no"},
		"no third session": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "PackedPolicyTooLarge", Message: "much\n too large",
			When: func(localaws.Call) bool { return loggedIn.Load() }},
			good + "not known: " + assume + "failed: PackedPolicyTooLarge: much too large"},
		"passwords fail": {open, localaws.Fault{Operation: "ecr:GetAuthorizationToken", Code: "InvalidParameterException", Message: "no"},
			"ecr: GetAuthorizationToken failed: InvalidParameterException: no"},
		"no second session": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "PackedPolicyTooLarge", Message: "no",
			When: func(localaws.Call) bool { return described.Load() }},
			assume + "failed: PackedPolicyTooLarge: no"},
		"another identity":    {role(strings.Replace(awstest.TrustLocal, here, "333333333333", 1), awstest.AllowAll), localaws.Fault{}, assume + anyReason},
		"another external id": {role(strings.Replace(awstest.TrustLocal, `"local"`, `"foreign"`, 1), awstest.AllowAll), localaws.Fault{}, assume + anyReason},
		"no sts:TagSession": {role(strings.Replace(awstest.TrustLocal, `,"sts:TagSession"`, "", 1), awstest.AllowAll), localaws.Fault{},
			assume + "refused: the role's trust policy or the policy of " + identity + " does not allow sts:TagSession"},
		"no sts:SetSourceIdentity": {role(noIdentity, awstest.AllowAll), localaws.Fault{}, anonymous + "set up" + scanning + "basic"},
		"neither of the two":       {role(noIdentity, allowing("ecr:DescribeRepositories")), localaws.Fault{}, anonymous + notSetUp + scanning + mayNotAsk},
		"AWS gives a reason": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "AccessDenied", Status: 403,
			Message: "User: x is not authorized to perform: sts:AssumeRole on resource: y because no identity-based policy allows it"},
			assume + anyReason + " (AWS: no identity-based policy allows it)"},
		"AWS gives no reason": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "AccessDenied", Status: 403, Message: "Access denied"},
			assume + anyReason},
		"region not activated": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "RegionDisabledException", Status: 403},
			assume + "failed: STS is not activated for this region in the account of " + identity},
		"another error": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "PackedPolicyTooLarge", Message: "much\n  too large"},
			assume + "failed: PackedPolicyTooLarge: much too large"},
		"no permissions": {role(awstest.TrustLocal, allowing("ecr:ListTagsForResource")), localaws.Fault{},
			"ecr: DescribeRepositories denied: the role's permissions (config/aws/role-policy.json), or a policy of the organization"},
		"ECR does not know the session": {open, localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "UnrecognizedClientException", Message: "no"},
			"ecr: DescribeRepositories failed: " + unknownSession},
		"the same in another protocol": {open, localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "InvalidClientTokenId", Message: "no"},
			"ecr: DescribeRepositories failed: " + strings.Replace(unknownSession, "UnrecognizedClientException", "InvalidClientTokenId", 1)},
		"AWS says nothing but a code": {open, localaws.Fault{Operation: "sts:AssumeRole", Code: "MalformedPolicyDocument"}, assume + "failed: MalformedPolicyDocument"},
		"ECR fails": {open, localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "InvalidParameterException", Message: "no"},
			"ecr: DescribeRepositories failed: InvalidParameterException: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := awstest.New(t, test.role)
			aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "unused", When: func(localaws.Call) bool {
				described.Store(described.Load() || name == "no second session")
				return false
			}})
			aws.Inject(localaws.Fault{Operation: "ecr:GetAuthorizationToken", Code: "unused", When: func(localaws.Call) bool {
				loggedIn.Store(loggedIn.Load() || name == "no third session")
				return false
			}})
			if test.fault.Code != "" {
				aws.Inject(test.fault)
			}
			c := configFor(aws.URL)
			c.Accounts = map[string]string{"prod": other}
			wantError := "1 of 1 accounts cannot be used"
			if strings.HasPrefix(test.want, "good") {
				wantError = ""
			}
			wantRun(t, c, nil, "identity: "+identity+"\nprod ("+other+"): "+test.want+"\n", wantError)
		})
	}
}

// Enhanced scanning is no failure, whatever else the role may do.
func TestEnhancedScanning(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t, role(awstest.TrustLocal, allowing("ecr:*")))
	awstest.Must(t, aws.SetScanning(other, "us-east-1", "ENHANCED"))
	wantRun(t, configFor(aws.URL), []string{other, here}, "identity: "+identity+"\n"+
		"210987654321: good; docker credentials: set up; image scanning: enhanced (Amazon Inspector), and the role needs config/aws/inspector-policy.json for its findings\n"+
		"012345678901: good; docker credentials: set up; image scanning: basic\n", "")
}

// An account is good also if AWS does not say what scans its images.
func TestScanningThatAWSDoesNotTell(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t)
	aws.Inject(localaws.Fault{Operation: "ecr:GetRegistryScanningConfiguration", Delay: time.Hour})
	c := configFor(aws.URL)
	c.RequestTimeout = 5 * time.Second
	wantRun(t, c, []string{other}, "identity: "+identity+"\n210987654321: good; docker credentials: set up; image scanning: not known: "+
		"ecr: GetRegistryScanningConfiguration failed: AWS did not answer in time: look at the network, HTTPS_PROXY and account.endpoint: context deadline exceeded\n", "")
}

// The password that the check gets is good for nothing.
func TestPasswordOfTheCheck(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t)
	wantRun(t, configFor(aws.URL), []string{other}, "identity: "+identity+"\n210987654321: good; docker credentials: set up; image scanning: basic\n", "")
	policies := map[string]string{}
	for _, call := range aws.Calls() {
		policies[call.Operation] = call.Policy
	}
	want := map[string]string{
		"GetCallerIdentity": "", "AssumeRole": "",
		"DescribeRepositories": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribeRepositories"],` +
			`"Resource":["arn:aws:ecr:us-east-1:210987654321:repository/*"]}]}`,
		"GetAuthorizationToken":            `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken"],"Resource":["*"]}]}`,
		"GetRegistryScanningConfiguration": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetRegistryScanningConfiguration"],"Resource":["*"]}]}`,
	}
	if diff := cmp.Diff(want, policies); diff != "" {
		t.Errorf("policies of the calls (-want +got):\n%s", diff)
	}
}

func TestWhichAccounts(t *testing.T) {
	t.Parallel()
	aws := awstest.New(t)
	const first = "identity: " + identity + "\n"
	const unknown = "accounts in the configuration has neither an alias nor an id like this\n"
	for name, test := range map[string]struct {
		configured      map[string]string
		names           []string
		want, wantError string
	}{
		"those configured": {map[string]string{"b": here, "a": other, other: other}, nil,
			first + "210987654321: good; docker credentials: set up; image scanning: basic\na (210987654321): good; docker credentials: set up; image scanning: basic\nb (012345678901): good; docker credentials: set up; image scanning: basic\n", ""},
		"those given, in that order": {map[string]string{"b": here, "a": other}, []string{other, "b"},
			first + "210987654321: good; docker credentials: set up; image scanning: basic\nb (012345678901): good; docker credentials: set up; image scanning: basic\n", ""},
		"unknown names": {map[string]string{"b": here}, []string{other, "b", "c"},
			first + "210987654321: " + unknown + "b (012345678901): good; docker credentials: set up; image scanning: basic\nc: " + unknown, "2 of 3 accounts cannot be used"},
		"any account": {nil, []string{other, "prod"},
			first + "210987654321: good; docker credentials: set up; image scanning: basic\nprod: this is not an account id (twelve digits)\n", "1 of 2 accounts cannot be used"},
		"none": {nil, nil,
			first + "no account is checked: the configuration names none. To check one: ecr-api -check 012345678901\n", ""},
		"accounts is empty": {map[string]string{}, nil, first, "accounts is empty: no account may be used"},
		"accounts is empty, one given": {map[string]string{}, []string{other},
			first + "210987654321: " + unknown, "1 of 1 accounts cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := configFor(aws.URL)
			c.Accounts = test.configured
			wantRun(t, c, test.names, test.want, test.wantError)
		})
	}
}

// If STS does not know the service, no account is tried.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"InvalidClientTokenId":  "AWS does not know the access key of this service (InvalidClientTokenId): it is wrong, inactive or deleted",
		"SignatureDoesNotMatch": "the secret does not belong to the access key of this service, or the clock is wrong (SignatureDoesNotMatch)",
		"ExpiredToken":          "the credentials of this service have expired (ExpiredToken)",
		"InternalFailure":       "InternalFailure: no",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			aws := awstest.New(t)
			aws.Inject(localaws.Fault{Operation: "sts:GetCallerIdentity", Code: code, Message: "no", Status: 403})
			c := configFor(aws.URL)
			wantRun(t, c, nil, "", "GetCallerIdentity failed: "+want)
			if err := STS(context.Background(), c); err == nil || err.Error() != "GetCallerIdentity failed: "+want {
				t.Errorf("STS: %v", err)
			}
			for _, call := range aws.Calls() {
				if call.Operation == "AssumeRole" {
					t.Error("the role was assumed all the same")
				}
			}
		})
	}
	if err := STS(context.Background(), configFor(awstest.New(t).URL)); err != nil {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secured.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for endpoint, want := range map[string]string{
		gone.URL:    "GetCallerIdentity failed: AWS cannot be reached: look at the network and account.endpoint: Post \"" + gone.URL + "/\": dial tcp ",
		secured.URL: "GetCallerIdentity failed: the certificate of AWS's host is not trusted: look at account.endpoint, HTTPS_PROXY and AWS_CA_BUNDLE: ",
	} {
		if err := STS(context.Background(), configFor(endpoint)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s...", endpoint, err, want)
		}
	}
}

// A proxy or a wrong endpoint may answer, for STS or for ECR only.
func TestSomethingOtherThanAWSAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"without a body":   {403, ""},
		"not found":        {404, "404 page not found\n"},
		"a page":           {403, "<html><body>no</body></html>"},
		"a page, and well": {200, "<html><body>log in</body></html>"},
		"JSON":             {403, "{}"},
		"XML":              {403, "<ErrorResponse></ErrorResponse>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := awstest.New(t)
			onlyECR := false
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if onlyECR && r.Header.Get("X-Amz-Target") == "" {
					aws.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(answer.status)
				io.WriteString(w, answer.body)
			}))
			t.Cleanup(proxy.Close)
			c := configFor(proxy.URL)
			c.Accounts = map[string]string{"main": here}
			want := fmt.Sprintf("something other than AWS answered (HTTP %d) at %s: look at account.endpoint and HTTPS_PROXY",
				answer.status, proxy.Listener.Addr())
			wantRun(t, c, nil, "", "GetCallerIdentity failed: "+want)
			onlyECR = true
			wantRun(t, c, nil, "identity: "+identity+"\nmain ("+here+"): ecr: DescribeRepositories failed: "+want+"\n",
				"1 of 1 accounts cannot be used")
		})
	}
}

// The SDK finds nothing where it looks for credentials.
func TestNoCredentials(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	c := configFor(awstest.New(t).URL)
	c.Account.AKID, c.Account.Secret = "", ""
	wantRun(t, c, nil, "", "GetCallerIdentity failed: no credentials found: set account.akid and account.secret, or give the AWS SDK some "+
		"(AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, ~/.aws/credentials, the role of the ECS task or of the machine)")
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	const unknown = " is not a region that this version knows"
	for region, want := range map[string][]string{
		"us-east-1":     nil,
		"us-est-1":      {`account.region "us-est-1"` + unknown + `: did you mean "us-east-1"?`},
		"moon-crater-7": {`account.region "moon-crater-7"` + unknown},
	} {
		c := configFor("")
		c.Account.Region = region
		if diff := cmp.Diff(want, Warnings(c, "")); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", region, diff)
		}
	}
	c := configFor("http://aws.example")
	want := []string{
		"account.endpoint is http: and not on loopback: the credentials in STS's answers can be read on the way",
		"everyone can write " + file + " (-rw-rw-rw-), and so choose the keys: chmod o-w " + file,
	}
	if diff := cmp.Diff(want, Warnings(c, file)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
