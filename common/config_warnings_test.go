package common

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const (
		plain = "account.endpoint is http: and not on loopback: the credentials in STS's answers can be read on the way"
		short = " is under 16 bytes: whoever sees a token could guess the key"
	)
	long := Key{Name: "long", Secret: "sixteen bytes ok"}
	for name, test := range map[string]struct {
		endpoint string
		keys     Keys
		want     []string
	}{
		"none":              {"", Keys{long}, nil},
		"https":             {"https://aws.example", Keys{long}, nil},
		"http":              {"http://aws.example:4566", Keys{long}, []string{plain}},
		"HTTP":              {"HTTP://192.0.2.1", Keys{long}, []string{plain}},
		"http on loopback":  {"http://127.0.0.1:4566", Keys{long}, nil},
		"http on localhost": {"http://localhost", Keys{long}, nil},
		"http on ::1":       {"http://[::1]:4566/", Keys{long}, nil},
		"one short key":     {"", Keys{{"default", "fifteen bytes.."}}, []string{"token" + short}},
		"all":               {"http://aws.example", Keys{{"a", "1"}, long, {"b", "2"}}, []string{plain, "token.a" + short, "token.b" + short}},
	} {
		c := minimalConfig()
		c.Account.Endpoint, c.Token = test.endpoint, test.keys
		if diff := cmp.Diff(test.want, c.Warnings()); diff != "" {
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
