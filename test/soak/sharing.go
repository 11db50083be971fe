package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go/service/ecr"
)

const sharingChanged = "sharing-changed" // code of a problem

// sharedGroups are groups with which repositories are shared. AWS does not know
// groups.
var sharedGroups = []string{"space-1", "space-2", "space-3", "research", "a.b_c-d"}

// noAccount is an account that does not exist.
const noAccount = "999988887777"

// foreign are statements that others write. None of them has a list of
// principals, because AWS reorders these.
var foreign = []string{
	`{"Sid":"LambdaECRImageRetrievalPolicy","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},` +
		`"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringLike":{"aws:sourceArn":"arn:aws:lambda:us-east-1:012345678901:function:*"}}}`,
	`{"Effect":"Allow","Action":"ecr:DescribeImages","Principal":{"AWS":"arn:aws:iam::012345678901:root"},"Resource":"*"}`,
	`{"Sid":"nobody may do this, \u0061lso \"he\"","Effect":"Deny","Principal":"*","Action":["ecr:ReplicateImage"],"Condition":{"StringEquals":{"aws:PrincipalAccount":"999988887777"}}}`,
}

// chooseFrame returns what others may have written.
func chooseFrame(random *rand.Rand) string {
	p := policyText{Version: json.RawMessage(`"2012-10-17"`), Statement: []json.RawMessage{}}
	if random.IntN(2) == 0 {
		p.Version, p.Id = json.RawMessage(`"2008-10-17"`), json.RawMessage(`"by hand"`)
	}
	for _, n := range random.Perm(len(foreign))[:1+random.IntN(len(foreign))] {
		p.Statement = append(p.Statement, json.RawMessage(foreign[n]))
	}
	return p.String()
}

func chooseSome(random *rand.Rand, list []string) *string {
	var chosen []string
	for _, name := range list {
		if random.IntN(3) == 0 {
			chosen = append(chosen, name)
		}
	}
	joined := joinSet(chosen)
	return &joined
}

func chooseGroups(random *rand.Rand) *string { return chooseSome(random, sharedGroups) }

// chooseLists returns both lists.
func chooseLists(random *rand.Rand, r *repository) share {
	others := slices.DeleteFunc(slices.Clone(accounts), func(id string) bool { return id == r.account })
	return share{chooseGroups(random), chooseSome(random, others)}
}

// chooseShare returns both lists. Now and then one of the accounts does not
// exist, and AWS refuses that.
func chooseShare(random *rand.Rand, r *repository) (c share, refused bool) {
	c = chooseLists(random, r)
	if refused = random.IntN(20) == 0; refused {
		*c.accounts = joinSet(append(strings.Fields(*c.accounts), noAccount))
	}
	return c, refused
}

// chooseSharingOperation returns a request about sharing. An update has groups
// only.
func chooseSharingOperation(random *rand.Rand, r *repository) operation {
	switch n := random.IntN(10); {
	case n < 2:
		return operation{kind: showSharing}
	case n < 3:
		none := ""
		return operation{kind: deleteSharing, share: share{&none, &none}}
	case n < 6:
		return newGroupsUpdate(random)
	default:
		c, refused := chooseShare(random, r)
		return operation{kind: putSharing, share: c, refused: refused}
	}
}

// newGroupsUpdate returns an update that sets the groups and nothing else.
func newGroupsUpdate(random *rand.Rand) operation {
	return operation{kind: update, settings: settings{groups: chooseGroups(random)}}
}

// sharingPart returns the change of sharing that an operation makes, and its name
// in an outcome. The name is empty if it makes none.
func (o operation) sharingPart() (c share, part string) {
	switch {
	case o.kind == putSharing || o.kind == deleteSharing:
		return o.share, partSharing
	case o.settings.groups != nil:
		return share{groups: o.settings.groups}, partGroups
	default:
		return share{}, ""
	}
}

func (c share) body() string {
	text, _ := json.Marshal(map[string][]string{ // does not fail for strings
		"Groups":   append([]string{}, strings.Fields(*c.groups)...),
		"Accounts": append([]string{}, strings.Fields(*c.accounts)...),
	})
	return string(text)
}

func readSharing(out outcome, s *sentRequest) (outcome, error) {
	var body struct {
		Groups, Accounts []string
		Other            *int
	}
	if err := json.Unmarshal(s.answer.body, &body); err != nil {
		return out, err
	}
	if body.Groups == nil || body.Accounts == nil || body.Other == nil {
		return out, fmt.Errorf("a key is missing")
	}
	out.sharing = &sharingAnswer{strings.Join(body.Groups, " "), strings.Join(body.Accounts, " "), *body.Other}
	return out, nil
}

// policyOf returns the policy of a repository in AWS, empty if there is none.
func (a *faultyAWS) policyOf(account, name string) (string, error) {
	out, err := a.clients[account].GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: &name})
	if isCode(err, ecr.ErrCodeRepositoryPolicyNotFoundException) || isCode(err, ecr.ErrCodeRepositoryNotFoundException) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return *out.PolicyText, nil
}

// setPolicy makes the text the policy of a repository in AWS, as others do.
func (a *faultyAWS) setPolicy(account, name, text string) error {
	client := a.clients[account]
	if text != "" {
		_, err := client.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: &name, PolicyText: &text})
		return err
	}
	_, err := client.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: &name})
	if isCode(err, ecr.ErrCodeRepositoryPolicyNotFoundException) {
		return nil
	}
	return err
}
