package ecr

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Lengths of the text of a lifecycle policy, in characters.
const (
	minLifecycleText = 100
	maxLifecycleText = 30_720
)

// lifecycle is the lifecycle policy of a repository.
type lifecycle struct {
	text      string
	policy    lifecyclePolicy
	evaluated time.Time // zero if never
}

// newLifecycle reads the text of a policy. ECR keeps it without the spaces
// between its elements.
func newLifecycle(text string) (*lifecycle, error) {
	policy, err := parseLifecycle(text)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, err
	}
	return &lifecycle{text: compact.String(), policy: policy}, nil
}

// checkLifecycleText checks the length of the text of a policy, if there is one.
func checkLifecycleText(text *string) error {
	const parameter = "lifecyclePolicyText"
	if text == nil {
		return nil
	}
	switch length := utf8.RuneCountInString(*text); {
	case length < minLifecycleText:
		return invalidParameter(parameter, "Member must have length greater than or equal to 100")
	case length > maxLifecycleText:
		return invalidParameter(parameter, "Member must have length less than or equal to 30720")
	}
	return nil
}

type putLifecyclePolicyInput struct {
	RepositoryID
	Text *string `json:"lifecyclePolicyText"`
}

func (in putLifecyclePolicyInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if in.Text == nil {
		return invalidParameter("lifecyclePolicyText", "must not be null")
	}
	return checkLifecycleText(in.Text)
}

type putLifecyclePolicyOutput struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
	Text           string `json:"lifecyclePolicyText"`
}

// putLifecyclePolicy replaces the policy. The new one was never evaluated.
func (s *Store) putLifecyclePolicy(c *service.Request, in putLifecyclePolicyInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	read, err := newLifecycle(*in.Text)
	if err != nil {
		return nil, err
	}
	r.lifecycle = read
	return putLifecyclePolicyOutput{r.account, r.name, read.text}, nil
}

// lifecyclePolicyOutput is the answer of Get and Delete.
type lifecyclePolicyOutput struct {
	putLifecyclePolicyOutput
	EvaluatedAt service.Timestamp `json:"lastEvaluatedAt"` // 1970 if never
}

func (r *repository) lifecycleOutput() lifecyclePolicyOutput {
	evaluated := r.lifecycle.evaluated
	if evaluated.IsZero() {
		evaluated = time.Unix(0, 0)
	}
	return lifecyclePolicyOutput{putLifecyclePolicyOutput{r.account, r.name, r.lifecycle.text}, service.Timestamp(evaluated)}
}

type getLifecyclePolicyInput struct{ RepositoryID }

func (s *Store) getLifecyclePolicy(c *service.Request, in getLifecyclePolicyInput) (any, error) {
	r, err := s.findWithLifecycle(c, in)
	if err != nil {
		return nil, err
	}
	return r.lifecycleOutput(), nil
}

type deleteLifecyclePolicyInput struct{ RepositoryID }

// deleteLifecyclePolicy returns the policy that it removes.
func (s *Store) deleteLifecyclePolicy(c *service.Request, in deleteLifecyclePolicyInput) (any, error) {
	r, err := s.findWithLifecycle(c, in)
	if err != nil {
		return nil, err
	}
	out := r.lifecycleOutput()
	r.lifecycle = nil
	return out, nil
}

// findWithLifecycle returns the repository of an input, which must have a
// lifecycle policy.
func (s *Store) findWithLifecycle(c *service.Request, in repositoryInput) (*repository, error) {
	r, err := s.find(c, in)
	if err == nil && r.lifecycle == nil {
		err = service.Errorf("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist "+
			"for the repository with name '%s' in the registry with id '%s'", r.name, r.account)
	}
	return r, err
}
