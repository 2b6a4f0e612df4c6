# All there is to do here; `make help` lists it and .ci/run runs the same targets.
# build, run, test, race, fuzz, bench and cover need Go, make and git only.

GO       ?= go
FUZZTIME ?= 10s

# The tools are pinned and built by Go itself; nothing is installed.
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.14.0

# Other people's clients at pinned versions, and the programs that use them.
CLIENTS := .ci/clients
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(CLIENTS)/node_modules/.bin/redocly

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/lanyard
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/lanyard ./cmd/lanyard

.PHONY: run
run: build ## Run the example workflow on the sandbox
	bin/lanyard run examples/auth0-user-to-okta-group.arazzo.yaml --sandbox --inputs examples/inputs.json

# The tests of the whole product take minutes, and longer beside all others.
TIMEOUT = -timeout 20m

.PHONY: test
test: ## Run all tests
	$(GO) test $(TIMEOUT) ./...

# SQLite is C turned into Go. Its memory is none that the race detector knows, so
# watching it finds nothing, and takes several times as long as all the rest.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false

# The longest comes first, so that nothing waits for it alone in the end. Lint
# has vetted.
.PHONY: race
race: ## Run all tests under the race detector (needs a C compiler)
	$(GO) test $(RACE) -vet=off $(TIMEOUT) ./script ./...

# Storms, crashes and provisioning in full size; what the variables mean is said
# where the tests read them.
.PHONY: storm
storm: ## Run the tests that kill and overload for long (half an hour)
	LANYARD_DISASTERS=all LANYARD_CRASH_ROUNDS=120 LANYARD_KILLS=120 LANYARD_STORM_SECONDS=60 LANYARD_LIST_ITEMS=2000 LANYARD_LIST_KILLS=20 LANYARD_PROVISION_PEOPLE=1000 \
		$(GO) test -count=1 -parallel 1 -timeout 2h -run 'Crash|Storm|Killed|Provisioning|Disasters' ./script

.PHONY: cover
cover: ## Measure which statements the tests reach: cover.out, cover.html
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -html=cover.out -o cover.html
	@$(GO) tool cover -func=cover.out | tail -n 1

.PHONY: lint
lint: ## Look for mistakes: gofmt, go vet, golangci-lint
	@bad=$$(gofmt -l $$(find . -path './$(CLIENTS)/node_modules' -prune -o -name '*.go' -not -path '*/testdata/*' -print)); \
	if [ -n "$$bad" ]; then printf 'not formatted by gofmt:\n%s\n' "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GOLANGCI) run

.PHONY: fuzz
fuzz: ## Run every fuzzer for FUZZTIME (10s) each
	.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: build ## Measure Lanyard beside yardsticks (Redocly Respect needs npm), then single functions
	@if [ ! -d $(CLIENTS)/node_modules ] && command -v npm >/dev/null; then npm ci --prefix $(CLIENTS) --no-audit --no-fund; fi
	$(GO) run ./bench
	$(GO) test -run '^$$' -bench . -benchmem $$(grep -rlE --include='*_test.go' '^func Benchmark' internal | xargs -n 1 dirname | sort -u | sed 's|^|./|')

.PHONY: generate
generate: ## Write the generated files anew
	$(GO) run ./cmd/lanyard docs docs/reference/cli.md

# Only go.mod is compared, and -e goes on past what cannot be read: tidy also
# looks for modules that nothing but the tests of our dependencies import, which
# not every proxy serves. They touch go.sum alone, and the build checks that.
.PHONY: verify
verify: build ## Check modules and generated files against what they come from
	@stale=$$($(GO) mod tidy -e -diff 2>/dev/null | awk '/^diff / {keep = /go\.mod/} keep'); \
	if [ -n "$$stale" ]; then printf '%s\ngo.mod is not tidy: go mod tidy -e\n' "$$stale"; exit 1; fi
	$(GO) mod verify
	bin/lanyard docs | diff -u docs/reference/cli.md - || { echo 'docs/reference/cli.md is old: make generate'; exit 1; }

.PHONY: clients
clients: $(CLIENTS)/node_modules/.package-lock.json ## Install other people's clients (needs npm)

# npm writes this file last.
$(CLIENTS)/node_modules/.package-lock.json: $(CLIENTS)/package-lock.json
	npm ci --prefix $(CLIENTS) --no-audit --no-fund

.PHONY: test-clients
test-clients: build clients ## Test against other people's clients (needs npm); CLIENT=NAME for one of script/clients
	$(REDOCLY) lint examples/*.arazzo.yaml examples/openapi/*.yaml internal/connector/catalog/*/actions/*.arazzo.yaml internal/connector/catalog/*/openapi.yaml
	$(GO) run ./script/clients $(CLIENT)

.PHONY: test-pg
test-pg: ## Run the contract of the stores on PostgreSQL (installs Debian's when there is none)
	.ci/with-postgres sh -c '$(GO) test -count=1 -tags postgres ./internal/store/postgres/... && $(GO) test -count=1 -tags postgres -run Postgres ./internal/app ./internal/extract ./script'
