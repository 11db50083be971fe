//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/iam"
)

// granting returns the policy of a repository with a statement about a
// principal, such as {"AWS":"*"}.
func granting(effect, principal, action string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `"}}`
}

// The principals of the tables below. The repository is in the administrator's
// account.
const (
	here, there = localaws.AdministratorAccount, awstest.Other

	everybody    = `"*"`
	theAccount   = `{"AWS":"012345678901"}`
	theRole      = `{"AWS":"arn:aws:iam::012345678901:role/ecr-api"}`
	theSession   = `{"AWS":"arn:aws:sts::012345678901:assumed-role/ecr-api/test"}`
	otherAccount = `{"AWS":"210987654321"}`
	otherRole    = `{"AWS":"arn:aws:iam::210987654321:role/ecr-api"}`
	otherSession = `{"AWS":"arn:aws:sts::210987654321:assumed-role/ecr-api/test"}`
)

// newSharing returns a server with the repository group/one, and the role
// ecr-api in both accounts with a permission policy.
func newSharing(t *testing.T, permissions, policy string) *awstest.AWS {
	t.Helper()
	var roles []localaws.Role
	for _, account := range []string{here, there} {
		r := localaws.Role{Account: account, Name: "ecr-api", Trust: awstest.TrustLocal}
		if permissions != "" {
			r.Permissions = []string{permissions}
		}
		roles = append(roles, r)
	}
	b := awstest.New(t, roles...)
	awstest.Must(t, b.AddRepository(here, awstest.Here, "group/one", map[string]string{"spinup:org": "ours"}))
	awstest.Must(t, b.AddImage(here, awstest.Here, "group/one", localaws.Image{Tags: []string{"v1"}, Manifest: manifestOf(1)}))
	if policy != "" {
		setPolicy(t, b.ECR(awstest.Here), "group/one", policy)
	}
	return b
}

// describeImages describes the images of group/one in the administrator's
// account.
func describeImages(c *ecr.ECR) error {
	return awstest.ErrorOf(c.DescribeImages(&ecr.DescribeImagesInput{RegistryId: aws.String(here), RepositoryName: aws.String("group/one")}))
}

