package main

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"sync"
)

// logLine is what the service's log says about one request.
type logLine struct {
	Message          string `json:"msg"`
	RequestID        string `json:"requestId"`
	Status           int    `json:"status"`
	Code             string
	Applied, Unknown []string

	DeletedImages, DeletedTags int      // how many the request has deleted
	Deleted                    []string // the names of some of them, in a line of their own

	SharedGroups, SharedAccounts []string // with whom the caller asked to share; nil if not asked

	AWSCalls          []string
	MadeAccessKey     string
	DeletedAccessKeys []string

	URL  string `json:"url"` // only in the line that says where the service listens
	text string // the whole line
}

func (l logLine) outcome() outcome {
	keys := keysOutcome{l.MadeAccessKey, l.DeletedAccessKeys, l.Status == 200 && len(l.Applied) > 0}
	return outcome{status: l.Status, code: l.Code, applied: l.Applied, unknown: l.Unknown, keys: keys}
}

// imagesDeleted is the message of a line that names what was deleted.
const imagesDeleted = "images deleted"

// logbook keeps the log lines of all processes by request.
type logbook struct {
	mu         sync.Mutex
	lines      map[string][]logLine
	words      map[string]bool     // of the length of a secret
	deleted    map[string][]string // the names of images and tags that a request has deleted
	unexpected func(text string)   // is called with a line that the service should not write
}

func newLogbook(unexpected func(string)) *logbook {
	return &logbook{lines: map[string][]logLine{}, words: map[string]bool{}, deleted: map[string][]string{}, unexpected: unexpected}
}

// read keeps the lines of a process until it ends. It sends the URL at which
// the process listens to listens, and closes listens at the end.
func (b *logbook) read(r io.Reader, listens chan<- string) {
	defer close(listens)
	reader := bufio.NewReader(r)
	for {
		text, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		var l logLine
		json.Unmarshal([]byte(text), &l) // a line that is not JSON has no message
		l.text = strings.TrimSpace(text)
		b.keepWords(l.text)
		switch {
		case l.URL != "":
			listens <- l.URL
		case l.Message == "audit" || l.Message == "request" || l.Message == imagesDeleted:
			b.add(l)
		case l.Message == "" || strings.Contains(l.Message, "panic"):
			b.unexpected(l.text)
		}
	}
}

// secretPattern matches the secret of an access key, and all that looks like it.
var secretPattern = regexp.MustCompile(`[A-Za-z0-9+/]{40,}`)

// keepWords keeps what may be secrets.
func (b *logbook) keepWords(text string) {
	for _, word := range secretPattern.FindAllString(text, -1) {
		b.mu.Lock()
		b.words[word] = true
		b.mu.Unlock()
	}
}

// hasWord tells whether a line has the secret.
func (b *logbook) hasWord(secret string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.words[secret]
}

func (b *logbook) add(l logLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.Message == imagesDeleted {
		b.deleted[l.RequestID] = append(b.deleted[l.RequestID], l.Deleted...)
		return
	}
	b.lines[l.RequestID] = append(b.lines[l.RequestID], l)
}

// deletedBy returns the names of the images and tags that a request has deleted,
// as the log has them.
func (b *logbook) deletedBy(id string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deleted[id]
}

// linesOf returns the lines of a request at its end. There is one, or none while
// the request is under way.
func (b *logbook) linesOf(id string) []logLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[id]
}

// tellsShare tells whether the line says what the caller asked for. A request that
// failed early may say nothing.
func (l logLine) tellsShare(c share) bool {
	tells := func(asked *string, told []string) bool {
		switch {
		case asked == nil:
			return told == nil
		case told == nil:
			return l.Status != 200
		}
		return strings.Join(told, " ") == *asked
	}
	return tells(c.groups, l.SharedGroups) && tells(c.accounts, l.SharedAccounts)
}
