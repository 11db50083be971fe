package api

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	gocmp "github.com/google/go-cmp/cmp"
)

// These tests use a password for docker as somebody would who has found it: over
// docker's own protocol.

// A dockerUser has a password for docker, perhaps one that he has found.
type dockerUser struct {
	t        *testing.T
	url      string
	password string
}

// do sends a request with the password, and returns the status and the body.
func (d dockerUser) do(method, path string, header map[string]string, body string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.SetBasicAuth("AWS", d.password)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r) // it follows no redirect
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

var asManifest = map[string]string{"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}

// theft is what a thief tries on a repository. The keys say what it is for.
type theft struct {
	name, method string
	path         string // after the name of the repository
	pull, push   int    // status with each kind of password
}

// The image v1 of each attackTarget has this digest and this layer.
type stolenImage struct{ manifest, digest, layer string }

func (i stolenImage) thefts() []theft {
	elsewhere := "?mount=" + i.layer + "&from=" + account + "/" + region + "/other/ours"
	return []theft{
		{"pull by tag", "GET", "/manifests/v1", 200, 200},
		{"pull by digest", "GET", "/manifests/" + i.digest, 200, 200},
		{"see the image", "HEAD", "/manifests/v1", 200, 200},
		{"see what refers to it", "GET", "/referrers/" + i.digest, 200, 200},
		{"pull a layer", "GET", "/blobs/" + i.layer, 200, 200},
		{"ask for a layer", "HEAD", "/blobs/" + i.layer, 403, 200},
		{"upload a layer", "POST", "/blobs/uploads/", 403, 202},
		{"mount a layer of another repository", "POST", "/blobs/uploads/" + elsewhere, 403, 202}, // 201 would be a mount
		{"push a tag", "PUT", "/manifests/v2", 403, 201},
		{"list tags", "GET", "/tags/list", 403, 403},
		{"delete a tag", "DELETE", "/manifests/v1", 403, 403},
		{"delete an image", "DELETE", "/manifests/" + i.digest, 403, 403},
	}
}

// addStolenImage puts the same image into each repository, and returns it.
func (w *world) addStolenImage() stolenImage {
	w.t.Helper()
	for _, x := range attackTargets {
		err := w.aws.AddImage(x.account, x.region, x.name, localaws.Image{
			Tags: []string{"v1"}, Files: map[string]string{"hello.txt": "hello"}, PushedAt: awsClock})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return w.imageV1("team-1/ours")
}

// imageV1 returns the image v1 of a repository.
func (w *world) imageV1(repository string) stolenImage {
	w.t.Helper()
	out, err := w.administrator().BatchGetImage(&awsecr.BatchGetImageInput{
		RepositoryName: &repository, ImageIds: []*awsecr.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	if err != nil {
		w.t.Fatal(err)
	}
	var manifest struct{ Layers []struct{ Digest string } }
	text := *out.Images[0].ImageManifest
	if err := json.Unmarshal([]byte(text), &manifest); err != nil {
		w.t.Fatal(err)
	}
	return stolenImage{text, *out.Images[0].ImageId.ImageDigest, manifest.Layers[0].Digest}
}

// steal asks the service for a password, and returns somebody who has found it.
func (w *world) steal(t *testing.T, access string) dockerUser {
	t.Helper()
	aws := httptest.NewServer(w.aws)
	t.Cleanup(aws.Close)
	return dockerUser{t, aws.URL, w.passwordFor("team-1/ours", access)}
}

// passwordFor asks the service for a password.
func (w *world) passwordFor(repository, access string) string {
	w.t.Helper()
	status, _, body := w.do(exchange{method: "POST", path: base + "/" + repository + "/credentials", body: `{"Access": "` + access + `"}`})
	var credentials struct{ Password string }
	if err := json.Unmarshal([]byte(body), &credentials); err != nil || status != 200 {
		w.t.Fatalf("credentials: %d %v", status, err)
	}
	return credentials.Password
}

// try tries all on a repository, and returns the status of each.
func (d dockerUser) try(i stolenImage, x attackTarget) map[string]int {
	got := map[string]int{}
	for _, attempt := range i.thefts() {
		path := "/v2/" + x.account + "/" + x.region + "/" + x.name + attempt.path
		body := ""
		if attempt.method == "PUT" {
			body = i.manifest
		}
		status, text := d.do(attempt.method, path, asManifest, body)
		got[attempt.name] = status
		if status == http.StatusForbidden && attempt.method != "HEAD" && !strings.Contains(text, `"DENIED"`) {
			d.t.Errorf("%s on %s: %s", attempt.name, x.arn(), text)
		}
	}
	return got
}

// want returns the status of each attempt with a kind of password, if the
// password is good for the repository.
func (i stolenImage) want(access string, good bool) map[string]int {
	want := map[string]int{}
	for _, attempt := range i.thefts() {
		status := map[string]int{"pull": attempt.pull, "push": attempt.push}[access]
		if !good {
			status = http.StatusForbidden
		}
		want[attempt.name] = status
	}
	return want
}

// letEverybodyIn gives each repository a policy of its own that allows everybody
// everything.
func (w *world) letEverybodyIn() {
	w.t.Helper()
	const open = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}}`
	direct := w.direct()
	for _, x := range attackTargets {
		_, err := direct.ecr(x.region, direct.auditor(x.account)).SetRepositoryPolicy(&awsecr.SetRepositoryPolicyInput{
			RepositoryName: aws.String(x.name), PolicyText: aws.String(open)})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// The password does with its repository what it is for, and nothing anywhere
// else, even if the role and every repository allow everything.
func TestLeakedDockerPassword(t *testing.T) {
	t.Parallel()
	for _, access := range []string{"pull", "push"} {
		t.Run(access, func(t *testing.T) {
			t.Parallel()
			w := newOpenWorld(t)
			w.addAttackTargets()
			image := w.addStolenImage()
			w.letEverybodyIn()
			thief := w.steal(t, access)
			before := w.direct().state()
			for _, x := range attackTargets {
				good := x.arn() == theRepositoryOfLeak.arn()
				if !good {
					if diff := gocmp.Diff(image.want(access, false), thief.try(image, x)); diff != "" {
						t.Errorf("%s, %s (-want +got):\n%s", x.arn(), x.whose, diff)
					}
				}
			}
			w.direct().unchanged(before)
			if diff := gocmp.Diff(image.want(access, true), thief.try(image, theRepositoryOfLeak)); diff != "" {
				t.Errorf("the repository (-want +got):\n%s", diff)
			}
			for _, operation := range []string{"DescribeRepositories", "GetAuthorizationToken"} {
				if status, text := thief.callAPI(operation); status != 400 || strings.Contains(text, "team-1") {
					t.Errorf("%s on AWS's API: %d %s", operation, status, text)
				}
			}
		})
	}
}

// callAPI calls AWS's API with the password.
func (d dockerUser) callAPI(operation string) (int, string) {
	return d.do("POST", "/", map[string]string{"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921." + operation}, "{}")
}

// The password ends with the session, with the org's tag, and with the
// repository.
func TestLeakedDockerPasswordEnds(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:ecr:" + region + ":" + account + ":repository/team-1/ours"
	for name, test := range map[string]struct {
		hours int // that a session of the role may last; 0 means 12
		end   func(*world) error
		words string
	}{
		"another org's": {end: func(w *world) error {
			_, err := w.administrator().TagResource(&awsecr.TagResourceInput{
				ResourceArn: aws.String(arn), Tags: awsTags(map[string]string{common.OrgTag: otherOrg})})
			return err
		}, words: "with an explicit deny in a session policy"},
		"no org's": {end: func(w *world) error {
			_, err := w.administrator().UntagResource(&awsecr.UntagResourceInput{
				ResourceArn: aws.String(arn), TagKeys: []*string{aws.String(common.OrgTag)}})
			return err
		}, words: "with an explicit deny in a session policy"},
		"made anew by another org": {end: func(w *world) error {
			_, err := w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("team-1/ours"), Force: aws.Bool(true)})
			w.addRepository(account, "team-1/ours", otherOrg)
			return err
		}, words: "with an explicit deny in a session policy"},
		"twelve hours later": {end: func(w *world) error {
			w.later.Store(12 * 3600)
			return nil
		}, words: "Your authorization token has expired"},
		"an hour later, where the role allows an hour": {hours: 1, end: func(w *world) error {
			w.later.Store(3600)
			return nil
		}, words: "Your authorization token has expired"},
		"the session is forgotten": {end: func(w *world) error {
			w.aws.ForgetSessions(account)
			return nil
		}, words: "Not Authorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roles := openRoles()
			for i := range roles {
				roles[i].MaxSessionDuration = cmp.Or(test.hours, 12) * 3600
			}
			w := newWorldWith(t, roles)
			w.addAttackTargets()
			image := w.addStolenImage()
			w.letEverybodyIn()
			thief := w.steal(t, "push")
			const path = "/v2/" + account + "/" + region + "/team-1/ours/manifests/v1"
			if status, text := thief.do("GET", path, nil, ""); status != 200 || text != image.manifest {
				t.Fatalf("before: %d %s", status, text)
			}
			w.must(nil, test.end(w))
			for _, method := range []string{"GET", "PUT"} {
				status, text := thief.do(method, path, asManifest, image.manifest)
				if status != 403 && status != 401 || !strings.Contains(text, test.words) {
					t.Errorf("%s after: %d %s, want %q", method, status, text, test.words)
				}
			}
		})
	}
}

// If AWS did not hold the session's policy against the password, the role's own
// policies would confine it to our org's repositories. There it could pull, push
// and delete images.
func TestRoleConfinesALeakedDockerPassword(t *testing.T) {
	t.Parallel()
	everything := map[string]func(iam.Scope) iam.Policy{pull: policyForEverything, push: policyForEverything}
	w := newWorld(t, changeRows(func(rt *route) {
		if rt.Access != nil {
			rt.Access = everything
		}
	}))
	w.addAttackTargets()
	image := w.addStolenImage()
	thief := w.steal(t, pull)
	for _, x := range attackTargets {
		good := x.whose == ours && x.account == account && x.region == region // as the password itself
		want := image.want(push, good)
		if good {
			want["mount a layer of another repository"] = http.StatusCreated // it is our org's, too
			want["delete a tag"], want["delete an image"] = http.StatusAccepted, http.StatusAccepted
		}
		if diff := gocmp.Diff(want, thief.try(image, x)); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", x.arn(), x.whose, diff)
		}
	}
}

// A password is good for a name. Our own org may make the repository anew.
func TestLeakedDockerPasswordOfARepositoryMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addAttackTargets()
	thief := w.steal(t, push)
	const path = "/v2/" + account + "/" + region + "/team-1/ours"
	_, err := w.administrator().DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("team-1/ours"), Force: aws.Bool(true)})
	w.must(nil, err)
	if status, text := thief.do("POST", path+"/blobs/uploads/", nil, ""); status != 403 {
		t.Errorf("while there is none: %d %s", status, text)
	}
	w.addRepository(account, "team-1/ours", org)
	if status, text := thief.do("POST", path+"/blobs/uploads/", nil, ""); status != 202 {
		t.Errorf("when it is there again: %d %s", status, text)
	}
}
