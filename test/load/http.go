package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// bareHTTP makes the calls with net/http alone. It reads of an answer only what
// it needs, and passes on the rest.
type bareHTTP struct {
	client *http.Client
	url    string
}

// serveHTTP serves the bare program without the SDK.
func serveHTTP(address, awsURL string) error {
	return serveBare(address, bareHTTP{newClient(), awsURL})
}

// call makes a call without a valid signature. The local AWS does not check the
// signature if the access key is not one that AssumeRole issued.
func (b bareHTTP) call(ctx context.Context, operation string, in any) (json.RawMessage, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDLOCAL/20261123/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=none")
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// object is the input of a call.
type object map[string]any

func (b bareHTTP) show(ctx context.Context, name string) (any, error) {
	var described, tags json.RawMessage
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		described, err = b.call(ctx, "DescribeRepositories", object{"repositoryNames": []string{name}})
		return err
	})
	both.Go(func() (err error) {
		tags, err = b.call(ctx, "ListTagsForResource", object{"resourceArn": arn(name)})
		return err
	})
	err := both.Wait()
	return []json.RawMessage{described, tags}, err
}

func (b bareHTTP) create(ctx context.Context, name string, in createInput) (any, error) {
	return b.call(ctx, "CreateRepository", object{"repositoryName": name, "tags": in.Tags, "imageScanningConfiguration": scanning(in.ScanOnPush)})
}

func scanning(scanOnPush string) object { return object{"scanOnPush": scanOnPush == "true"} }

func (b bareHTTP) update(ctx context.Context, name string, in updateInput) (any, error) {
	if _, err := b.show(ctx, name); err != nil {
		return nil, err
	}
	for _, change := range []struct {
		operation string
		in        object
	}{
		{"PutImageScanningConfiguration", object{"repositoryName": name, "imageScanningConfiguration": scanning(in.ScanOnPush)}},
		{"PutImageTagMutability", object{"repositoryName": name, "imageTagMutability": in.ImageTagMutability}},
		{"TagResource", object{"resourceArn": arn(name), "tags": in.Tags}},
	} {
		if _, err := b.call(ctx, change.operation, change.in); err != nil {
			return nil, err
		}
	}
	return b.show(ctx, name)
}

func (b bareHTTP) remove(ctx context.Context, name string) (any, error) {
	present, err := b.show(ctx, name)
	if err != nil {
		return nil, err
	}
	_, err = b.call(ctx, "DeleteRepository", object{"repositoryName": name, "force": true})
	return present, err
}

// A page is a page of images or of repositories.
type page struct {
	ImageDetails []json.RawMessage
	Repositories []struct{ RepositoryName string }
	NextToken    string
}

// pages calls f for each page.
func (b bareHTTP) pages(ctx context.Context, operation string, in object, f func(page)) error {
	in["maxResults"] = 1000
	for {
		answer, err := b.call(ctx, operation, in)
		if err != nil {
			return err
		}
		var p page
		if err := json.Unmarshal(answer, &p); err != nil {
			return err
		}
		f(p)
		if p.NextToken == "" {
			return nil
		}
		in["nextToken"] = p.NextToken
	}
}

func (b bareHTTP) images(ctx context.Context, name string) (any, error) {
	if _, err := b.call(ctx, "ListTagsForResource", object{"resourceArn": arn(name)}); err != nil {
		return nil, err
	}
	images := []json.RawMessage{}
	err := b.pages(ctx, "DescribeImages", object{"repositoryName": name}, func(p page) { images = append(images, p.ImageDetails...) })
	return images, err
}

func (b bareHTTP) list(ctx context.Context) (any, error) {
	names := []string{}
	err := b.pages(ctx, "DescribeRepositories", object{}, func(p page) {
		for _, r := range p.Repositories {
			names = append(names, r.RepositoryName)
		}
	})
	slices.Sort(names)
	return names, err
}
