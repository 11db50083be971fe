package ecr

import "github.com/YaleSpinup/ecr-api/common/localaws/service"

// repositoryInput is the input of an operation on one repository.
type repositoryInput interface {
	input
	// owner returns the account of the repository.
	owner(c *service.Request) string
}

// needsOwn is for an operation that needs one permission: that of its own name
// on its repository.
func needsOwn[In repositoryInput](s *Store) func(c *service.Request, in In) []service.Permission {
	return func(c *service.Request, in In) []service.Permission {
		return []service.Permission{s.permission(c, in)}
	}
}

// permission returns the permission of the operation's own name on the
// repository of the input.
func (s *Store) permission(c *service.Request, in repositoryInput) service.Permission {
	return s.permissionOn(c, in.owner(c), in.repository())
}

// permissionOn returns the permission of the operation's own name on a
// repository. The tags of the repository are among its condition keys. A
// repository that does not exist has no tags and no policy.
func (s *Store) permissionOn(c *service.Request, owner, name string) service.Permission {
	place := placeOf(c, owner)
	p := service.Permission{
		Action:   "ecr:" + c.Operation,
		Resource: repositoryARN(place, name),
		Owner:    owner,
		Context:  make(map[string][]string),
	}
	if r := s.registry(place).repositories[name]; r != nil {
		addResourceTags(p.Context, r.tags)
		p.ResourcePolicy = r.policy.parsed()
	}
	return p
}

func addResourceTags(context map[string][]string, tags map[string]string) {
	service.AddTags(context, "aws:ResourceTag/", tags)
	service.AddTags(context, "ecr:ResourceTag/", tags)
}

// needsToCreate adds the permission to tag if the new repository has tags, and
// permissions on the KMS key if it is a customer's key. The tags of a new
// repository count as its own already, as AWS documents for aws:ResourceTag.
func (s *Store) needsToCreate(c *service.Request, in createRepositoryInput) []service.Permission {
	create := s.permission(c, in)
	tags := service.TagMap(in.Tags)
	service.AddRequestTags(create.Context, tags)
	if s.registry(placeOf(c, in.owner(c))).repositories[in.repository()] == nil {
		addResourceTags(create.Context, tags)
	}
	permissions := []service.Permission{create}
	if len(in.Tags) > 0 {
		tagging := create
		tagging.Action = "ecr:TagResource"
		permissions = append(permissions, tagging)
	}
	if in.Encryption != nil && in.Encryption.usesCustomerKey() {
		key := in.Encryption.resolved(c.Place()).Key
		for _, action := range []string{"kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"} {
			permissions = append(permissions, permissionOnKey(c, action, key))
		}
	}
	return permissions
}

// permissionOnKey returns a permission on a KMS key that ECR uses for the
// caller.
func permissionOnKey(c *service.Request, action, key string) service.Permission {
	p := service.Permission{Action: action, Resource: key, Context: map[string][]string{
		"kms:CallerAccount": {c.Account},
		"kms:ViaService":    {"ecr." + c.Region + ".amazonaws.com"},
	}}
	if action == "kms:CreateGrant" {
		p.Context["kms:GrantIsForAWSResource"] = []string{"true"}
	}
	return p
}

// needsToDescribe returns a permission on each repository of the list. Without
// a list the resource is the text "repository/*", as in AWS. So a policy for
// the repositories of one group does not allow it.
func (s *Store) needsToDescribe(c *service.Request, in describeRepositoriesInput) []service.Permission {
	owner := registryOf(c, in.RegistryID)
	if in.Names == nil {
		return []service.Permission{s.permissionOn(c, owner, "*")}
	}
	var permissions []service.Permission
	for _, name := range in.Names {
		permissions = append(permissions, s.permissionOn(c, owner, name))
	}
	return permissions
}

// needsToDelete adds the permission to retire the grant on the repository's KMS
// key. ECR retires it in the name of the caller, also if AWS manages the key.
func (s *Store) needsToDelete(c *service.Request, in deleteRepositoryInput) []service.Permission {
	permissions := []service.Permission{s.permission(c, in)}
	r := s.registry(placeOf(c, in.owner(c))).repositories[in.RepositoryName]
	if r != nil && r.encryption.Key != "" {
		permissions = append(permissions, permissionOnKey(c, "kms:RetireGrant", r.encryption.Key))
	}
	return permissions
}

func (s *Store) needsToTag(c *service.Request, in tagResourceInput) []service.Permission {
	p := s.permission(c, in)
	service.AddRequestTags(p.Context, service.TagMap(in.Tags))
	return []service.Permission{p}
}

func (s *Store) needsToUntag(c *service.Request, in untagResourceInput) []service.Permission {
	p := s.permission(c, in)
	if len(in.Keys) > 0 {
		p.Context["aws:TagKeys"] = in.Keys
	}
	return []service.Permission{p}
}
