package ecr

import "github.com/YaleSpinup/ecr-api/common/localaws/service"

// SetLifecycle sets the lifecycle policy of a repository directly.
func (s *Store) SetLifecycle(p service.Place, repository, text string) error {
	read, err := newLifecycle(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.existing(p, repository)
	if err == nil {
		r.lifecycle = read
	}
	return err
}

// AddPreview starts a preview of a lifecycle policy directly. It takes the place
// of one that is in progress.
func (s *Store) AddPreview(p service.Place, repository, text string) error {
	policy, err := parseLifecycle(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.existing(p, repository)
	if err == nil {
		r.preview = &preview{text: text, results: previewResults(policy.marks(r, s.now()))}
	}
	return err
}
