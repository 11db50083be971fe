package local

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// The application of spindev-00002 pulls where a repository is shared with its
// group, by its tags. From the other account it needs its own policy too.
func TestApplication(t *testing.T) {
	t.Parallel()
	const sharing = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*",
		"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringEquals":{
		"aws:PrincipalTag/spinup:org":"spindev","aws:PrincipalTag/spinup:spaceid":"spindev-00002","aws:PrincipalAccount":%s}}}}`
	a := start(t, startSeeded)
	s := newSession(t, a)
	pulls := func() map[string]int {
		got := map[string]int{}
		for _, account := range accounts {
			got[account] = statusOfPull(t, a, asApplication(s, account), "012345678901/us-east-1/spindev-00001/welcome")
		}
		return got
	}
	share := func(accounts string) {
		_, err := ecr.New(s).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{
			RepositoryName: aws.String("spindev-00001/welcome"), PolicyText: aws.String(fmt.Sprintf(sharing, accounts)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, want map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, pulls()); diff != "" {
			t.Errorf("%s: pulls (-want +got):\n%s", when, diff)
		}
	}
	want("not shared", map[string]int{"012345678901": 403, "210987654321": 403})
	share(`"012345678901"`)
	want("shared", map[string]int{"012345678901": 200, "210987654321": 403})
	share(`["012345678901","210987654321"]`)
	want("shared with the group in both accounts", map[string]int{"012345678901": 200, "210987654321": 200})

	// In its own account, its own policy decides.
	if got := statusOfPull(t, a, asApplication(s, "210987654321"), "210987654321/us-east-1/spindev-00002/shop"); got != 200 {
		t.Errorf("from the shop of its account: status %d", got)
	}
	if got := statusOfPull(t, a, asApplication(s, "012345678901"), "012345678901/us-east-1/spindev-00002/shop"); got != 403 {
		t.Errorf("from the shop of the first account: status %d", got)
	}
}

// asApplication returns a client of ECR that has assumed the application's role.
func asApplication(s *session.Session, account string) *ecr.ECR {
	return ecr.New(s, &aws.Config{Credentials: stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/spindev-00002-app")})
}

// statusOfPull returns the status of the image latest, with a password of the
// client.
func statusOfPull(t *testing.T, a *AWS, c *ecr.ECR, repository string) int {
	t.Helper()
	login, err := c.GetAuthorizationToken(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, a.URL+"/v2/"+repository+"/manifests/latest", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Basic "+*login.AuthorizationData[0].AuthorizationToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}
