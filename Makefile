.PHONY: build local test race check bench load soak fuzz

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GITHASH ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BUILDSTAMP ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
PACKAGE = github.com/YaleSpinup/ecr-api/common

build: ## the program, with its version
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $(PACKAGE).version=$(VERSION) -X $(PACKAGE).githash=$(GITHASH) -X $(PACKAGE).buildstamp=$(BUILDSTAMP)" -o ecr-api .

local: ## the service with an AWS of its own
	go run . -local

test:
	go test ./...

race:
	go test -race ./...

check: ## all that must hold before a change lands
	.ci/run

bench: ## Go's own benchmarks, with allocations
	go test ./api -run '^$$' -bench . -benchmem

load: ## the service against two bare programs, and its memory (about three minutes)
	go run ./common/load
	go run ./common/load -scale

soak: ## 100,000 operations while AWS and callers misbehave, held against what is then in AWS (about ten minutes)
	go run ./common/soak -operations 100000

fuzz: ## each fuzz test for a minute
	for f in FuzzToken FuzzPath FuzzBody; do go test ./api -run '^$$' -fuzz "^$$f$$" -fuzztime 1m || exit 1; done
	for f in FuzzDecide FuzzParse; do go test ./common/localaws/policy -run '^$$' -fuzz "^$$f$$" -fuzztime 1m || exit 1; done

.PHONY: image
image: ## the container image, with its version
	docker build --build-arg VERSION=$(VERSION) --build-arg GITHASH=$(GITHASH) --build-arg BUILDSTAMP=$(BUILDSTAMP) --tag ecr-api:$(VERSION) .
