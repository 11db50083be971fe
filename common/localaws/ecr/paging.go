package ecr

import "github.com/YaleSpinup/ecr-api/common/localaws/service"

const (
	defaultPage = 100
	maxPage     = 1000
)

// Paging is the input of operations that answer in pages.
type Paging struct {
	NextToken  string `json:"nextToken"`
	MaxResults *int   `json:"maxResults"`
}

// check returns an error if the size of the page is out of its bounds.
func (p Paging) check() error {
	switch {
	case p.MaxResults == nil:
		return nil
	case *p.MaxResults < 1:
		return invalidParameter("maxResults", "Member must have value greater than or equal to 1")
	case *p.MaxResults > maxPage:
		return invalidParameter("maxResults", "Member must have value less than or equal to 1000")
	}
	return nil
}

// checkWithout is check for an input that names its repositories or images in a
// parameter. Such an input is not answered in pages, so checkWithout also
// returns an error if there is a page size or a page token.
func (p Paging) checkWithout(parameter string) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.MaxResults != nil {
		return invalidParameter("maxResults", "must not be specified together with "+parameter)
	}
	if p.NextToken != "" {
		return invalidParameter("nextToken", "must not be specified together with "+parameter)
	}
	return nil
}

func (p Paging) size() int {
	if p.MaxResults == nil {
		return defaultPage
	}
	return *p.MaxResults
}

// position returns the position after which the page begins. It is "" on the
// first page.
func (p Paging) position(list service.List) (string, error) {
	position, ok := list.Position(p.NextToken)
	if !ok {
		return "", invalidParameter("nextToken", "Invalid pagination token")
	}
	return position, nil
}
