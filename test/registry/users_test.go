package registry

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// The key of a user is good for pull or push in one repository. When the repository
// is deleted with its users, and another org has one of that name, it is good for
// nothing.
func TestKeysOfUsers(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		all := w.logIn(t, c, w.password(account, allowAll))
		there := newImage(t, "from "+t.Name()+w.host, "amd64")
		all.push(there, name+":v1")
		all.push(there, other+":v1")

		puller, pusher := w.logIn(t, c, w.passwordOfUser("puller", "pull")), w.logIn(t, c, w.passwordOfUser("pusher", "push"))
		puller.wantPulled(there, name+":v1")
		puller.wantRefused(c.push, account, region, name+":v2")
		pusher.push(newImage(t, "pushed by "+t.Name()+w.host, "amd64"), name+":v2")
		pusher.wantPulled(there, name+":v1")
		for _, u := range []*user{puller, pusher} {
			u.wantRefused(c.pull, account, region, other+":v1")
			u.wantRefused(c.push, account, region, other+":v2")
		}

		w.request(http.MethodDelete, "/"+name, "", nil)
		_, err := ecr.New(w.aws).CreateRepository(&ecr.CreateRepositoryInput{
			RepositoryName: aws.String(name), Tags: []*ecr.Tag{{Key: aws.String("spinup:org"), Value: aws.String("another")}},
		})
		must(t, err)
		all.push(there, name+":v1")
		all.wantPulled(there, name+":v1")
		for _, u := range []*user{puller, pusher} {
			for _, line := range []string{c.pull, c.push} {
				variables := append(u.pushing(newImage(t, "late"+u.home, "amd64"), name+":v1"), u.namesIn(account, region, name+":v1")...)
				u.wantFailure(line, `(?i)\b401\b|unauthorized|authentication required|not authorized|denied`, append(variables, "OUT="+u.folder()))
			}
		}
	})
}

// passwordOfUser makes a user of the first repository and a key, and returns a
// password for docker that the key has got.
func (w *world) passwordOfUser(user, access string) string {
	w.t.Helper()
	users := "/" + name + "/users"
	w.request(http.MethodPost, users, `{"UserName": "`+user+`", "Access": "`+access+`"}`, nil)
	var key struct{ AccessKeyID, SecretAccessKey string }
	w.request(http.MethodPost, users+"/"+user+"/keys", "", &key)
	return passwordOf(w.t, w.as(key.AccessKeyID, key.SecretAccessKey, ""))
}
