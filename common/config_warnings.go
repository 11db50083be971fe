package common

import (
	"fmt"
	"net/url"
	"os"
	"time"
)

const (
	shortKey  = 16                 // bytes; fewer can be guessed from a token
	soonOfKey = 7 * 24 * time.Hour // before a key's notAfter
)

// Warnings returns what the configuration may have but should not, one line for
// each.
func (c *Config) Warnings(now time.Time) []string {
	var warnings []string
	if u, err := url.Parse(c.Account.Endpoint); err == nil && u.Scheme == "http" && !isLoopbackHost(u.Hostname()) {
		warnings = append(warnings, "account.endpoint is http: and not on loopback: the credentials in STS's answers can be read on the way")
	}
	for _, k := range c.Token {
		if len(k.Secret) < shortKey {
			warnings = append(warnings, fmt.Sprintf("%s is under %d bytes: whoever sees a token could guess the key", k.path(), shortKey))
		}
		if warning := k.timeWarning(now); warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// timeWarning returns a warning if the key has expired, or will soon. Otherwise
// it is empty.
func (k Key) timeWarning(now time.Time) string {
	if k.Limits == nil || !k.Limits.Expired(now.Add(soonOfKey)) {
		return ""
	}
	ends := k.Limits.NotAfter.Format(time.RFC3339)
	if k.Limits.Expired(now) {
		return fmt.Sprintf("token.%s.notAfter is past: every request with the key is refused since %s", k.Name, ends)
	}
	return fmt.Sprintf("token.%s.notAfter is soon: every request with the key will be refused from %s on", k.Name, ends)
}

// FileWarning returns a warning if everyone on this machine can write the file.
// Otherwise it is empty.
func FileWarning(file string) string {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o002 == 0 {
		return ""
	}
	return fmt.Sprintf("everyone can write %s (%v), and so choose the keys: chmod o-w %s", file, info.Mode(), file)
}
