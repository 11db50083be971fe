package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	many   = 10_000               // how many groups with a repository there are, and how many images
	images = "images-00001/large" // the repository with the images
)

// scale prints the memory of the service after its largest answers, and then
// while it answers requests for many groups. total is the number of these
// requests.
func scale(service string, total, connections int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	aws, err := start("aws", exec.Command(self, "-run", "aws", "-large"))
	if err != nil {
		return err
	}
	defer aws.stop()
	api, err := startService(service, aws.url)
	if err != nil {
		return err
	}
	defer api.stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	if err := send(client, api); err != nil {
		return err
	}
	fmt.Printf("after one show: resident %.1f MiB\n", api.residentMiB())
	api.path = "/v1/ecr/" + account + "/repositories"
	if err := send(client, api); err != nil {
		return err
	}
	fmt.Printf("after a list of %d repositories: at most %.1f MiB\n", many, api.peakMiB())
	api.path += "/" + images + "/images"
	if err := send(client, api); err != nil {
		return err
	}
	fmt.Printf("after a list of %d images: at most %.1f MiB\n", many, api.peakMiB())
	return manyGroups(client, api, total, connections)
}

// manyGroups shows the repository of one group after another.
func manyGroups(client *http.Client, api *process, total, connections int) error {
	var sent atomic.Int64
	var workers errgroup.Group
	for range connections {
		workers.Go(func() error {
			for {
				n := int(sent.Add(1))
				if n > total {
					return nil
				}
				if err := showIn(client, api, (n-1)*many/total); err != nil {
					return err
				}
				if n%max(1, total/10) == 0 {
					fmt.Printf("after %d requests, %d groups: resident %.1f MiB\n", n, n*many/total, api.residentMiB())
				}
			}
		})
	}
	return workers.Wait()
}

// showIn shows the repository of a group.
func showIn(client *http.Client, api *process, group int) error {
	p := *api
	p.path = fmt.Sprintf("/v1/ecr/%s/repositories/group-%05d/r", account, group)
	return send(client, &p)
}
