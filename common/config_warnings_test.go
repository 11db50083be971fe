package common

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const (
		plain = "account.endpoint is http: and not on loopback: the credentials in STS's answers can be read on the way"
		short = " is under 16 bytes: whoever sees a token could guess the key"
	)
	now := time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC)
	until := func(t time.Time) Keys {
		return Keys{{Name: "p", Secret: "sixteen bytes ok", Limits: &Limits{NotAfter: t}}}
	}
	long := Key{Name: "long", Secret: "sixteen bytes ok"}
	for name, test := range map[string]struct {
		endpoint string
		keys     Keys
		want     []string
	}{
		"none":                    {"", Keys{long}, nil},
		"https":                   {"https://aws.example", Keys{long}, nil},
		"http":                    {"http://aws.example:4566", Keys{long}, []string{plain}},
		"HTTP":                    {"HTTP://192.0.2.1", Keys{long}, []string{plain}},
		"http on loopback":        {"http://127.0.0.1:4566", Keys{long}, nil},
		"http on localhost":       {"http://localhost", Keys{long}, nil},
		"http on ::1":             {"http://[::1]:4566/", Keys{long}, nil},
		"one short key":           {"", Keys{{Name: "default", Secret: "fifteen bytes.."}}, []string{"token" + short}},
		"a key without end":       {"", until(time.Time{}), nil},
		"a key that ends later":   {"", until(now.AddDate(0, 0, 7).Add(time.Second)), nil},
		"a key that ends soon":    {"", until(now.AddDate(0, 0, 7)), []string{"token.p.notAfter is soon: every request with the key will be refused from 2027-01-01T00:00:00Z on"}},
		"a key that has ended":    {"", until(now), []string{"token.p.notAfter is past: every request with the key is refused since 2026-12-25T00:00:00Z"}},
		"a short key with limits": {"", Keys{{Name: "p", Secret: "short", Limits: &Limits{}}}, []string{"token.p.key" + short}},
		"all":                     {"http://aws.example", Keys{{Name: "a", Secret: "1"}, long, {Name: "b", Secret: "2"}}, []string{plain, "token.a" + short, "token.b" + short}},
	} {
		c := minimalConfig()
		c.Account.Endpoint, c.Token = test.endpoint, test.keys
		if diff := cmp.Diff(test.want, c.Warnings(now)); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", name, diff)
		}
	}
}

func TestFileWarning(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.json")
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o664: "",
		0o602: "everyone can write " + file + " (-rw-----w-), and so choose the keys: chmod o-w " + file,
		0o666: "everyone can write " + file + " (-rw-rw-rw-), and so choose the keys: chmod o-w " + file,
	} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, FileWarning(file)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", mode, diff)
		}
	}
	if got := FileWarning(filepath.Join(t.TempDir(), "none.json")); got != "" {
		t.Errorf("no file: %s", got)
	}
}
