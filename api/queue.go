package api

import "slices"

// A queue holds those that wait, by client. The clients take turns, so one that
// has many waiters does not delay the others. If the queue is full, the client
// with the most waiters gives up its last one to a client that has fewer. A
// queue has no lock of its own.
type queue struct {
	max, maxEach int // waiters, in all and of one client

	length  int
	clients []*clientQueue // in the order of their turns; each has a waiter
}

type clientQueue struct {
	client  string
	waiters []*waiter // in the order in which they came
}

// A waiter is in a queue until its turn gets a value. That is true if its turn
// has come, and false if its place was given away.
type waiter struct{ turn chan bool }

// add returns nil if the queue has no place for the client.
func (q *queue) add(client string) *waiter {
	own := &clientQueue{client: client}
	at := slices.IndexFunc(q.clients, func(c *clientQueue) bool { return c.client == client })
	if at >= 0 {
		own = q.clients[at]
	}
	have := len(own.waiters)
	if have == q.maxEach || q.length == q.max && !q.giveWay(have+1) {
		return nil
	}
	if at < 0 {
		q.clients = append(q.clients, own)
	}
	w := &waiter{turn: make(chan bool, 1)}
	own.waiters = append(own.waiters, w)
	q.length++
	return w
}

// giveWay drops the last waiter of the client that has the most, if that client
// has more than the other would have.
func (q *queue) giveWay(other int) bool {
	if len(q.clients) == 0 {
		return false
	}
	most := slices.MaxFunc(q.clients, func(a, b *clientQueue) int { return len(a.waiters) - len(b.waiters) })
	if len(most.waiters) <= other {
		return false
	}
	last := most.waiters[len(most.waiters)-1]
	q.remove(last)
	last.turn <- false
	return true
}

// next takes out the waiter whose turn it is. It returns nil if the queue is
// empty.
func (q *queue) next() *waiter {
	if len(q.clients) == 0 {
		return nil
	}
	first := q.clients[0]
	w := first.waiters[0]
	q.clients = append(slices.Delete(q.clients, 0, 1), first)
	q.remove(w)
	return w
}

// remove takes out the waiter. It returns false if the queue does not have it.
func (q *queue) remove(w *waiter) bool {
	for i, c := range q.clients {
		at := slices.Index(c.waiters, w)
		if at < 0 {
			continue
		}
		c.waiters = slices.Delete(c.waiters, at, at+1)
		if len(c.waiters) == 0 {
			q.clients = slices.Delete(q.clients, i, i+1)
		}
		q.length--
		return true
	}
	return false
}
