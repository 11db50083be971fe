package program

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// exports returns the variables that the export lines of a text set. Such a
// line is indented by two spaces, as in the banner.
func exports(t *testing.T, text string) map[string]string {
	t.Helper()
	variables := map[string]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  export ") {
			continue
		}
		for _, word := range splitWords(t, line, variables)[1:] {
			name, value, _ := strings.Cut(word, "=")
			variables[name] = value
		}
	}
	return variables
}

// curls returns the requests that the curl lines of a text send. Such a line is
// indented by two spaces, as in the banner. Lines that pass the answer on to
// another program are left out.
func curls(t *testing.T, text string, variables map[string]string) (requests []*http.Request) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  curl ") && !strings.Contains(line, " | ") {
			requests = append(requests, curl(t, line, variables))
		}
	}
	return requests
}

// curl returns the request of one line. It knows the options -H, -d and -X.
func curl(t *testing.T, line string, variables map[string]string) *http.Request {
	t.Helper()
	method, chosen, url, body, header := http.MethodGet, "", "", "", http.Header{}
	for words := splitWords(t, line, variables)[1:]; len(words) > 0; words = words[1:] {
		option := words[0]
		if !strings.HasPrefix(option, "-") {
			url = option
			continue
		}
		words = words[1:]
		switch option {
		case "-H":
			name, value, _ := strings.Cut(words[0], ": ")
			header.Set(name, value)
		case "-d":
			method, body = http.MethodPost, words[0]
			if header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		case "-X":
			chosen = words[0]
		default:
			t.Fatalf("unknown option %s in %s", option, line)
		}
	}
	r, err := http.NewRequest(cmp.Or(chosen, method), url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	r.Header = header
	return r
}

var (
	variable = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*|[0-9])`)
	part     = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+|\s+`)
)

// splitWords splits a line into words as a shell does. It knows 'single
// quotes', "double quotes with $VARIABLES" and $VARIABLES without quotes.
func splitWords(t *testing.T, line string, variables map[string]string) (words []string) {
	t.Helper()
	parts := part.FindAllString(line, -1)
	if strings.Join(parts, "") != line {
		t.Fatalf("a quote is not closed in %s", line)
	}
	word := ""
	for _, p := range parts {
		switch {
		case strings.TrimSpace(p) == "" && word == "":
		case strings.TrimSpace(p) == "":
			words, word = append(words, word), ""
		case p[0] == '\'':
			word += strings.Trim(p, "'")
		default:
			word += variable.ReplaceAllStringFunc(strings.Trim(p, `"`), func(name string) string { return variables[name[1:]] })
		}
	}
	return words // the last word is complete, because the line ends with a newline
}
