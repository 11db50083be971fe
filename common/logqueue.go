package common

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	laneSize   = 1 << 20         // bytes that may wait in a lane
	keepBuffer = 64 << 10        // a larger buffer is not used again
	stuckAfter = 5 * time.Second // without a successful write
)

// A LogQueue takes log lines and writes them in the background, in their order.
// Nobody who logs waits for the log's reader. Audit lines have a lane of their
// own, so that other lines cannot take their room. A line that does not fit, or
// that cannot be written, is lost and counted.
//
// Libraries' queues either wait when they are full, or drop lines without a
// count, and none has lanes.
type LogQueue struct {
	out    io.Writer
	notice func(LostLines) []byte
	wake   chan struct{} // has a value if there may be something to write
	ended  chan struct{} // is closed when nothing will be written any more
	torn   bool          // the last write ended within a line

	mu      sync.Mutex
	waiting batch
	spare   []byte    // the buffer of the batch before
	lost    LostLines // since the start
	untold  LostLines // since the last notice
	behind  time.Time // since when lines cannot be written; zero if they can
	retry   *time.Timer
	closed  bool
}

// LostLines are numbers of log lines.
type LostLines struct{ Audit, Other uint64 }

// A batch of lines is written at once.
type batch struct {
	text         []byte
	audit, other lane
	told         LostLines // lines that are lost, which the batch tells
}

// A lane is what a batch has of one kind of line.
type lane struct {
	size  int // bytes
	lines uint64
}

// NewLogQueue returns a queue that writes to out until Close. When lines were
// lost and there is room again, it writes the line that notice returns.
func NewLogQueue(out io.Writer, notice func(LostLines) []byte) *LogQueue {
	q := &LogQueue{out: out, notice: notice, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	q.retry = time.AfterFunc(stuckAfter, q.signal)
	q.retry.Stop()
	go q.run()
	return q
}

// Write takes one line. It never waits, and its error is always nil.
func (q *LogQueue) Write(line []byte) (int, error) {
	q.put(&q.waiting.other, line, 0, 1)
	return len(line), nil
}

// Audit returns the writer for audit lines.
func (q *LogQueue) Audit() io.Writer { return auditLane{q} }

type auditLane struct{ *LogQueue }

func (q auditLane) Write(line []byte) (int, error) {
	q.put(&q.waiting.audit, line, 1, 0)
	return len(line), nil
}

// put adds the line to the lane. If there is no room, it counts it as lost: as
// so many audit lines and so many others.
func (q *LogQueue) put(l *lane, line []byte, audit, other uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || l.size+len(line) > laneSize {
		q.lost.add(audit, other)
		q.untold.add(audit, other)
		q.signal() // so that the loss is told
		return
	}
	if len(q.waiting.text) == 0 {
		q.signal()
	}
	q.waiting.text = append(q.waiting.text, line...)
	l.size += len(line)
	l.lines++
}

// signal makes run look for something to write.
func (q *LogQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Lost returns how many lines were lost since the start.
func (q *LogQueue) Lost() LostLines {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Stuck tells whether audit lines could not be written for some seconds.
func (q *LogQueue) Stuck() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.behind.IsZero() && time.Since(q.behind) > stuckAfter
}

// Close writes the lines that wait. It returns when that is done or ctx ends.
// Lines that come later are lost.
func (q *LogQueue) Close(ctx context.Context) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.ended:
	case <-ctx.Done():
	}
}

func (q *LogQueue) run() {
	defer close(q.ended)
	defer q.retry.Stop()
	for range q.wake {
		if q.writeAll() {
			return
		}
	}
}

// writeAll writes until nothing waits, or a write fails. It returns true if the
// queue is closed, so that nothing more will come.
func (q *LogQueue) writeAll() (closed bool) {
	for {
		b, closed := q.take()
		if len(b.text) == 0 {
			return closed
		}
		err := q.write(b.text)
		q.note(b, err)
		if err != nil {
			return closed
		}
	}
}

// take takes all lines that wait, and the notice of lost ones.
func (q *LogQueue) take() (b batch, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting.text) == 0 && q.untold == (LostLines{}) {
		return batch{}, q.closed
	}
	b = q.waiting
	q.waiting = batch{text: q.spare}
	q.spare = nil
	if q.untold != (LostLines{}) {
		b.told, q.untold = q.untold, LostLines{}
		b.text = append(b.text, q.notice(b.told)...)
	}
	if q.behind.IsZero() {
		q.behind = time.Now()
	}
	return b, q.closed
}

// write ends a torn line before it writes the text.
func (q *LogQueue) write(text []byte) error {
	if q.torn {
		if _, err := io.WriteString(q.out, "\n"); err != nil {
			return err
		}
		q.torn = false
	}
	n, err := q.out.Write(text)
	q.torn = err != nil && n > 0 && !bytes.HasSuffix(text[:n], []byte("\n"))
	return err
}

// note keeps what became of a batch. All its lines count as lost if the write
// failed, since it is not known which of them can be read.
func (q *LogQueue) note(b batch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(b.text) <= keepBuffer {
		q.spare = b.text[:0]
	}
	switch {
	case err != nil:
		q.lost.add(b.audit.lines, b.other.lines)
		q.untold.add(b.audit.lines+b.told.Audit, b.other.lines+b.told.Other)
		q.retry.Reset(stuckAfter)
	case q.untold.Audit == 0: // none was lost during this write either
		q.behind = time.Time{}
	}
}

func (l *LostLines) add(audit, other uint64) {
	l.Audit += audit
	l.Other += other
}