func TestRepositoryPolicyDecides(t *testing.T) {
	t.Parallel()
	const (
		resource   = "because no resource-based policy allows the ecr:DescribeImages action"
		identity   = "because no identity-based policy allows the ecr:DescribeImages action"
		session    = "because no session policy allows the ecr:DescribeImages action"
		explicit   = "with an explicit deny in a resource-based policy"
		byIdentity = "with an explicit deny in an identity-based policy"
		bySession  = "with an explicit deny in a session policy"
		every      = "ecr:*"
	)
	all := document(allowing("*", "ecr:*"))
	list := document(allowing("*", "ecr:ListImages"))
	no := document(denying("*", nil, "ecr:DescribeImages"))
	on := func(principal string) string { return granting("Allow", principal, every) }
	for _, test := range []struct {
		name        string
		account     string // of the session
		permissions string // of the role, "" for none
		session     string // session policy, "" for none
		policy      string // of the repository, "" for none
		text        string // of the refusal, "" if the call is allowed
	}{
		{"no policy", here, all, "", "", ""},
		{"no policy and no permission", here, "", "", "", identity},
		{"no policy and no permission in the session", here, all, list, "", session},
		{"another action", here, "", "", granting("Allow", everybody, "ecr:ListImages"), identity},
		{"another account", here, "", "", on(otherAccount), identity},

		{"account", here, "", "", on(theAccount), identity},
		{"account, with a permission", here, all, "", on(theAccount), ""},
		{"account, and the session policy does not allow", here, all, list, on(theAccount), session},
		{"role", here, "", "", on(theRole), ""},
		{"role, and a session policy allows", here, "", all, on(theRole), ""},
		{"role, and the session policy does not allow", here, "", list, on(theRole), session},
		{"role with a permission, and the session policy does not allow", here, all, list, on(theRole), session},
		{"session", here, "", "", on(theSession), ""},
		{"session, and the session policy does not allow", here, "", list, on(theSession), ""},
		{"everybody", here, "", "", on(everybody), ""},
		{"everybody, and the session policy does not allow", here, "", list, on(everybody), ""},

		{"the role denies", here, no, "", on(theSession), byIdentity},
		{"the session policy denies", here, all, no, on(theSession), bySession},
		{"the repository denies everybody", here, all, all, granting("Deny", everybody, every), explicit},
		{"the repository denies the account", here, all, all, granting("Deny", theAccount, every), explicit},
		{"the repository denies the role", here, all, all, granting("Deny", theRole, every), explicit},
		{"the repository denies the session", here, all, all, granting("Deny", theSession, every), explicit},
		{"the repository denies others", here, all, all, granting("Deny", otherAccount, every), ""},
		{"the repository denies another action", here, all, all, granting("Deny", everybody, "ecr:ListImages"), ""},
		{"role and repository deny", here, no, "", granting("Deny", everybody, every), byIdentity},

		{"other account: no policy", there, all, "", "", resource},
		{"other account: no policy and no permission", there, "", "", "", resource},
		{"other account: account", there, all, "", on(otherAccount), ""},
		{"other account: account, and no permission", there, "", "", on(otherAccount), resource},
		{"other account: account, and the session policy does not allow", there, all, list, on(otherAccount), session},
		{"other account: role", there, all, "", on(otherRole), ""},
		{"other account: role, and no permission", there, "", "", on(otherRole), identity},
		{"other account: role, and the session policy does not allow", there, all, list, on(otherRole), session},
		{"other account: session", there, all, "", on(otherSession), ""},
		{"other account: session, and no permission", there, "", "", on(otherSession), identity},
		{"other account: session, and the session policy does not allow", there, all, list, on(otherSession), session},
		{"other account: everybody", there, all, all, on(everybody), ""},
		{"other account: everybody, and no permission", there, "", "", on(everybody), identity},
		{"other account: somebody else", there, all, "", on(theAccount), resource},
		{"other account: another action", there, all, "", granting("Allow", everybody, "ecr:ListImages"), resource},
		{"other account: the repository denies", there, all, "", granting("Deny", otherAccount, every), explicit},
		{"other account: the role denies", there, no, "", on(otherRole), byIdentity},
		{"other account: the session policy denies", there, all, no, on(otherRole), bySession},
		{"other account: the session policy denies, and no policy", there, all, no, "", bySession},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newSharing(t, test.permissions, test.policy)
			code := ""
			if test.text != "" {
				code = "AccessDeniedException"
			}
			client := ecr.New(b.Session(awstest.Here, b.Assume(t, test.account, test.session, nil)))
			awstest.WantError(t, "call", describeImages(client), code, test.text)
		})
	}
}

// TestExceptions shows who is excluded from a Deny by NotPrincipal.
func TestExceptions(t *testing.T) {
	t.Parallel()
	const (
		explicit      = "with an explicit deny in a resource-based policy"
		account, role = `"arn:aws:iam::012345678901:root"`, `"arn:aws:iam::012345678901:role/ecr-api"`
		session       = `"arn:aws:sts::012345678901:assumed-role/ecr-api/test"`
		administrator = `"arn:aws:iam::012345678901:user/administrator"`
	)
	for _, test := range []struct{ name, except, session, administrator string }{
		{"account", account, explicit, explicit},
		{"role", role, explicit, explicit},
		{"role and account", role + `,` + account, explicit, explicit},
		{"session and role", session + `,` + role, explicit, explicit},
		{"session, role and account", session + `,` + role + `,` + account, "", explicit},
		{"user", administrator, explicit, explicit},
		{"user and account", administrator + `,` + account, explicit, ""},
		{"everybody", `"*"`, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newSharing(t, awstest.AllowAll, `{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":[`+test.except+`]},"Action":"ecr:*"}}`)
			code := map[bool]string{true: "AccessDeniedException"}
			client := ecr.New(b.Session(awstest.Here, b.Assume(t, here, "", nil)))
			awstest.WantError(t, "session", describeImages(client), code[test.session != ""], test.session)
			awstest.WantError(t, "administrator", describeImages(b.ECR(awstest.Here)), code[test.administrator != ""], test.administrator)
		})
	}
}

