package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go/service/ecr"
)

// Codes of problems with lifecycle policies.
const (
	lifecycleNotFound = "lifecycle-not-found"
	previewNotFound   = "preview-not-found"
	previewUnderWay   = "preview-under-way"
)

// newDocument returns a lifecycle policy in one form. The name makes it another
// than all before.
func newDocument(random *rand.Rand, name string) string {
	rules := []object{}
	add := func(selection object) {
		if random.IntN(2) == 0 {
			selection["countType"], selection["countNumber"] = "imageCountMoreThan", 1+random.IntN(5)
		} else {
			selection["countType"], selection["countUnit"], selection["countNumber"] = "sinceImagePushed", "days", 1+random.IntN(30)
		}
		rules = append(rules, object{
			"rulePriority": 10*len(rules) + 1, "description": name, "selection": selection, "action": object{"type": "expire"},
		})
	}
	if random.IntN(2) == 0 {
		add(object{"tagStatus": "tagged", "tagPatternList": choosePatterns(random)[:1]})
	}
	if random.IntN(2) == 0 {
		add(object{"tagStatus": "untagged"})
	}
	if len(rules) == 0 || random.IntN(2) == 0 {
		add(object{"tagStatus": "any"})
	}
	text, _ := json.Marshal(object{"rules": rules}) // does not fail for texts and numbers
	return documentForm(text)
}

// documentForm returns a lifecycle policy in one form.
func documentForm(document []byte) string {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return "no JSON: " + string(document)
	}
	text, _ := json.Marshal(value) // does not fail for what was JSON
	return string(text)
}

// chooseLifecycleOperation returns a request about the lifecycle policy or a
// preview. The id makes each document another.
func chooseLifecycleOperation(random *rand.Rand, r *repository, id string) operation {
	n := random.IntN(10)
	if r.states[0].Lifecycle == "" && n < 7 { // most operations need a policy
		n = 3
	}
	switch {
	case n < 2:
		return operation{kind: showLifecycle}
	case n < 4:
		return operation{kind: putLifecycle, document: newDocument(random, id)}
	case n < 8:
		return operation{kind: deleteLifecycle}
	case n < 9 && random.IntN(2) == 0:
		return operation{kind: showPreview}
	case random.IntN(2) == 0 && r.states[0].Lifecycle != "":
		return operation{kind: preview, underWay: r.previewing}
	default:
		return operation{kind: preview, document: newDocument(random, id), underWay: r.previewing}
	}
}

// needsLifecycle tells whether the operation is about the present lifecycle
// policy.
func (o operation) needsLifecycle() bool {
	return slices.Contains([]string{showLifecycle, deleteLifecycle}, o.kind) || o.kind == preview && o.document == ""
}

func readLifecycle(out outcome, s *sentRequest) (outcome, error) {
	document := s.answer.body
	if s.operation.kind != putLifecycle {
		var body struct{ LifecyclePolicy, LastEvaluatedAt json.RawMessage }
		if err := json.Unmarshal(s.answer.body, &body); err != nil {
			return out, err
		}
		if string(body.LastEvaluatedAt) != "null" {
			return out, fmt.Errorf("AWS has not evaluated the policy")
		}
		document = body.LifecyclePolicy
	}
	form := documentForm(document)
	out.lifecycle = &form
	return out, nil
}

// lifecycleOf returns the lifecycle policy of a repository in AWS in one form,
// empty if there is none.
func (a *faultyAWS) lifecycleOf(account, name string) (string, error) {
	out, err := a.clients[account].GetLifecyclePolicy(&ecr.GetLifecyclePolicyInput{RepositoryName: &name})
	if isCode(err, ecr.ErrCodeLifecyclePolicyNotFoundException) || isCode(err, ecr.ErrCodeRepositoryNotFoundException) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return documentForm([]byte(*out.LifecyclePolicyText)), nil
}

// setLifecycle makes the document the lifecycle policy of a repository in AWS, as
// others do.
func (a *faultyAWS) setLifecycle(account, name, document string) error {
	_, err := a.clients[account].PutLifecyclePolicy(&ecr.PutLifecyclePolicyInput{RepositoryName: &name, LifecyclePolicyText: &document})
	return err
}
