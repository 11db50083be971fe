package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go/service/ecr"
)

// previewAnswer is what an answer says about a preview of a lifecycle policy.
type previewAnswer struct {
	Status string
	Total  *int
	Images []previewImage
}

type previewImage struct {
	ImageDigest   string
	ImageTags     []string
	ImagePushedAt time.Time
	Action        string
	RulePriority  int64
}

func (o operation) isPreview() bool { return o.kind == preview || o.kind == showPreview }

// canPreview tells whether there can be a preview in that state.
func (o operation) canPreview(s state) bool {
	return s.Exists && (s.Lifecycle != "" || !o.needsLifecycle())
}

// readPreview returns an error if the answer is not of the status that it has.
func readPreview(out outcome, s *sentRequest) (outcome, error) {
	if out.status != http.StatusOK && out.status != http.StatusAccepted {
		return readProblem(out, s)
	}
	var p previewAnswer
	if err := json.Unmarshal(s.answer.body, &p); err != nil {
		return out, err
	}
	complete := p.Status == "COMPLETE" && p.Total != nil && *p.Total == len(p.Images)
	underWay := p.Status == "IN_PROGRESS" && p.Total == nil && p.Images == nil
	if complete != (out.status == http.StatusOK) || underWay != (out.status == http.StatusAccepted) {
		return out, fmt.Errorf("the preview does not fit the status")
	}
	return out, nil
}

// previewOf returns AWS's last preview of a repository and its document in one
// form. The document is empty if there is no preview.
func (a *faultyAWS) previewOf(account, name string) (p previewAnswer, document string, err error) {
	in := &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: &name}
	err = a.clients[account].GetLifecyclePolicyPreviewPages(in, func(page *ecr.GetLifecyclePolicyPreviewOutput, _ bool) bool {
		p.Status, document = *page.Status, documentForm([]byte(*page.LifecyclePolicyText))
		for _, r := range page.PreviewResults {
			i := previewImage{*r.ImageDigest, []string{}, *r.ImagePushedAt, *r.Action.Type, *r.AppliedRulePriority}
			for _, tag := range r.ImageTags {
				i.ImageTags = append(i.ImageTags, *tag)
			}
			slices.Sort(i.ImageTags)
			p.Images = append(p.Images, i)
		}
		return true
	})
	if isCode(err, ecr.ErrCodeLifecyclePolicyPreviewNotFoundException) || isCode(err, ecr.ErrCodeRepositoryNotFoundException) {
		return previewAnswer{}, "", nil
	}
	return p, document, err
}

// startPreview starts a preview, as others do. AWS may refuse it because one is
// under way.
func (a *faultyAWS) startPreview(account, name, document string) error {
	_, err := a.clients[account].StartLifecyclePolicyPreview(&ecr.StartLifecyclePolicyPreviewInput{RepositoryName: &name, LifecyclePolicyText: &document})
	if isCode(err, ecr.ErrCodeLifecyclePolicyPreviewInProgressException) {
		return nil
	}
	return err
}

// comparePreview compares an answer about a preview with AWS's last preview, which
// nobody else replaces meanwhile. The repository's state is as before: that is compared as
// after every other request.
func (w *worker) comparePreview(r *repository, s *sentRequest, out outcome) error {
	if out.status == http.StatusOK {
		r.previewing = false
	}
	p, document, err := w.aws.previewOf(r.account, r.fullName())
	if err != nil {
		return fmt.Errorf("looking into AWS: %w", err)
	}
	if wrong := s.checkPreview(p, document, r.states, out); wrong != nil {
		w.violation("the preview differs from AWS's", r, s, out, fmt.Sprintf("%v\n  AWS has: %+v of %s", wrong, p, document))
	}
	return nil
}

// checkPreview returns an error if the answer is not what AWS's preview of that
// document says.
func (s *sentRequest) checkPreview(p previewAnswer, document string, states []state, out outcome) error {
	if out.code == previewNotFound {
		return errorIf(document != "", "there is one")
	}
	if out.status != http.StatusOK && out.status != http.StatusAccepted {
		return nil
	}
	ofPresent := s.operation.needsLifecycle() && slices.ContainsFunc(states, func(now state) bool { return now.Lifecycle == document })
	if s.operation.kind == preview && document != s.operation.document && !ofPresent || document == "" {
		return fmt.Errorf("it is of another document")
	}
	if out.status == http.StatusAccepted {
		return nil
	}
	var told previewAnswer
	err := json.Unmarshal(s.answer.body, &told) // readPreview has checked it
	same := slices.EqualFunc(told.Images, p.Images, previewImage.is)
	return cmp.Or(err, errorIf(told.Status != p.Status || !same, "it does not show what AWS has"))
}

// is tells whether an answer shows the image as AWS does, with the time in whole
// seconds.
func (i previewImage) is(aws previewImage) bool {
	return i.ImageDigest == aws.ImageDigest && slices.Equal(i.ImageTags, aws.ImageTags) && i.ImagePushedAt.Unix() == aws.ImagePushedAt.Unix() &&
		i.Action == aws.Action && i.RulePriority == aws.RulePriority
}
