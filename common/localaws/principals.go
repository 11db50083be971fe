package localaws

import "strings"

// principalExists tells whether a principal exists: an account, a role, a session
// of a role, a user, or the administrator. It takes what the policy of a repository can
// name, ids of accounts and ARNs. A session exists if its role does. An id that
// AWS gave to a user or role is none: no policy can be set that names it.
func (s *Server) principalExists(name string) bool {
	if s.accounts[name] {
		return true
	}
	parts := strings.SplitN(name, ":", 6) // arn, partition, service, region, account, and the rest
	if len(parts) < 6 {
		return false
	}
	service, account, rest := parts[2], parts[4], parts[5]
	kind, path, _ := strings.Cut(rest, "/")
	switch service + " " + kind {
	case "iam root":
		return s.accounts[account] && path == ""
	case "iam user":
		return account == AdministratorAccount && path == "administrator" || s.iam.UserExists(account, "/"+path)
	case "iam role":
		return s.sts.HasRole(account, path)
	case "sts assumed-role":
		role, _, _ := strings.Cut(path, "/")
		return s.sts.HasRole(account, role)
	}
	return false
}
