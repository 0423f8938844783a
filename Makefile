# make test sets up what the tests need and runs everything. Every target may be run twice; none but pgo changes a
# committed file.

GO       ?= go
FUZZTIME ?= 30s
# gin's own tag: leaves out a MessagePack codec that nothing here uses, 6 MB of the binary.
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -tags nomsgpack -ldflags "-s -w"

.PHONY: test setup check lint stress scenarios chaos fuzz autobahn peers bench bench-nodes microbench pgo build docker

test: setup check
	$(GO) test -race -pgo=off -timeout 9m ./...
	HARK_CHAOS=short $(GO) test -race -pgo=off -timeout 9m ./conformance/chaos # by itself: it has short leases
	$(GO) test -race -pgo=off -timeout 9m -count=4 ./channels ./channels/ws # five times in all what could depend on who comes first
	$(GO) test -run 'Alloc|Memory' ./channels/... ./protocol ./httpapi # what the race detector would count along

# What the tests use beside Go: installed with apt-get where that is possible, else one line says how.
setup:
	@.ci/setup

check:
	$(GO) vet ./...
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		test -z "$$unformatted" || { echo "not gofmt-ed:" $$unformatted; exit 1; }

# Not part of make test: building the linter takes minutes. It stays out of go.mod, which would gain hundreds of lines.
lint:
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

# What could depend on who comes first, many times.
stress:
	$(GO) test -race -count=50 -timeout 3h ./channels ./channels/ws

# What applications do with Hark, played with real clients: a table, and what storms cost. A minute and a half.
scenarios: setup
	@cd conformance/scenarios && $(GO) test -pgo=off -count=1 -timeout 10m -table -soon 1s -long

# What make test plays once, many times and for longer: nodes that die and stop, networks that fail, and a Redis that
# pauses and restarts, with and without its data; and masters that fail, and a clock that is wrong. Each play says what it
# counted; the leases that last a second need a machine that does little else.
chaos: setup
	HARK_CHAOS=long $(GO) test -pgo=off -v -timeout 2h ./conformance/chaos

fuzz:
	@.ci/fuzz $(FUZZTIME)

# The fuzzing client of Autobahn against the websockets. Its reports are kept in dist/, where it is installed too.
autobahn:
	@.ci/autobahn

# The transcripts against Hark in real time, and against another server.
peers:
	@.ci/peers

# Hark, raw writes and soketi, measured in turn: about 20 minutes on a machine that does nothing else. To try it:
# BENCH_RUNS=1 BENCH_SECONDS=1 make bench. A target that is missed is a failure with BENCH_FLAGS=--check.
bench:
	@.ci/bench $(BENCH_FLAGS)

# How late events are that come from another node, over Redis, against a single node: 3 minutes, as make bench.
bench-nodes: setup
	@.ci/bench-nodes $(BENCH_FLAGS)

microbench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Renews the profile by which go build optimises the program: triggers over HTTP, fan-out, and sending to a websocket.
# Building by it compiles every dependency once more, so tests are built without.
pgo:
	@.ci/pgo cmd/hark/default.pgo

build:
	$(BUILD) -o dist/hark ./cmd/hark

docker:
	docker build -t hark .
