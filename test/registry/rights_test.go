package registry

import (
	"regexp"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// Without one of the actions, a client fails at what needs it, and shows AWS's
// sentence.
func TestWithheldActions(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		there := newImage(t, "from "+t.Name()+w.host, "amd64")
		w.logIn(t, c, w.password(account, allowAll)).push(there, name+":v1")
		for action, line := range map[string]string{
			"BatchCheckLayerAvailability": c.push,
			"InitiateLayerUpload":         c.push,
			"UploadLayerPart":             c.push,
			"CompleteLayerUpload":         c.push,
			"PutImage":                    c.push,
			"BatchGetImage":               c.pull,
			"GetDownloadUrlForLayer":      c.pull,
			"ListImages":                  c.list,
			"BatchDeleteImage":            c.remove,
		} {
			if line == "" {
				continue
			}
			u := w.logIn(t, c, w.password(account, withheld("ecr:"+action)))
			variables := append(u.pushing(newImage(t, action+w.host, "amd64"), name+":v2"), "OUT="+u.folder())
			if line != c.push {
				variables = append(variables, u.names(name+":v1")...)
			}
			want := regexp.QuoteMeta("User: arn:aws:sts::" + account + ":assumed-role/" + adminRole + "/me is not authorized to perform: ecr:" + action +
				" on resource: arn:aws:ecr:us-east-1:" + account + ":repository/" + name + " with an explicit deny in a session policy")
			if slices.Contains(c.terse, action) {
				want += `|\b403\b`
			}
			u.wantFailure(line, want, variables)
			if !slices.Contains(w.refused(), action) {
				t.Errorf("%s was not refused", action)
			}
		}
		if got := w.images(); len(got) != 1 {
			t.Errorf("images: %+v, want only v1", got)
		}
	})
}

// wantFailure runs a line. The test fails unless it fails and prints something
// that the pattern matches.
func (u *user) wantFailure(line, pattern string, variables []string) {
	u.t.Helper()
	printed, err := u.run(line, "", variables...)
	if err == nil {
		u.t.Errorf("%s did not fail: %s", line, printed)
	}
	if !regexp.MustCompile(pattern).MatchString(printed) {
		u.t.Errorf("%s\nprinted %s\nwant %s", line, printed, pattern)
	}
}

// The service's credentials are good for pull or push in one repository, and for
// nothing else.
func TestServiceCredentials(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		all := w.logIn(t, c, w.password(account, allowAll))
		there := newImage(t, "from "+t.Name()+w.host, "amd64")
		all.push(there, name+":v1")
		all.push(there, other+":v1")
		before := w.images()

		puller, pusher := w.logIn(t, c, w.credentials("pull")), w.logIn(t, c, w.credentials("push"))
		puller.wantRefused(c.push, account, region, name+":v2")
		for _, u := range []*user{puller, pusher} {
			u.wantRefused(c.list, account, region, name+":v1")
			u.wantRefused(c.remove, account, region, name+":v1")
			u.wantRefused(c.pull, account, region, other+":v1")
			u.wantRefused(c.push, account, region, other+":v2")
			u.wantRefused(c.pull, account2, region, name+":v1")
			u.wantRefused(c.push, account2, region, name+":v2")
			u.wantRefused(c.pull, account, "us-west-2", name+":v1")
			u.wantRefused(c.push, account, "us-west-2", name+":v2")
		}
		if diff := cmp.Diff(before, w.images()); diff != "" {
			t.Errorf("images (-before +after):\n%s", diff)
		}
	})
}

// wantRefused runs a line about an image. The test fails unless it fails, and
// says that it is not allowed.
func (u *user) wantRefused(line, account, region, image string) {
	u.t.Helper()
	if line == "" {
		return
	}
	variables := append(u.pushing(newImage(u.t, image+u.home, "amd64"), image), u.namesIn(account, region, image)...)
	u.wantFailure(line, refusal, append(variables, "OUT="+u.folder()))
}

// refusal matches what a client prints about a status 403.
const refusal = `is not authorized to perform: ecr:\w+ on resource: arn:aws:ecr:us-east-1:\d+:repository/\S+ ` +
	`(with an explicit deny in (a session|a resource-based|an identity-based) policy|because no (identity|resource)-based policy allows the ecr:\w+ action)` +
	`|Your authorization token is for the region us-east-1, not for us-west-2\.` +
	`|\b403\b`

// With the role of AWS Organizations the administrator pushes to the other
// account, with a password of a session there.
func TestSecondAccount(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		_, err := ecr.New(w.in(account2)).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String(name)})
		must(t, err)
		u := w.logIn(t, c, passwordOf(t, w.in(account2)))
		image := newImage(t, "from "+t.Name()+w.host, "amd64")
		u.mustRun(c.push, "", append(u.pushing(image, name+":v1"), u.namesIn(account2, region, name+":v1")...)...)
		out, err := ecr.New(w.in(account2)).DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String(name)})
		must(t, err)
		if len(out.ImageDetails) != 1 || *out.ImageDetails[0].ImageTags[0] != "v1" {
			t.Errorf("images: %v", out.ImageDetails)
		}
		if here := w.images(); len(here) != 0 {
			t.Errorf("images of the first account: %+v", here)
		}
	})
}

// Where tags are immutable, a client shows ECR's sentence about it.
func TestImmutability(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		w.request("PUT", "/"+name, `{"ImageTagMutability": "IMMUTABLE"}`, nil)
		u := w.logIn(t, c, w.credentials("push"))
		first := newImage(t, "first from "+t.Name()+w.host, "amd64")
		u.push(first, name+":v1")
		second := newImage(t, "second from "+t.Name()+w.host, "amd64")
		u.wantFailure(c.push, "The image tag 'v1' already exists in the '"+name+"' repository and cannot be overwritten "+
			"because the tag is immutable.", u.pushing(second, name+":v1"))
		u.wantPulled(first, name+":v1")
		u.push(second, name+":v2")
	})
}
