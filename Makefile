# Everything a developer runs. CI runs `make test` and nothing cleverer.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME    ?= 10s
KILLS       ?= 200
OUTAGE      ?= 5m

.PHONY: build run test check golden agents fuzz bench faults sim vuln catalog clean help
.DEFAULT_GOAL := build

build: ## build bin/sluice, showing each package as it is compiled
	@echo "building bin/sluice"
	@$(GO) build -v -o bin/sluice ./cmd/sluice

run: build ## build, then serve on loopback with a demo provider (sluice serve --dev)
	@exec bin/sluice serve --dev

test: ## set up what is missing, then run everything with -race
	@scripts/test.sh

check: ## the quick gate: gofmt, vet, tidy, staticcheck, short tests
	@GO="$(GO)" STATICCHECK="$(STATICCHECK)" scripts/check.sh

golden: ## rewrite golden files and generated pages; read the difference before you commit it
	@$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | grep -v /.cache/ | xargs -n1 dirname | sort -u) -update

agents: ## install Claude Code, Codex and Gemini CLI (900 MB from npm, so never part of make test) and have them work
	@GO="$(GO)" RECORD="$(RECORD)" scripts/agents.sh

fuzz: ## run every fuzz target for FUZZTIME each (default 10s)
	@GO="$(GO)" scripts/fuzz.sh "$(FUZZTIME)"

bench: ## what a request costs beside nginx; BENCHFLAGS='-pairs 1 -only plain' for less (docs/PERFORMANCE.md)
	@$(GO) run ./test/bench $(BENCHFLAGS)

sim: ## play one history of the money simulator and show it: make sim SEED=7
	@$(GO) test -count=1 -v -run '^TestSeeds$$' ./internal/sluicetest/sim -seed $(or $(SEED),1)

faults: ## the long fault suite, about 50 minutes: money simulator and planted bugs, three books over 200 kills each and 5 minutes without PostgreSQL, 200 kills twice, 5 minutes without both stores (docs/RELIABILITY.md)
	$(GO) test -count=1 -timeout 60m -v -run '^Test(Seeds|CrashAtEveryYield|Mutants)$$' ./internal/sluicetest/sim -seeds 10000 -mutants
	SLUICE_TEST_KILLS=$(KILLS) SLUICE_TEST_OUTAGE=$(OUTAGE) $(GO) test -count=1 -timeout 60m -v ./test/money
	SLUICE_TEST_KILLS=$(KILLS) SLUICE_TEST_OUTAGE=$(OUTAGE) $(GO) test -count=1 -timeout 90m -v -run 'TestKill|TestSplit|TestOutages' ./test/e2e

vuln: ## known vulnerabilities of the code we call (govulncheck)
	@GO="$(GO)" GOVULNCHECK="$(GOVULNCHECK)" scripts/vuln.sh

catalog: ## make the catalogue of models anew: make catalog DATE=2026-01-31 LITELLM=dir GENAI_PRICES=dir (docs/CATALOG.md)
	scripts/catalog.py "$(DATE)" "$(LITELLM)" "$(GENAI_PRICES)" internal/control/catalog

clean: ## remove what was built; data/ stays
	rm -rf bin .cache

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
