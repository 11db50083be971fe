package ecr

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const maxPreviewPage = 100

// Statuses of a preview.
const (
	previewInProgress = "IN_PROGRESS"
	previewComplete   = "COMPLETE"
	previewExpired    = "EXPIRED"
	previewFailed     = "FAILED"
)

// Previews says how the previews of lifecycle policies go. With the zero value
// they are complete at the first look.
type Previews struct {
	// Looks is how often GetLifecyclePolicyPreview says of each preview that it is
	// in progress. Until then no other preview of the repository can be started.
	Looks int
	// Status is what it says after that: COMPLETE, EXPIRED or FAILED. Empty means
	// COMPLETE.
	Status string
}

// SetPreviews says how previews go from now on, also those that are in progress
// or complete.
func (s *Store) SetPreviews(p Previews) error {
	if !slices.Contains([]string{"", previewComplete, previewExpired, previewFailed}, p.Status) {
		return fmt.Errorf("%q cannot be the status of a preview that has ended", p.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previews = p
	return nil
}

// preview is what a lifecycle policy would have done when it was started.
type preview struct {
	text    string
	looks   int // how often callers were told that it is in progress
	results []previewResult
}

// status returns the status of a preview with so many looks at it.
func (p Previews) status(looks int) string {
	switch {
	case looks < p.Looks:
		return previewInProgress
	case p.Status != "":
		return p.Status
	}
	return previewComplete
}

type startLifecyclePolicyPreviewInput struct {
	RepositoryID
	Text *string `json:"lifecyclePolicyText"` // nil means the policy in force
}

func (in startLifecyclePolicyPreviewInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	return checkLifecycleText(in.Text)
}

type startLifecyclePolicyPreviewOutput struct {
	putLifecyclePolicyOutput
	Status string `json:"status"`
}

// startLifecyclePolicyPreview replaces the last preview. The answer says
// IN_PROGRESS, as ECR's does, also if the preview has already ended.
func (s *Store) startLifecyclePolicyPreview(c *service.Request, in startLifecyclePolicyPreviewInput) (any, error) {
	r, text, policy, err := s.policyToPreview(c, in)
	if err != nil {
		return nil, err
	}
	if r.preview != nil && s.previews.status(r.preview.looks) == previewInProgress {
		return nil, service.Errorf("LifecyclePolicyPreviewInProgressException", "The previous lifecycle policy preview request "+
			"for the repository with name '%s' in the registry with id '%s' has not completed. Wait and try again.", r.name, r.account)
	}
	r.preview = &preview{text: text, results: previewResults(policy.marks(r, c.Now))}
	return startLifecyclePolicyPreviewOutput{putLifecyclePolicyOutput{r.account, r.name, text}, previewInProgress}, nil
}

// policyToPreview returns the repository, and the policy of the input or the one
// in force.
func (s *Store) policyToPreview(c *service.Request, in startLifecyclePolicyPreviewInput) (*repository, string, lifecyclePolicy, error) {
	if in.Text == nil {
		r, err := s.findWithLifecycle(c, in)
		if err != nil {
			return nil, "", nil, err
		}
		return r, r.lifecycle.text, r.lifecycle.policy, nil
	}
	r, err := s.find(c, in)
	if err != nil {
		return nil, "", nil, err
	}
	policy, err := parseLifecycle(*in.Text)
	return r, *in.Text, policy, err
}

type getLifecyclePolicyPreviewInput struct {
	RepositoryID
	IDs    []ImageID     `json:"imageIds"`
	Filter previewFilter `json:"filter"`
	Paging
}

// previewFilter is the filter of the images of a preview.
type previewFilter struct {
	TagStatus string `json:"tagStatus"`
}

func (in getLifecyclePolicyPreviewInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if err := checkIDs(in.IDs); err != nil {
		return err
	}
	if err := (imageFilter{TagStatus: in.Filter.TagStatus}).check(); err != nil {
		return err
	}
	if in.IDs != nil {
		return in.Paging.checkWithout("imageIds")
	}
	if in.MaxResults != nil && *in.MaxResults > maxPreviewPage {
		return invalidParameter("maxResults", "Member must have value less than or equal to 100")
	}
	return in.Paging.check()
}

type getLifecyclePolicyPreviewOutput struct {
	startLifecyclePolicyPreviewOutput
	NextToken string          `json:"nextToken,omitempty"`
	Results   []previewResult `json:"previewResults"`
	Summary   *previewSummary `json:"summary,omitempty"`
}

// previewResult is an image on which the policy acts.
type previewResult struct {
	Tags         []string          `json:"imageTags"`
	Digest       string            `json:"imageDigest"`
	PushedAt     service.Timestamp `json:"imagePushedAt"`
	Action       previewAction     `json:"action"`
	Priority     int64             `json:"appliedRulePriority"`
	StorageClass string            `json:"storageClass"`
}

type previewAction struct {
	Type   string `json:"type"`
	Target string `json:"targetStorageClass,omitempty"`
}

// previewSummary counts all images on which the policy acts.
type previewSummary struct {
	Expiring      int               `json:"expiringImageTotalCount"`
	Transitioning []transitionCount `json:"transitioningImageTotalCounts,omitempty"`
}

type transitionCount struct {
	Target string `json:"targetStorageClass"`
	Count  int    `json:"imageTotalCount"`
}

// getLifecyclePolicyPreview tells the results when the preview is complete. The
// text in the answer is that of the preview, as its caller sent it.
func (s *Store) getLifecyclePolicyPreview(c *service.Request, in getLifecyclePolicyPreviewInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	p := r.preview
	if p == nil {
		return nil, service.Errorf("LifecyclePolicyPreviewNotFoundException", "Lifecycle policy preview does not exist "+
			"for the repository with name '%s' in the registry with id '%s'", r.name, r.account)
	}
	list := s.pages.List("preview", r.arn, in.Filter.TagStatus)
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	out := getLifecyclePolicyPreviewOutput{Results: []previewResult{}}
	out.putLifecyclePolicyOutput = putLifecyclePolicyOutput{r.account, r.name, p.text}
	switch out.Status = s.previews.status(p.looks); out.Status {
	case previewInProgress:
		p.looks++
	case previewComplete:
		page, last := service.Take(p.kept(in, after), in.size())
		out.Results, out.NextToken, out.Summary = page, list.Token(last), p.summary()
	}
	return out, nil
}

// kept yields the results that the input asks for, from the first one after the
// position. A position is a number of results.
func (p *preview) kept(in getLifecyclePolicyPreviewInput, after string) iter.Seq2[string, previewResult] {
	start, _ := strconv.Atoi(after) // it is in a signed token
	return func(yield func(string, previewResult) bool) {
		for n, result := range p.results {
			if n >= start && in.keeps(result) && !yield(strconv.Itoa(n+1), result) {
				return
			}
		}
	}
}

// keeps reports whether the input asks for a result.
func (in getLifecyclePolicyPreviewInput) keeps(r previewResult) bool {
	status := imageFilter{TagStatus: in.Filter.TagStatus, ImageStatus: statusAny}
	if !status.keeps(&image{tags: r.Tags}) {
		return false
	}
	return in.IDs == nil || slices.ContainsFunc(in.IDs, func(id ImageID) bool {
		return (id.Digest == "" || id.Digest == r.Digest) && (id.Tag == "" || slices.Contains(r.Tags, id.Tag))
	})
}

// summary counts the images of the whole preview, whatever a filter keeps.
func (p *preview) summary() *previewSummary {
	var counts previewSummary
	archived := 0
	for _, r := range p.results {
		if r.Action.Type == "EXPIRE" {
			counts.Expiring++
		} else {
			archived++
		}
	}
	if archived > 0 {
		counts.Transitioning = []transitionCount{{"ARCHIVE", archived}}
	}
	return &counts
}

// previewResults returns what a preview tells of marks. Here ECR writes upper
// case what is lower case in a policy.
func previewResults(marks []mark) []previewResult {
	var results []previewResult
	for _, m := range marks {
		results = append(results, previewResult{
			Tags:         append([]string{}, m.image.tags...), // JSON writes [] and not null
			Digest:       m.image.digest,
			PushedAt:     service.Timestamp(m.image.pushed),
			Action:       previewAction{strings.ToUpper(m.rule.action), strings.ToUpper(m.rule.target)},
			Priority:     m.rule.priority,
			StorageClass: strings.ToUpper(m.rule.class),
		})
	}
	return results
}
