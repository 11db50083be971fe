package main

import (
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// meanwhile is what others do with a repository while the service deletes images
// there. It all happens at moments at which it is certain what the service must
// make of it: right after the service has looked at the images, and right after
// AWS has deleted some and the answer was lost.
type meanwhile struct {
	aws     *faultyAWS
	account string
	name    string
	pushes  []push // right after the look
	repeat  bool   // whether to push again what a lost answer has deleted

	mu      sync.Mutex
	ended   bool
	looked  bool    // or AWS has begun to delete
	lost    bool    // an answer of AWS about a deletion was lost
	present []image // what there was before the deletions
	again   []image // what was pushed again
	err     error
}

// begin begins to follow the calls of the service. The images are those that the
// repository has now.
func (m *meanwhile) begin(images []image) {
	m.present = images
	m.aws.follow(m.account, m.name, m.see)
}

// end ends it. After that nothing more is pushed.
func (m *meanwhile) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	m.aws.follow(m.account, m.name, nil)
}

// see is told of a call of the service before the call is answered.
func (m *meanwhile) see(call localaws.Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ended || m.err != nil:
	case call.Service+":"+call.Operation == deleteImages:
		m.looked = true
		if call.ErrorCode != "" {
			m.seeLost()
		}
	case call.Operation == "DescribeImages" && call.ErrorCode == "" && !m.looked:
		m.looked = true
		m.err = m.push(m.pushes)
		if m.err == nil && len(m.pushes) > 0 {
			m.present, m.err = m.aws.imagesOf(m.account, m.name)
		}
	}
}

func (m *meanwhile) push(pushes []push) error {
	for _, p := range pushes {
		if err := m.aws.push(m.account, m.name, p); err != nil {
			return err
		}
	}
	return nil
}

// seeLost is told that AWS did not answer a deletion. It pushes one image again
// if AWS has deleted it.
func (m *meanwhile) seeLost() {
	now, err := m.aws.imagesOf(m.account, m.name)
	gone := slices.DeleteFunc(slices.Clone(m.present), func(i image) bool { return has(now, i) })
	m.lost = m.lost || len(removed(m.present, now).ids) > 0
	m.err = err
	if err == nil && len(gone) > 0 && m.repeat && m.again == nil {
		m.again, m.err = m.pushAgain(gone[0])
	}
}

// pushAgain pushes an image that was deleted, with the tags that it had. It
// returns none if AWS refuses it, because parts of it are gone too.
func (m *meanwhile) pushAgain(i image) ([]image, error) {
	tags := i.Tags
	if len(tags) == 0 {
		tags = []string{""}
	}
	for _, tag := range tags {
		err := m.aws.put(m.account, m.name, push{manifests[i.Digest], tag})
		if isCode(err, ecr.ErrCodeReferencedImagesNotFoundException) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	now, err := m.aws.imagesOf(m.account, m.name)
	return slices.DeleteFunc(now, func(other image) bool { return other.Digest != i.Digest }), err
}
