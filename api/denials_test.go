package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

// regionLock is a Deny as companies have it, in a role's own policy.
const regionLock = `{"Sid": "Elsewhere", "Effect": "Deny", "Action": "*", "Resource": "*",
	"Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}`

// denyOf returns a Deny of one action.
func denyOf(action string) string {
	return `{"Sid": "Never", "Effect": "Deny", "Action": "` + action + `", "Resource": "*"}`
}

// newDenyingWorlds returns two worlds whose roles have one more Deny, by the
// policy that AWS names if both the role's and the session's deny the call.
// AWS does not say which one that is. In the first world it is the role's. In
// the second the role has no fence, so it is the session's.
func newDenyingWorlds(t *testing.T, deny string) map[string]*world {
	t.Helper()
	worlds := map[string]*world{}
	for name, permissions := range map[string]string{"the role's": config.RolePolicy, "the session's": unfenced(t)} {
		var role struct {
			Version   string
			Statement []json.RawMessage
		}
		if err := json.Unmarshal([]byte(permissions), &role); err != nil {
			t.Fatal(err)
		}
		role.Statement = append(role.Statement, json.RawMessage(deny))
		w := newWorldWith(t, rolesOf(jsonOf(role), account))
		w.addRepository(account, "g/ours", org)
		w.addRepository(account, "g/others", otherOrg)
		w.addRepository(account, "g/untagged", "")
		worlds[name] = w
	}
	return worlds
}

// deniedByRole is the answer if an explicit Deny of the role's policy denies
// the action.
func deniedByRole(action string) string {
	return problemByAWS("denied-by-aws", "AWS denied "+action+" to the role of that account. The reason is an explicit Deny in the role's own policies. "+
		"It may be the one of other orgs' repositories, if the request is about a repository: look at its tags, too.", "AccessDeniedException")
}

// A Deny that is not about the repository tells nothing about it: neither to
// whom it belongs, nor that it exists.
func TestRoleThatDeniesEverything(t *testing.T) {
	t.Parallel()
	for name, w := range newDenyingWorlds(t, regionLock) {
		for _, e := range []exchange{
			{method: "GET", path: base, want: deniedByRole("ecr:DescribeRepositories")},
			{method: "GET", path: base + "/g", want: deniedByRole("ecr:DescribeRepositories")},
			{method: "POST", path: base + "/g", body: `{"RepositoryName": "new"}`, want: deniedByRole("ecr:CreateRepository")},
			{method: "POST", path: base + "/g", body: `{"RepositoryName": "ours"}`, want: deniedByRole("ecr:CreateRepository")},
		} {
			e.name, e.status = name+", "+e.method+" "+e.path+e.body, 403
			w.run(e)
			w.wantWarning(e.name, "with an explicit deny in an identity-based policy")
		}
		for _, repository := range []string{"missing", "ours", "untagged"} {
			for _, e := range aboutRepository(t, values{"group": "g", "name": repository}) {
				status, _, body := w.do(e)
				if status != 403 || e.method != "HEAD" && parse(t, body).(map[string]any)["code"] != "denied-by-aws" {
					t.Errorf("%s, %s of %s: %d %s", name, e.name, repository, status, body)
				}
				w.wantWarning(e.name, "with an explicit deny in an identity-based policy")
			}
		}
	}
}

// wantWarning checks that the last line of the log is a warning, with these
// words in its error.
func (w *world) wantWarning(name, words string) {
	w.t.Helper()
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	line := parse(w.t, lines[len(lines)-1]).(map[string]any)
	if line["level"] != "warning" || !strings.Contains(fmt.Sprint(line["error"]), words) {
		w.t.Errorf("%s: the line is %v", name, line)
	}
}