// TestAnotherAccountsRepository shows that the calls of a session reach the
// repository of another account, and not one of the same name at home.
func TestAnotherAccountsRepository(t *testing.T) {
	t.Parallel()
	b := newSharing(t, document(allowing("*", "ecr:*")), granting("Allow", otherRole, "ecr:*"))
	awstest.Must(t, b.AddRepository(there, awstest.Here, "group/one", map[string]string{"spinup:org": "theirs"}))
	client := ecr.New(b.Session(awstest.Here, b.Assume(t, there, "", nil)))
	registry, name, ids := aws.String(here), aws.String("group/one"), []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}

	images, err := client.BatchGetImage(&ecr.BatchGetImageInput{RegistryId: registry, RepositoryName: name, ImageIds: ids})
	awstest.Must(t, err)
	want := &ecr.BatchGetImageOutput{Failures: []*ecr.ImageFailure{}, Images: []*ecr.Image{{
		RegistryId: registry, RepositoryName: name,
		ImageId:                &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(manifestOf(1))), ImageTag: aws.String("v1")},
		ImageManifest:          aws.String(manifestOf(1)),
		ImageManifestMediaType: aws.String("application/vnd.docker.distribution.manifest.v2+json"),
	}}}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images of the other account (-want +got):\n%s", diff)
	}
	arn := aws.String(awstest.RepositoryARN(here, "group/one"))
	awstest.Must(t, awstest.ErrorOf(client.TagResource(&ecr.TagResourceInput{ResourceArn: arn, Tags: ecrTags("a", "b")})))
	tags, err := client.ListTagsForResource(&ecr.ListTagsForResourceInput{ResourceArn: arn})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.ListTagsForResourceOutput{Tags: ecrTags("a", "b", "spinup:org", "ours")}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	described, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{RegistryId: registry, RepositoryNames: []*string{name}})
	awstest.Must(t, err)
	if got := *described.Repositories[0].RepositoryArn; got != *arn {
		t.Errorf("described %s, want %s", got, *arn)
	}
	awstest.WantError(t, "create", awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{RegistryId: registry, RepositoryName: name})),
		"RepositoryAlreadyExistsException", "The repository with name 'group/one' already exists in the registry with id '012345678901'")
	awstest.WantError(t, "a repository that does not exist", awstest.ErrorOf(client.DescribeImages(&ecr.DescribeImagesInput{RegistryId: registry, RepositoryName: aws.String("group/none")})),
		"AccessDeniedException", "because no resource-based policy allows the ecr:DescribeImages action")
	awstest.Must(t, awstest.ErrorOf(b.ECR(awstest.Here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/encrypted"),
		EncryptionConfiguration: &ecr.EncryptionConfiguration{EncryptionType: aws.String("KMS")}})))
	setPolicy(t, b.ECR(awstest.Here), "group/encrypted", granting("Allow", otherRole, "ecr:*"))
	awstest.WantError(t, "delete an encrypted repository", awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RegistryId: registry, RepositoryName: aws.String("group/encrypted")})),
		"AccessDeniedException", "kms:RetireGrant on resource: arn:aws:kms:us-east-1:012345678901:key/")
	awstest.WantError(t, "all repositories", awstest.ErrorOf(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{RegistryId: registry})),
		"AccessDeniedException", "because no resource-based policy allows the ecr:DescribeRepositories action")

	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RegistryId: registry, RepositoryName: name, Force: aws.Bool(true)})))
	awstest.WantError(t, "the deleted repository", describeNamed("group/one")(b.ECR(awstest.Here)), "RepositoryNotFoundException", "")
	awstest.WantError(t, "the repository at home", describeNamed("group/one")(client), "", "")
}

