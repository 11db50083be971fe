package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// credentialsAnswer is an answer with credentials for docker.
type credentialsAnswer struct {
	Access, Username, Password, RepositoryUri string
	ExpiresAt                                 time.Time
}

// readCredentials returns an error if the answer is about another repository, or
// if the credentials last longer than a session of the role.
func readCredentials(s *sentRequest, r *repository) (credentialsAnswer, error) {
	var c credentialsAnswer
	if err := json.Unmarshal(s.answer.body, &c); err != nil {
		return c, err
	}
	left := time.Until(c.ExpiresAt)
	if c.Access != s.operation.access || !strings.HasSuffix(c.RepositoryUri, "/"+r.fullName()) || left <= 0 || left > sessionSeconds*time.Second {
		return c, fmt.Errorf("credentials for %s to %s, for %s more", c.Access, c.RepositoryUri, left)
	}
	return c, nil
}

// tryCredentials logs in with the credentials of an answer. They must be good
// for what they are for, and for nothing else.
func (w *worker) tryCredentials(r *repository, s *sentRequest) {
	c, err := readCredentials(s, r)
	if err != nil {
		return // that is a violation already
	}
	other := &repository{account: r.account, group: r.group, name: "other"}
	for _, try := range []struct {
		repository *repository
		path       string
		want       int
	}{
		{r, "/manifests/none", http.StatusNotFound}, // it is empty
		{r, "/tags/list", http.StatusForbidden},
		{r, "/blobs/" + noBlob, map[string]int{"pull": http.StatusForbidden, "push": http.StatusNotFound}[c.Access]},
		{other, "/manifests/none", http.StatusForbidden},
	} {
		status, err := w.aws.askRegistry(try.repository, try.path, c)
		if err != nil || status != try.want {
			w.violation(fmt.Sprintf("credentials for %s: %s answers %d, want %d", c.Access, try.path, status, try.want), r, s, outcome{}, fmt.Sprint(err))
		}
	}
}

// noBlob is a digest that no layer has.
const noBlob = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// askRegistry sends a HEAD as docker does, and returns the status.
func (a *faultyAWS) askRegistry(r *repository, path string, c credentialsAnswer) (int, error) {
	request, err := http.NewRequest(http.MethodHead, a.url+"/v2/"+r.account+"/"+region+"/"+r.fullName()+path, nil)
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(c.Username, c.Password)
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