// If the role's policy denies one action, the answers about other orgs'
// repositories stay the same.
func TestRoleThatDeniesOneAction(t *testing.T) {
	t.Parallel()
	for action, test := range map[string][]exchange{
		"ecr:DescribeImages": {
			{method: "GET", path: base + "/g/ours/images", status: 403, want: deniedByRole("ecr:DescribeImages")},
			{method: "GET", path: base + "/g/ours", status: 200, want: "-"},
		},
		"ecr:CreateRepository": {
			{method: "POST", path: base + "/g", body: `{"RepositoryName": "new"}`, status: 403, want: deniedByRole("ecr:CreateRepository")},
			{method: "POST", path: base + "/g", body: `{"RepositoryName": "ours"}`, status: 409, want: repositoryExists("g/ours")},
		},
		"ecr:DeleteRepository": {
			{method: "DELETE", path: base + "/g/ours", status: 403, want: deniedByRole("ecr:DeleteRepository")},
		},
	} {
		for name, w := range newDenyingWorlds(t, denyOf(action)) {
			for _, e := range test {
				e.name = name + ", " + action + ", " + e.method + " " + e.path + e.body
				w.run(e)
				if e.status != 200 {
					w.wantWarning(e.name, action)
				}
			}
			w.run(exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "others"}`, status: 409, want: repositoryExists("g/others")})
			for _, e := range aboutRepository(t, values{"group": "g", "name": "others"}) {
				status, _, body := w.do(e)
				if status != 403 || e.method != "HEAD" && parse(t, body).(map[string]any)["code"] != "other-org" {
					t.Errorf("%s, %s, %s: %d %s", name, action, e.name, status, body)
				}
			}
		}
	}
}

func repositoryExists(name string) string {
	return problemByAWS("repository-exists", "The repository with name '"+name+"' already exists in the registry with id '012345678901'", "RepositoryAlreadyExistsException")
}

// The answer to a create got lost, and the role's policy denies the read that
// should find out. That does not mean that the repository is another org's.
func TestLostCreateWhenTheRoleDeniesReads(t *testing.T) {
	t.Parallel()
	for name, w := range newDenyingWorlds(t, denyOf("ecr:ListTagsForResource")) {
		w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Drop: true, AfterWork: true})
		w.run(exchange{name: name, method: "POST", path: base + "/g", body: createNew, status: 500,
			want: failedChange("internal", internalError, nil, []string{"Repository"})})
	}
}

// The role's policy may deny names. The names need not exist.
func TestRoleThatDeniesNames(t *testing.T) {
	t.Parallel()
	const deny = `{"Sid": "Names", "Effect": "Deny", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/g/new*"}`
	for name, w := range newDenyingWorlds(t, deny) {
		w.run(
			exchange{name: name, method: "POST", path: base + "/g", body: createNew, status: 403, want: deniedByRole("ecr:CreateRepository")},
			exchange{name: name, method: "GET", path: base + "/g/other", status: 404, want: "-"},
		)
	}
}

// ECR uses the KMS key with the rights of the role. Its words about a denial
// name the role and the session.
func TestDeniedKMSKey(t *testing.T) {
	t.Parallel()
	const words = "User: arn:aws:sts::012345678901:assumed-role/ecr-api/spinup-spindev-ecr-api-0123456789abcdef is not authorized to perform: " +
		"kms:CreateGrant on resource: arn:aws:kms:us-east-1:012345678901:key/k because no identity-based policy allows the kms:CreateGrant action"
	for awsCode, w := range map[string]*world{"KmsException": newWorld(t), "AccessDeniedException": newWorld(t)} {
		w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: awsCode, Message: words})
		create := exchange{name: awsCode, method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "KmsKeyId": "k"}`, status: 403, want: problemByAWS("denied-by-aws",
			"AWS denied kms:CreateGrant to the role of that account. Either the role lacks a permission: look at its KMS statements (config/aws/role-policy.json). "+
				"Or the key is not for the role: look at the key's policy, or name another key.", awsCode)}
		w.run(create)
		w.wantWarning(awsCode, words)
	}
}

// Other errors of a key are for whoever has named the key.
func TestKMSKeyThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for words, detail := range map[string]string{
		"The key is disabled": "The key is disabled",
		"The role arn:aws:iam::012345678901:role/ecr-api cannot use the key": "AWS answered KmsException. The log has its words: quote the requestId to whoever runs this service.",
	} {
		mend := w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "KmsException", Message: words})
		w.run(exchange{name: words, method: "POST", path: base + "/g", body: `{"RepositoryName": "a", "KmsKeyId": "k"}`, status: 400,
			want: problemByAWS("bad-request", detail, "KmsException")})
		mend()
	}
}
