package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// result is what was measured about a program.
type result struct {
	rate        float64 // requests in a second
	p50, p99    time.Duration
	awsCalls    float64       // per request
	cpu         time.Duration // processor time of the program per request
	residentMiB float64
}

// drive sends requests to a program for that length of time, one after another
// on each connection. First it does the same for a second without measuring.
func drive(p, aws *process, length time.Duration, connections int) (result, error) {
	if _, err := sendRequests(p, time.Second, connections); err != nil {
		return result{}, err
	}
	callsBefore, err := countCalls(aws)
	if err != nil {
		return result{}, err
	}
	cpuBefore, began := p.cpu(), time.Now()
	took, err := sendRequests(p, length, connections)
	if err != nil {
		return result{}, err
	}
	n := len(took)
	elapsed := time.Since(began)
	callsAfter, err := countCalls(aws)
	if err != nil {
		return result{}, err
	}
	if n == 0 {
		return result{}, errors.New("no request was answered")
	}
	slices.Sort(took)
	return result{
		rate:        float64(n) / elapsed.Seconds(),
		p50:         took[n/2],
		p99:         took[n*99/100],
		awsCalls:    float64(callsAfter-callsBefore) / float64(n),
		cpu:         (p.cpu() - cpuBefore) / time.Duration(n),
		residentMiB: p.residentMiB(),
	}, nil
}

// sendRequests sends requests to a program for that length of time. It returns
// how long each of them took.
func sendRequests(p *process, length time.Duration, connections int) ([]time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var workers errgroup.Group
	for range connections {
		workers.Go(func() error {
			took, err := sendUntil(ctx, client, p)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			return err
		})
	}
	err := workers.Wait()
	return all, err
}

// sendUntil sends one request after another until ctx ends.
func sendUntil(ctx context.Context, client *http.Client, p *process) (took []time.Duration, err error) {
	for ctx.Err() == nil {
		began := time.Now()
		if err := send(client, p); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// send sends the program's request. A status other than 200 is an error.
func send(client *http.Client, p *process) error {
	request, err := http.NewRequest(http.MethodGet, p.url+p.path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Auth-Token", p.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}

// countCalls returns how many calls the local AWS has had so far.
func countCalls(aws *process) (int, error) {
	response, err := http.Get(aws.url + "/calls")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// median returns the result that has the median rate.
func median(results []result) result {
	slices.SortFunc(results, func(a, b result) int { return cmp.Compare(a.rate, b.rate) })
	return results[len(results)/2]
}