// TestAdministratorOfAnotherAccount shows that the administrator needs the
// policy of a repository in another account.
func TestAdministratorOfAnotherAccount(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	awstest.Must(t, b.AddRepository(there, awstest.Here, "group/one", nil))
	describe := func() error {
		return awstest.ErrorOf(b.ECR(awstest.Here).DescribeImages(&ecr.DescribeImagesInput{RegistryId: aws.String(there), RepositoryName: aws.String("group/one")}))
	}
	awstest.WantError(t, "no policy", describe(), "AccessDeniedException", "because no resource-based policy allows the ecr:DescribeImages action")
	owner := ecr.New(b.Session(awstest.Here, b.Assume(t, there, "", nil)))
	setPolicy(t, owner, "group/one", granting("Allow", theAccount, "ecr:De*"))
	awstest.WantError(t, "a policy", describe(), "", "")
	awstest.Must(t, awstest.ErrorOf(b.ECR(awstest.Here).DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{
		RegistryId: aws.String(there), RepositoryName: aws.String("group/one")})))
	awstest.WantError(t, "the policy removed", describe(), "AccessDeniedException", "no resource-based policy")
}

// TestTagsOfAnotherAccount shows that the condition keys of tags have the tags of
// the repository that the call is about, in both policies.
func TestTagsOfAnotherAccount(t *testing.T) {
	t.Parallel()
	ifOrg := func(org string) conditions { return conditions{"StringEquals": {orgTag: org}} }
	policy := func(org string) string {
		return `{"Statement":{"Effect":"Allow","Principal":` + otherAccount + `,"Action":"ecr:*","Condition":{"StringEquals":{"ecr:ResourceTag/spinup:org":"` + org + `"}}}}`
	}
	for _, test := range []struct{ name, org, policy, text string }{
		{"both ask for its tag", "ours", policy("ours"), ""},
		{"the role asks for the tag of the repository at home", "theirs", policy("ours"), "no resource-based policy"},
		{"the repository asks for the tag of the repository at home", "ours", policy("theirs"), "no resource-based policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newSharing(t, document(allowing("*", "ecr:*").where(ifOrg(test.org))), test.policy)
			awstest.Must(t, b.AddRepository(there, awstest.Here, "group/one", map[string]string{"spinup:org": "theirs"}))
			code := ""
			if test.text != "" {
				code = "AccessDeniedException"
			}
			awstest.WantError(t, "call", describeImages(ecr.New(b.Session(awstest.Here, b.Assume(t, there, "", nil)))), code, test.text)
		})
	}
}

