package api

import (
	"context"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/go-json-experiment/json/jsontext"
)

// A lifecycleInput is the body of a request with a lifecycle policy: ECR's own
// document. What this service does not know in it goes to AWS all the same.
type lifecycleInput struct {
	document jsontext.Value // without spaces
}

// UnmarshalJSONFrom keeps the document as it is. It refuses one that is too long
// before it is read: the decoder would remember all its keys.
func (in *lifecycleInput) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if kind := d.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return common.Errorf(common.BadRequest, "The body must be a JSON object, not %s.", kindNames[kind])
	}
	if n := charactersIn(d.UnreadBuffer()); n > maxLifecycle {
		return common.Errorf(common.BadRequest, "The lifecycle policy has %d characters without the spaces between them, and may have %d.", n, maxLifecycle)
	}
	document, err := d.ReadValue()
	if err != nil {
		return err
	}
	in.document, err = jsontext.AppendFormat(nil, document, jsontext.PreserveRawStrings(true)) // a copy: the body may be long
	return err
}

// charactersIn counts the characters of a JSON text without the spaces between
// its elements.
func charactersIn(text []byte) (n int) {
	inString, escaped := false, false
	for _, c := range text {
		isSpace := c == ' ' || c == '\t' || c == '\n' || c == '\r'
		if utf8.RuneStart(c) && (inString || !isSpace) {
			n++
		}
		if c == '"' && !escaped {
			inString = !inString
		}
		escaped = c == '\\' && !escaped
	}
	return n
}

func (in lifecycleInput) check() error { return checkLifecycle(in.document) }

// A previewInput is the body of a preview. Without one, the preview is of the
// repository's present policy.
type previewInput struct{ lifecycleInput }

func (previewInput) bodyIsOptional() {}

func (in previewInput) check() error {
	if in.document == nil {
		return nil
	}
	return in.lifecycleInput.check()
}

// readLifecycle reads the policy of a repository that is our org's.
func (t target) readLifecycle(ctx context.Context) (policy *ecr.LifecyclePolicy, err error) {
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		policy, err = t.ECR().Lifecycle(ctx, t.repository())
		return err
	})
	return policy, err
}

func showLifecycle(ctx context.Context, t target, _ nothing) (*ecr.LifecyclePolicy, error) {
	return t.readLifecycle(ctx)
}

func showLifecyclePolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource")...)
}

func putLifecycle(ctx context.Context, t target, in lifecycleInput) (jsontext.Value, error) {
	if err := t.readOwner(ctx); err != nil {
		return nil, err
	}
	return t.ECR().PutLifecycle(ctx, t.repository(), in.document)
}

// putLifecyclePolicy allows the read for a change whose answer was lost: it shows
// whether the policy is there.
func putLifecyclePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:PutLifecyclePolicy")...)...)
}

func deleteLifecycle(ctx context.Context, t target, _ nothing) (*ecr.LifecyclePolicy, error) {
	present, err := t.readLifecycle(ctx)
	if err != nil {
		return nil, err
	}
	return t.ECR().DeleteLifecycle(ctx, t.repository(), present)
}

func deleteLifecyclePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:DeleteLifecyclePolicy")...)...)
}

// A lifecyclePreview is what a lifecycle policy would do.
type lifecyclePreview struct{ *ecr.Preview }

// long is for the images of all pages.
func (*lifecyclePreview) long() {}

func (p *lifecyclePreview) underWay() bool { return p != nil && p.Preview != nil && p.IsUnderWay() }

func previewLifecycle(ctx context.Context, t target, in previewInput) (*lifecyclePreview, error) {
	document, err := t.documentOf(ctx, in)
	if err != nil {
		return nil, err
	}
	preview, err := t.ECR().Preview(ctx, t.repository(), document, t.loan.read)
	return previewOf(preview, err)
}

// documentOf returns the document of which the caller wants a preview. The
// present policy is sent to AWS as a document too, because only that tells this
// preview from another.
func (t target) documentOf(ctx context.Context, in previewInput) (jsontext.Value, error) {
	if in.document != nil {
		return in.document, t.readOwner(ctx)
	}
	policy, err := t.readLifecycle(ctx)
	if err != nil {
		return nil, err
	}
	return policy.LifecyclePolicy, nil
}

func previewOf(preview *ecr.Preview, err error) (*lifecyclePreview, error) {
	if err != nil {
		return nil, err
	}
	return &lifecyclePreview{preview}, nil
}

// previewPolicy allows the start of a preview in our org's repositories only, as
// changes are: it takes the place of the last preview.
func previewPolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:StartLifecyclePolicyPreview")...)...)
}

func showLifecyclePreview(ctx context.Context, t target, _ nothing) (*lifecyclePreview, error) {
	var preview *ecr.Preview
	err := t.whileOwned(ctx, func(ctx context.Context) (err error) {
		preview, err = t.ECR().LastPreview(ctx, t.repository())
		return err
	})
	return previewOf(preview, err)
}

func showPreviewPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource")...)
}
