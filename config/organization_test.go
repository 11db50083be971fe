package config_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// Whom the organization's policy keeps from what. Such a policy allows nothing: what
// it does not deny, other policies decide.
func TestOrganizationPolicy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("aws/organization-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	document := []string{string(text)}
	const (
		management = "arn:aws:iam::210987654321:role/ecr-api"
		service    = "arn:aws:iam::012345678901:role/ecr-api-service"
		owner      = "arn:aws:iam::210987654321:role/OrganizationAccountAccessRole"
		somebody   = "arn:aws:iam::210987654321:role/administrator"
		role       = "arn:aws:iam::210987654321:role/app"
	)
	mayTag := exempt(t, document[0])
	mayNot := []string{
		somebody, "arn:aws:iam::210987654321:user/administrator", "arn:aws:iam::210987654321:root",
		"arn:aws:iam::210987654321:role/ecr-api-service", // of another account
		"arn:aws:iam::210987654321:user/ecr-api", "arn:aws:iam::210987654321:role/path/ecr-api", "arn:aws:iam::210987654321:role/ecr-api2",
	}
	decide := func(principal, action, resource string, tagKeys ...string) policy.Request {
		return policy.Request{Action: action, Resource: resource, Context: map[string][]string{"aws:PrincipalArn": {principal}, "aws:TagKeys": tagKeys}}
	}
	for _, action := range []string{"iam:CreateRole", "iam:CreateUser", "iam:TagRole", "iam:TagUser", "iam:UntagRole", "iam:UntagUser", "sts:TagSession"} {
		for _, keys := range [][]string{{"spinup:org"}, {"SPINUP:SpaceID"}, {"a", "spinup:spaceid"}} {
			for _, principal := range mayTag {
				wantDecision(t, document, decide(principal, action, role, keys...), policy.NotAllowed)
			}
			for _, principal := range mayNot {
				wantDecision(t, document, decide(principal, action, role, keys...), policy.Deny)
			}
		}
		for _, keys := range [][]string{nil, {"org"}, {"spinup:orgs", "Application"}} {
			wantDecision(t, document, decide(somebody, action, role, keys...), policy.NotAllowed)
		}
	}
	for _, principal := range append(mayNot, management, service) {
		for _, action := range []string{"iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"} {
			wantDecision(t, document, decide(principal, action, "arn:aws:iam::210987654321:policy/ecr-api-users"), policy.Deny)
			wantDecision(t, document, decide(principal, action, "arn:aws:iam::210987654321:policy/other"), policy.NotAllowed)
			wantDecision(t, document, decide(owner, action, "arn:aws:iam::210987654321:policy/ecr-api-users"), policy.NotAllowed)
		}
		// Nobody can become somebody who may tag.
		for _, protected := range mayTag {
			kind, actions := "role/", []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"}
			if strings.Contains(protected, ":user/") {
				kind, actions = "user/", []string{
					"iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateUser",
					"iam:PutUserPolicy", "iam:UpdateAccessKey", "iam:UpdateLoginProfile", "iam:UpdateUser",
				}
			}
			for _, action := range actions {
				wantDecision(t, document, decide(principal, action, protected), policy.Deny)
				wantDecision(t, document, decide(principal, action, "arn:aws:iam::012345678901:"+kind+"app"), policy.NotAllowed)
				wantDecision(t, document, decide(owner, action, protected), policy.NotAllowed)
			}
		}
	}
	wantDecision(t, document, decide(somebody, "iam:GetRole", management), policy.NotAllowed)
}

// exempt returns who may set the tags, in the account 210987654321 if it is in each.
func exempt(t *testing.T, document string) (list []string) {
	t.Helper()
	var d struct {
		Statement []struct {
			Sid       string
			Condition map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	for _, s := range d.Statement {
		if s.Sid != "TagsThatDecide" {
			continue
		}
		for _, arn := range s.Condition["ArnNotLike"]["aws:PrincipalArn"].([]any) {
			list = append(list, strings.Replace(arn.(string), "*", "210987654321", 1))
		}
	}
	if len(list) != 4 {
		t.Errorf("may tag: %v", list)
	}
	return list
}
