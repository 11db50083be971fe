package common

import "testing"

func TestClip(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"", 2, ""},
		{"ab", 2, "ab"},
		{"abc", 2, "ab…"},
		{"äö", 2, "äö"},
		{"äöü", 2, "äö…"},
		{"\x80\x80\x80", 2, "\x80\x80…"},
	} {
		if got := Clip(test.text, test.most); got != test.want {
			t.Errorf("Clip(%q, %d): %q, want %q", test.text, test.most, got, test.want)
		}
	}
}
