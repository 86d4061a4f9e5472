# selfsame: `make run` and `make test` set up all they need. Everything that is fetched goes into the
# user's cache (SELFSAME_CACHE, else XDG_CACHE_HOME/selfsame or ~/.cache/selfsame); nothing is installed.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SELFSAME_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/selfsame
export SELFSAME_CACHE
TOOLS    := $(SELFSAME_CACHE)/bin
SELFSAME := bin/selfsame
RECIPE   ?= recipes/fashion.yaml
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)

# The go engine uses AVX2/AVX-512 where Go's simd experiment exists (amd64, Go 1.26); a plain build works too.
SIMD := $(shell GOEXPERIMENT=simd go list simd/archsimd >/dev/null 2>&1 && echo simd)

.PHONY: help
help: ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

.PHONY: build
build: ## build bin/selfsame
	@mkdir -p bin
	GOEXPERIMENT=$(SIMD) go build -trimpath -o $(SELFSAME) ./cmd/selfsame

.PHONY: setup
setup: build data plugin ## build, and fetch the data and the XLA plugin into the cache

.PHONY: data
data: build ## fetch Fashion-MNIST into the cache
	$(SELFSAME) data fetch fashion-mnist

.PHONY: plugin
plugin: build ## fetch the XLA CPU plugin into the cache, where it can be had
	@$(SELFSAME) engine install || echo "make: no XLA plugin; going on with the go engine (slower, same results)"

.PHONY: run
run: setup ## the main job: Fashion-MNIST from data to verdict (RECIPE=other.yaml for another)
	$(SELFSAME) run $(RECIPE)

.PHONY: test
test: ## set up and run all checks and tests
	@scripts/test.sh

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint, with the arrows between rooms
	$(GOLANGCI) run ./...

# Built from source at its pinned version, outside go.mod; takes one to two minutes once.
$(GOLANGCI):
	@mkdir -p $(TOOLS)/.new
	GOFLAGS= GOBIN=$(TOOLS)/.new go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/.new/golangci-lint $@

.PHONY: results
results: setup ## measure anew and write results/*.csv
	scripts/results.sh recipes/fashion.yaml results/fashion.csv
	scripts/results.sh recipes/fashion-full.yaml results/fashion-full.csv
	scripts/results.sh recipes/fashion-tuned.yaml results/fashion-tuned.csv
	for p in fp32 bf16; do RUNS=runs/$$p scripts/results.sh recipes/fashion.yaml results/fashion-$$p.csv 3 --set engine.kind=go --set engine.precision=$$p --set data.limit=20000 --set adapt.fine_tune=false --set adapt.draws=1 --set 'adapt.budgets=[1000,0]' || exit 1; done
	for t in churn credit cdnow-customers cdnow-purchases supermarket; do $(SELFSAME) data fetch $$t; done
	for t in shop churn credit cdnow-customers cdnow-purchases supermarket; do scripts/results.sh recipes/$$t.yaml results/$$t.csv || exit 1; done
	scripts/tree.sh recipes/tree-of-life.yaml recipes/data/tree-of-life.nwk results/tree-of-life 5 --set engine.kind=go --groups recipes/data/tree-of-life.tsv
	scripts/tree.sh recipes/tree-of-life.yaml recipes/data/tree-of-life.nwk results/tree-of-life-long 5 --set train.max_steps=5000 --set engine.kind=go --groups recipes/data/tree-of-life.tsv
	scripts/tree.sh recipes/mammal-mtdna.yaml recipes/data/mammals-mtdna.nwk results/mammal-mtdna 5 --set engine.kind=go --windows 400
	scripts/genome-encoders.sh results/genome-encoders.csv 100 --set engine.kind=go

.PHONY: peers
peers: setup ## ours beside PyTorch (PEERS_PYTHON, PEERS_DIR, PEERS_ROUNDS, PEERS_ONLY) into results/peers.csv
	scripts/peers.sh results/peers.csv

# One process a package, one after another. Short by default: COUNT=6 BENCHTIME=1s for numbers to keep.
BENCH ?= .
BENCHTIME ?= 300ms
COUNT ?= 1
BENCH_PKGS = $(shell grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)

.PHONY: bench
bench: ## Go benchmarks of the hot paths, for benchstat (BENCH, BENCHTIME, COUNT)
	GOEXPERIMENT=$(SIMD) GLIBC_TUNABLES=$${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1} go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -count=$(COUNT) -p 1 $(BENCH_PKGS)

.PHONY: clean
clean: ## remove what was built here; the cache and runs/ stay
	rm -rf bin
