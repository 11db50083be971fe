.PHONY: build local test race check bench load soak fuzz

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GITHASH ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BUILDSTAMP ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
PACKAGE = github.com/YaleSpinup/ecr-api/common

build: ## build the program, with its version
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $(PACKAGE).version=$(VERSION) -X $(PACKAGE).githash=$(GITHASH) -X $(PACKAGE).buildstamp=$(BUILDSTAMP)" -o ecr-api .

local: ## run the service with a local AWS
	go run . -local

test:
	go test ./...

race:
	go test -race ./...

check: ## run every check that must pass before a change is merged
	.ci/run

bench: ## run Go's own benchmarks, with allocations
	go test ./api -run '^$$' -bench . -benchmem

load: ## compare the service with two bare programs, and measure its memory (about eight minutes)
	go run ./test/load
	go run ./test/load -scale

soak: ## send 100,000 requests while AWS fails and callers hang up, then compare AWS with the answers (about ten minutes)
	go run ./test/soak -operations 100000

fuzz: ## run each fuzz test for a minute
	for f in FuzzToken FuzzPath FuzzBody; do go test ./api -run '^$$' -fuzz "^$$f$$" -fuzztime 1m || exit 1; done
	for f in FuzzDecide FuzzParse; do go test ./common/localaws/policy -run '^$$' -fuzz "^$$f$$" -fuzztime 1m || exit 1; done
	go test ./ecr -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime 1m
	go test ./common/localaws/registry -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime 1m

.PHONY: image sbom
image: ## build the container image, with its version
	docker build --build-arg VERSION=$(VERSION) --build-arg GITHASH=$(GITHASH) --build-arg BUILDSTAMP=$(BUILDSTAMP) --tag ecr-api:$(VERSION) .

sbom: image ## write ecr-api.cdx.json, the modules that the image is made of, in CycloneDX
	id=$$(docker create ecr-api:$(VERSION)) && docker cp $$id:/ecr-api.cdx.json . && docker rm $$id >/dev/null
