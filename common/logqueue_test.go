package common_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// A pipe is what a queue writes to. A write waits while nobody reads, and fails
// while it is broken.
type pipe struct {
	mu     sync.Mutex
	text   bytes.Buffer
	reads  chan struct{} // closed while somebody reads
	delay  time.Duration // before each write
	broken bool
	takes  int // bytes that a broken pipe takes of each write
}

// set changes the pipe for the next write.
func (p *pipe) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// block makes writes wait until release is called.
func (p *pipe) block() (release func()) {
	reads := make(chan struct{})
	p.set(func() { p.reads = reads })
	return func() { close(reads) }
}

func (p *pipe) Write(b []byte) (n int, err error) {
	var reads chan struct{}
	var delay time.Duration
	p.set(func() { reads, delay = p.reads, p.delay })
	<-reads
	time.Sleep(delay)
	p.set(func() {
		if p.broken {
			b, err = b[:min(p.takes, len(b))], errors.New("broken pipe")
		}
		n, _ = p.text.Write(b)
	})
	return n, err
}

func newQueue(p *pipe) *common.LogQueue {
	return common.NewLogQueue(p, func(lost common.LostLines) []byte {
		return fmt.Appendf(nil, "lost %d and %d\n", lost.Audit, lost.Other)
	})
}

// withQueue runs a test whose time passes when everything waits.
func withQueue(t *testing.T, test func(*testing.T, *pipe, *common.LogQueue)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{}
		p.block()()
		q := newQueue(p)
		test(t, p, q)
		q.Close(t.Context())
	})
}

func wantLog(t *testing.T, p *pipe, want string) {
	t.Helper()
	synctest.Wait()
	p.set(func() {
		if got := p.text.String(); got != want {
			t.Errorf("the log has %q, want %q", got, want)
		}
	})
}

func TestLogQueueKeepsTheOrder(t *testing.T) {
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		var want strings.Builder
		release := p.block()
		for i := range 100 {
			fmt.Fprintf(q, "%d\n", i)
			fmt.Fprintf(q.Audit(), "audit %d\n", i)
			fmt.Fprintf(&want, "%d\naudit %d\n", i, i)
		}
		release()
		wantLog(t, p, want.String())
		if q.Lost() != (common.LostLines{}) {
			t.Errorf("lost: %+v", q.Lost())
		}
	})
}

// A lane that is full takes no room from the other. What it loses is counted,
// and told when there is room.
func TestLogQueueIsBounded(t *testing.T) {
	const half = 1 << 19
	line, short := strings.Repeat("x", half-1)+"\n", "short\n"
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		release := p.block()
		fmt.Fprint(q, "first\n")
		synctest.Wait() // it is being written now, and takes no room any more
		for range 5 {
			fmt.Fprint(q, line)
		}
		fmt.Fprint(q.Audit(), short)
		if want := (common.LostLines{Other: 3}); q.Lost() != want {
			t.Errorf("lost %+v, want %+v", q.Lost(), want)
		}
		for range 3 {
			fmt.Fprint(q.Audit(), line)
		}
		if want := (common.LostLines{Audit: 2, Other: 3}); q.Lost() != want {
			t.Errorf("lost %+v, want %+v", q.Lost(), want)
		}
		release()
		wantLog(t, p, "first\n"+line+line+short+line+"lost 2 and 3\n")
		fmt.Fprint(q, "later\n")
		wantLog(t, p, "first\n"+line+line+short+line+"lost 2 and 3\nlater\n")
	})
}

// A line that is longer than a lane is told although no other comes.
func TestLogQueueTellsOfALineThatNeverFits(t *testing.T) {
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		fmt.Fprint(q, strings.Repeat("x", 1<<20), "\n")
		wantLog(t, p, "lost 0 and 1\n")
		if q.Stuck() {
			t.Error("the queue is stuck")
		}
	})
}

