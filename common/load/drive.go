package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A result is what driving a program showed.
type result struct {
	rate        float64 // requests a second
	p50, p99    time.Duration
	awsCalls    float64       // per request
	cpu         time.Duration // of the program, per request
	residentMiB float64
}

// drive keeps that many requests under way for that long, after a second that
// does not count.
func drive(p, aws *process, length time.Duration, connections int) (result, error) {
	if _, err := requests(p, time.Second, connections); err != nil {
		return result{}, err
	}
	callsBefore, err := calls(aws)
	if err != nil {
		return result{}, err
	}
	cpuBefore, began := p.cpu(), time.Now()
	took, err := requests(p, length, connections)
	if err != nil {
		return result{}, err
	}
	n := len(took)
	elapsed := time.Since(began)
	callsAfter, err := calls(aws)
	if err != nil || n == 0 {
		return result{}, fmt.Errorf("%d requests: %w", n, err)
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

// requests returns how long each of them took.
func requests(p *process, length time.Duration, connections int) ([]time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var workers errgroup.Group
	for range connections {
		workers.Go(func() error {
			var took []time.Duration
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, took...)
			}()
			for ctx.Err() == nil {
				began := time.Now()
				if err := show(client, p); err != nil {
					return err
				}
				took = append(took, time.Since(began))
			}
			return nil
		})
	}
	err := workers.Wait()
	return all, err
}

func show(client *http.Client, p *process) error {
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

// calls is how many calls the local AWS has had.
func calls(aws *process) (int, error) {
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

// median returns the result of the median rate.
func median(results []result) result {
	slices.SortFunc(results, func(a, b result) int { return cmp.Compare(a.rate, b.rate) })
	return results[len(results)/2]
}