// TestDeniedElsewhere shows that the policy of a repository opens nothing to a
// session that denies all but a few actions on one repository, as the sessions
// of docker credentials do. Without the Deny, it would.
func TestDeniedElsewhere(t *testing.T) {
	t.Parallel()
	const token = "ecr:GetAuthorizationToken"
	one := awstest.RepositoryARN(here, "group/one")
	open := []iam.Statement{iam.Allow("*", token), iam.Allow(one, "ecr:DescribeImages")}
	closed := slices.Concat(open, []iam.Statement{iam.DenyOtherActions(token, "ecr:DescribeImages"), iam.DenyElsewhere(one, token)})

	b := newSharing(t, awstest.AllowAll, granting("Allow", everybody, "ecr:*"))
	b.Add(t, "group/two")
	setPolicy(t, b.ECR(awstest.Here), "group/two", granting("Allow", everybody, "ecr:*"))
	awstest.Must(t, b.AddRepository(there, awstest.Here, "group/three", nil))
	setPolicy(t, ecr.New(b.Session(awstest.Here, b.Assume(t, there, "", nil))), "group/three", granting("Allow", everybody, "ecr:*"))

	in := func(registry, name string) *ecr.DescribeImagesInput {
		return &ecr.DescribeImagesInput{RegistryId: &registry, RepositoryName: &name}
	}
	for _, test := range []struct {
		name       string
		do         func(*ecr.ECR) error
		openText   string // of the refusal without the Deny; "" if the call is allowed
		closedText string
	}{
		{"its action", describeImages, "", ""},
		{"a password", func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetAuthorizationToken(&ecr.GetAuthorizationTokenInput{}))
		}, "", ""},
		{"another action", describeNamed("group/one"), "", "with an explicit deny in a session policy"},
		{"its policy", func(c *ecr.ECR) error {
			return awstest.ErrorOf(c.GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("group/one")}))
		}, "", "with an explicit deny in a session policy"},
		{"another repository", func(c *ecr.ECR) error { return awstest.ErrorOf(c.DescribeImages(in(here, "group/two"))) },
			"", "with an explicit deny in a session policy"},
		{"another account", func(c *ecr.ECR) error { return awstest.ErrorOf(c.DescribeImages(in(there, "group/three"))) },
			"because no session policy allows the ecr:DescribeImages action", "with an explicit deny in a session policy"},
	} {
		for policy, text := range map[string]string{iam.NewPolicy(open...).String(): test.openText, iam.NewPolicy(closed...).String(): test.closedText} {
			code := ""
			if text != "" {
				code = "AccessDeniedException"
			}
			client := ecr.New(b.Session(awstest.Here, b.Assume(t, here, policy, nil)))
			awstest.WantError(t, test.name+" with "+policy, test.do(client), code, text)
		}
	}
}

// TestAnotherAccountsLayers shows that a session can push to the repository of
// another account and pull from it.
func TestAnotherAccountsLayers(t *testing.T) {
	t.Parallel()
	const content = "a layer from elsewhere"
	b := newSharing(t, document(allowing("*", "ecr:*")), granting("Allow", otherRole, "ecr:*"))
	client := ecr.New(b.Session(awstest.Here, b.Assume(t, there, "", nil)))
	registry, name, digest := aws.String(here), aws.String("group/one"), aws.String(digestOf(content))

	begun, err := client.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RegistryId: registry, RepositoryName: name})
	awstest.Must(t, err)
	awstest.Must(t, awstest.ErrorOf(client.UploadLayerPart(&ecr.UploadLayerPartInput{RegistryId: registry, RepositoryName: name, UploadId: begun.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(int64(len(content) - 1)), LayerPartBlob: []byte(content)})))
	completed, err := client.CompleteLayerUpload(&ecr.CompleteLayerUploadInput{RegistryId: registry, RepositoryName: name, UploadId: begun.UploadId,
		LayerDigests: []*string{digest}})
	awstest.Must(t, err)
	want := &ecr.CompleteLayerUploadOutput{RegistryId: registry, RepositoryName: name, UploadId: begun.UploadId, LayerDigest: digest}
	if diff := cmp.Diff(want, completed); diff != "" {
		t.Errorf("completed (-want +got):\n%s", diff)
	}
	awstest.Must(t, awstest.ErrorOf(client.PutImage(&ecr.PutImageInput{RegistryId: registry, RepositoryName: name, ImageManifest: aws.String(naming(content))})))

	checked, err := client.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RegistryId: registry, RepositoryName: name, LayerDigests: []*string{digest}})
	awstest.Must(t, err)
	if got := aws.StringValue(checked.Layers[0].LayerAvailability); got != "AVAILABLE" {
		t.Errorf("the layer is %s", got)
	}
	wantAvailable(t, "seen by the owner", b.ECR(awstest.Here), *name, *digest, true)
	location, err := client.GetDownloadUrlForLayer(&ecr.GetDownloadUrlForLayerInput{RegistryId: registry, RepositoryName: name, LayerDigest: digest})
	awstest.Must(t, err)
	if _, got, _ := get(t, "GET", *location.DownloadUrl, ""); got != content {
		t.Errorf("downloaded %q, want %q", got, content)
	}
}
