package api

import (
	"cmp"
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	lru "github.com/hashicorp/golang-lru/v2"
)

// withInspector is the name of the session that reads findings of enhanced
// scanning. ECR asks Inspector for them with the rights of the session. AWS
// limits these rights to no repository, so no other session has them.
const withInspector = "with Inspector"

// imageSessions are the further sessions of rows that read findings.
var imageSessions = map[string]func(iam.Scope) iam.Policy{withInspector: inspectorPolicy}

func inspectorPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(append(readOwn(s, "ecr:DescribeImageScanFindings"),
		iam.Allow("*", "inspector2:ListCoverage", "inspector2:ListFindings"))...)
}

const (
	enhancedFor   = time.Hour // is remembered that a registry has enhanced scanning
	maxRegistries = 1024      // are remembered
)

// An enhancedMemory remembers which registries have enhanced scanning, and until
// when. Without it each read of findings there would be denied first.
type enhancedMemory struct {
	until *lru.Cache[common.Registry, time.Time]
}

func newEnhancedMemory() (enhancedMemory, error) {
	until, err := lru.New[common.Registry, time.Time](maxRegistries)
	return enhancedMemory{until}, err
}

func (m enhancedMemory) has(r common.Registry) bool {
	until, ok := m.until.Get(r)
	return ok && time.Now().Before(until)
}

func (m enhancedMemory) add(r common.Registry) { m.until.Add(r, time.Now().Add(enhancedFor)) }

func (m enhancedMemory) forget(r common.Registry) { m.until.Remove(r) }

// scan returns the last scan of the image, and nil if there was none. It asks
// without the rights for Inspector, unless the registry is known to need them.
func (t target) scan(ctx context.Context, id ecr.ImageID) (*ecr.Scan, error) {
	if t.connector.enhanced.has(t.want.Registry) {
		return t.scanOfKnown(ctx, id)
	}
	scan, err := t.ECR().Scan(ctx, t.repository(), id)
	if !ecr.NeedsInspector(err) {
		return typed(scan, ecr.Basic), err
	}
	t.connector.enhanced.add(t.want.Registry)
	scan, err = t.furtherECR(withInspector).Scan(ctx, t.repository(), id)
	return typed(scan, ecr.Enhanced), err
}

// scanOfKnown is scan in a registry that is remembered for enhanced scanning. It
// may have gone back to basic scanning since. So if the answer does not tell the
// type, it asks without the rights for Inspector, which is denied where scanning
// is enhanced.
func (t target) scanOfKnown(ctx context.Context, id ecr.ImageID) (*ecr.Scan, error) {
	scan, err := t.furtherECR(withInspector).Scan(ctx, t.repository(), id)
	if scan != nil && scan.Type == "" {
		var plain *ecr.Scan
		if plain, err = t.ECR().Scan(ctx, t.repository(), id); ecr.NeedsInspector(err) {
			return typed(scan, ecr.Enhanced), nil
		}
		scan = typed(plain, ecr.Basic)
	}
	if scan != nil && scan.Type == ecr.Basic {
		t.connector.enhanced.forget(t.want.Registry)
	}
	return scan, err
}

// typed gives a scan a type if it does not tell its own.
func typed(scan *ecr.Scan, other string) *ecr.Scan {
	if scan != nil {
		scan.Type = cmp.Or(scan.Type, other)
	}
	return scan
}
