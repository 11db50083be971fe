.PHONY: build test race check local

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
