package localaws

import "maps"

// onRepository is the input of operations on one repository of somebody's registry.
type onRepository interface {
	input
	owner(c *call) string
}

// needsOwn is what most operations need: the action of their own name on their repository.
func needsOwn[In onRepository](s *Server, c *call, in In) []permission {
	return []permission{s.own(c, in, nil)}
}

// own returns the permission of the operation's own name, with the tags that the request brings.
func (s *Server) own(c *call, in onRepository, requestTags map[string]string) permission {
	p := s.onName(c, in.owner(c), in.repository())
	addRequestTags(p.context, requestTags)
	return p
}

// onName returns the permission of the operation's own name on a repository by its name.
func (s *Server) onName(c *call, owner, name string) permission {
	p := permission{
		action:   "ecr:" + c.Operation,
		resource: c.region.repositoryARN(owner, name),
		owner:    owner,
		context:  make(map[string][]string),
	}
	if owner == c.Account {
		tags := s.tagsOf(c, name)
		addTags(p.context, "aws:ResourceTag/", tags)
		addTags(p.context, "ecr:ResourceTag/", tags)
	}
	return p
}

// needsCreate: who tags at creation needs the right to tag, and who brings a key of their own the
// right to let ECR use it.
func needsCreate(s *Server, c *call, in createRepositoryInput) []permission {
	own := s.own(c, in, tagMap(in.Tags))
	permissions := []permission{own}
	if len(in.Tags) > 0 {
		tagging := own
		tagging.action = "ecr:TagResource"
		permissions = append(permissions, tagging)
	}
	if in.Encryption != nil && in.Encryption.usesCustomerKey() {
		key := in.Encryption.resolved(c).Key
		for _, action := range []string{"kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"} {
			permissions = append(permissions, onKey(c, action, key))
		}
	}
	return permissions
}

// onKey returns a permission on a KMS key that ECR makes use of for the caller.
func onKey(c *call, action, key string) permission {
	p := permission{action: action, resource: key, context: map[string][]string{
		"kms:CallerAccount": {c.Account},
		"kms:ViaService":    {"ecr." + c.Region + ".amazonaws.com"},
	}}
	if action == "kms:CreateGrant" {
		p.context["kms:GrantIsForAWSResource"] = []string{"true"}
	}
	return p
}

// needsDescribe: without names the resource is the text "repository/*", which a pattern for a group
// of repositories does not match.
func needsDescribe(s *Server, c *call, in describeRepositoriesInput) []permission {
	owner := named{RegistryID: in.RegistryID}.owner(c)
	if in.Names == nil {
		return []permission{s.onName(c, owner, "*")}
	}
	var permissions []permission
	for _, name := range in.Names {
		permissions = append(permissions, s.onName(c, owner, name))
	}
	return permissions
}

// needsDelete: ECR retires the grant that it has on a KMS key, AWS's own included, in the name of
// who deletes.
func needsDelete(s *Server, c *call, in deleteRepositoryInput) []permission {
	permissions := []permission{s.own(c, in, nil)}
	r := s.registry(c.place()).repositories[in.RepositoryName]
	if r != nil && r.encryption.Key != "" {
		permissions = append(permissions, onKey(c, "kms:RetireGrant", r.encryption.Key))
	}
	return permissions
}

func needsTag(s *Server, c *call, in tagResourceInput) []permission {
	return []permission{s.own(c, in, tagMap(in.Tags))}
}

func needsUntag(s *Server, c *call, in untagResourceInput) []permission {
	p := s.own(c, in, nil)
	if len(in.Keys) > 0 {
		p.context = maps.Clone(p.context)
		p.context["aws:TagKeys"] = in.Keys
	}
	return []permission{p}
}