func TestLogQueueIsStuckWhileNobodyReads(t *testing.T) {
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		for range 2 {
			release := p.block()
			fmt.Fprint(q, "a\n")
			time.Sleep(5 * time.Second)
			if q.Stuck() {
				t.Error("stuck after 5 seconds")
			}
			time.Sleep(time.Millisecond)
			if !q.Stuck() {
				t.Error("not stuck after more than 5 seconds")
			}
			release()
			synctest.Wait()
			if q.Stuck() {
				t.Error("stuck after the line was read")
			}
		}
		time.Sleep(time.Hour)
		if q.Stuck() {
			t.Error("stuck because nothing was logged")
		}
		wantLog(t, p, "a\na\n")
	})
}

// A reader that is too slow for the audit lines makes the queue stuck, although
// it reads each few seconds.
func TestLogQueueIsStuckWhileAuditLinesAreLost(t *testing.T) {
	line := strings.Repeat("x", 1<<20-1) + "\n"
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		p.set(func() { p.delay = 2 * time.Second })
		for i := range 6 {
			fmt.Fprint(q.Audit(), line)
			fmt.Fprint(q.Audit(), line)
			if q.Stuck() {
				t.Errorf("stuck after %d seconds", i)
			}
			time.Sleep(time.Second)
		}
		if !q.Stuck() {
			t.Error("not stuck after 6 seconds")
		}
		time.Sleep(5 * time.Second)
		if q.Stuck() {
			t.Error("stuck after all was read")
		}
	})
}

// While writes fail, the lines count as lost and the queue becomes stuck. It
// tries again although no line comes.
func TestLogQueueWithBrokenPipe(t *testing.T) {
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		p.set(func() { p.broken, p.takes = true, 3 })
		fmt.Fprint(q, "one\n")
		synctest.Wait()
		fmt.Fprint(q.Audit(), "two\n")
		synctest.Wait()
		if want := (common.LostLines{Audit: 1, Other: 1}); q.Lost() != want {
			t.Errorf("lost %+v, want %+v", q.Lost(), want)
		}
		if q.Stuck() {
			t.Error("stuck after two lines")
		}
		time.Sleep(6 * time.Second)
		if !q.Stuck() {
			t.Error("not stuck after 6 seconds")
		}
		p.set(func() {
			p.broken = false
			p.text.Reset()
		})
		time.Sleep(5 * time.Second)
		wantLog(t, p, "\nlost 1 and 1\n") // the first newline ends the torn line
		if q.Stuck() {
			t.Error("stuck after the pipe was mended")
		}
	})
}

func TestLogQueueClose(t *testing.T) {
	withQueue(t, func(t *testing.T, p *pipe, q *common.LogQueue) {
		release := p.block()
		fmt.Fprint(q, "a\n")
		synctest.Wait()
		fmt.Fprint(q.Audit(), "b\n")
		start := time.Now()
		bounded, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		q.Close(bounded)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("while nobody reads, Close took %v", took)
		}
		release()
		q.Close(t.Context())
		wantLog(t, p, "a\nb\n")
		fmt.Fprint(q, "c\n")
		wantLog(t, p, "a\nb\n")
		if want := (common.LostLines{Other: 1}); q.Lost() != want {
			t.Errorf("lost %+v, want %+v", q.Lost(), want)
		}
	})
}

// Close does not wait for a pipe that is broken.
func TestLogQueueCloseOfBrokenPipe(t *testing.T) {
	withQueue(t, func(_ *testing.T, p *pipe, q *common.LogQueue) {
		p.set(func() { p.broken = true })
		fmt.Fprint(q, "a\n")
	})
}

func BenchmarkLogQueue(b *testing.B) {
	q := common.NewLogQueue(discard{}, func(common.LostLines) []byte { return nil })
	defer q.Close(b.Context())
	line := []byte(strings.Repeat("x", 500) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		q.Write(line)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
