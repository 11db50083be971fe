package config_test

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
)

// What a session of the role may do for docker, with the credentials' policy
// and without it. The session has the tag of the org "ours".
func TestCredentialsPolicy(t *testing.T) {
	t.Parallel()
	const (
		ours       = "ours"
		theirs     = "theirs"
		repository = "arn:aws:ecr:us-east-1:012345678901:repository/g/a"
	)
	all := []string{config.RolePolicy, config.CredentialsPolicy}
	for name, test := range map[string]struct {
		documents []string
		session   string // its org; "" for none
		of        string // the repository's org; "" for none
		loginWant policy.Decision
		layerWant policy.Decision // of each action on layers and images
		// Of actions that are also in the role's own policy:
		getImageWant, changeWant policy.Decision
	}{
		"our repository":                        {all, ours, ours, policy.Allow, policy.Allow, policy.Allow, policy.Allow},
		"another org's":                         {all, ours, theirs, policy.Allow, policy.Deny, policy.Deny, policy.Deny},
		"untagged":                              {all, ours, "", policy.Allow, policy.NotAllowed, policy.NotAllowed, policy.NotAllowed},
		"a session without an org":              {all, "", ours, policy.Deny, policy.Deny, policy.Deny, policy.Deny},
		"a session without an org, untagged":    {all, "", "", policy.Deny, policy.Deny, policy.Deny, policy.Deny},
		"without the credentials' policy":       {all[:1], ours, ours, policy.NotAllowed, policy.NotAllowed, policy.Allow, policy.Allow},
		"without the role's own, our repo":      {all[1:], ours, ours, policy.Allow, policy.Allow, policy.Allow, policy.NotAllowed},
		"without the role's own, another":       {all[1:], ours, theirs, policy.Allow, policy.NotAllowed, policy.NotAllowed, policy.NotAllowed},
		"without the role's own and any org":    {all[1:], "", "", policy.Allow, policy.NotAllowed, policy.NotAllowed, policy.NotAllowed},
		"the same org in other letters":         {all, "OURS", ours, policy.Allow, policy.Deny, policy.Deny, policy.Deny},
		"without the role's own, other letters": {all[1:], "OURS", ours, policy.Allow, policy.NotAllowed, policy.NotAllowed, policy.NotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			context := map[string][]string{}
			if test.session != "" {
				context["aws:PrincipalTag/spinup:org"] = []string{test.session}
			}
			wantDecision(t, test.documents, policy.Request{Action: "ecr:GetAuthorizationToken", Resource: "*", Context: context}, test.loginWant)
			if test.of != "" {
				context["aws:ResourceTag/spinup:org"] = []string{test.of}
			}
			for _, action := range []string{
				"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", // pull
				"ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart", // push
			} {
				wantDecision(t, test.documents, policy.Request{Action: action, Resource: repository, Context: context}, test.layerWant)
			}
			images := policy.Request{Action: "ecr:BatchGetImage", Resource: repository, Context: context}
			wantDecision(t, test.documents, images, test.getImageWant)
			for _, action := range []string{"ecr:BatchDeleteImage", "ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"} {
				wantDecision(t, test.documents, policy.Request{Action: action, Resource: repository, Context: context}, test.changeWant)
			}
			for _, action := range []string{"ecr:ListImages", "ecr:PutRegistryPolicy"} {
				request := policy.Request{Action: action, Resource: repository, Context: context}
				if got := decide(t, test.documents, request); got == policy.Allow {
					t.Errorf("%s: %v", action, got)
				}
			}
		})
	}
}

func wantDecision(t *testing.T, documents []string, r policy.Request, want policy.Decision) {
	t.Helper()
	if got := decide(t, documents, r); got != want {
		t.Errorf("%s on %s: %v, want %v", r.Action, r.Resource, got, want)
	}
}

func decide(t *testing.T, documents []string, r policy.Request) policy.Decision {
	t.Helper()
	var policies []policy.Policy
	for _, document := range documents {
		p, err := policy.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	decision, err := policy.Decide(r, policies...)
	if err != nil {
		t.Error(err)
	}
	return decision
}
