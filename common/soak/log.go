package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"sync"
)

// A line is what the service's log says of one request.
type line struct {
	Message          string `json:"msg"`
	RequestID        string `json:"requestId"`
	Status           int    `json:"status"`
	Outcome          string `json:"outcome"`
	Applied, Unknown []string

	URL  string `json:"url"` // of the line that says where it listens
	text string
}

func (l line) outcome() outcome {
	return outcome{status: l.Status, applied: l.Applied, unknown: l.Unknown}
}

// A logbook keeps the lines of all processes by request.
type logbook struct {
	mu    sync.Mutex
	lines map[string][]line
	odd   func(text string) // is told of lines that no service should write
}

func newLogbook(odd func(string)) *logbook {
	return &logbook{lines: map[string][]line{}, odd: odd}
}

// read keeps what a process logs until it ends. It passes on where it listens.
func (b *logbook) read(r io.Reader, listens chan<- string) {
	defer close(listens)
	reader := bufio.NewReader(r)
	for {
		text, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		var l line
		json.Unmarshal([]byte(text), &l) // what is no JSON is odd
		l.text = strings.TrimSpace(text)
		switch {
		case l.URL != "":
			listens <- l.URL
		case l.Message == "audit" || l.Message == "request":
			b.add(l)
		case l.Message == "" || strings.Contains(l.Message, "panic"):
			b.odd(l.text)
		}
	}
}

func (b *logbook) add(l line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines[l.RequestID] = append(b.lines[l.RequestID], l)
}

// of returns the lines of a request: one, or none as long as it is not finished.
func (b *logbook) of(id string) []line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[id]
}
