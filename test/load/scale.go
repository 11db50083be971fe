package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	many      = 10_000 // how many groups with a repository there are, and how many images
	crowd     = 16     // how many callers there are
	crowdTime = 5 * time.Second
)

// scale prints the memory of each binary of the service after its largest
// answers, while many callers want them at once, and while it answers requests
// for many groups.
func scale(ctx context.Context, o options) error {
	aws, err := startAWS(ctx, contents{Groups: many, Each: 1, Images: many}, 0)
	if err != nil {
		return err
	}
	defer aws.stop()
	fmt.Println("| Program | Requests | Resident after them | At most |")
	fmt.Println("| --- | --- | ---: | ---: |")
	for _, service := range o.services {
		for _, l := range largest(o.requests) {
			if err := l.measure(ctx, service, aws.url); err != nil {
				return err
			}
		}
	}
	return nil
}

// A large is requests that need much memory.
type large struct {
	name     string
	request  func(n int64) (method, path, body string)
	requests int64 // how many there are; 0 means crowdTime
	callers  int
}

func largest(total int) []large {
	imagesPath := base + "/" + repository(0, 0) + "/images"
	showOfGroup := func(n int64) (method, path, body string) {
		return http.MethodGet, base + "/" + repository(int(n)*many/total, 0), ""
	}
	return []large{
		{"one show", get(base + "/" + repository(0, 0)), 1, 1},
		{"one list of 10,000 repositories", get(base), 1, 1},
		{"one list of 10,000 images", get(imagesPath), 1, 1},
		{"lists of 10,000 repositories, 16 callers", get(base), 0, crowd},
		{"lists of 10,000 images, 16 callers", get(imagesPath), 0, crowd},
		{fmt.Sprintf("%d shows in 10,000 groups, 16 callers", total), showOfGroup, int64(total), crowd},
	}
}

// measure sends the requests to a process of the service of its own.
func (l large) measure(ctx context.Context, service binary, awsURL string) error {
	p, err := startService(ctx, service, "warn", awsURL)
	if err != nil {
		return err
	}
	defer p.stop()
	s := &sending{step: step{l.name, l.request}, to: p, end: l.requests}
	if l.requests == 0 {
		s.stop = time.Now().Add(crowdTime)
	}
	if _, err := s.run(l.callers); err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	fmt.Printf("| %s | %s | %.1f MiB | %.1f MiB |\n", p.name, l.name, p.residentMiB(), p.peakMiB())
	return nil
}
