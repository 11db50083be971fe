package localaws

import (
	"strings"
)

// principals returns a function that tells whether a principal exists: an
// account, a role, a session of a role, or the administrator. It takes what the
// policy of a repository can name, ids of accounts and ARNs. A session exists if
// its role does.
func principals(roles []Role) func(name string) bool {
	exist := map[string]bool{"iam::" + AdministratorAccount + ":user/administrator": true}
	for account := range accounts(roles) {
		exist[account] = true
		exist["iam::"+account+":root"] = true
	}
	for _, r := range roles {
		exist["iam::"+r.Account+":role/"+r.Name] = true
	}
	return func(name string) bool {
		parts := strings.SplitN(name, ":", 3) // arn, partition, and the rest
		rest := parts[len(parts)-1]
		if in, session, ok := strings.Cut(rest, ":assumed-role/"); ok {
			role, _, _ := strings.Cut(session, "/")
			rest = strings.Replace(in, "sts:", "iam:", 1) + ":role/" + role
		}
		return exist[rest]
	}
}
