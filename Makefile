.DEFAULT_GOAL := help
.PHONY: man help run test incidents decisions bench bench-edit bench-evidence bench-log lint release fuzz tsan torture soak

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build, then gateway and simulated provider until Ctrl-C (LISTEN=127.0.0.1:8080 DATA=./signalbox-data)
	@Scripts/run.sh

test: ## everything that must hold: lint, boundaries, unit suites, release build, end to end
	@Scripts/test.sh

incidents: ## act all kept incidents out at real gateways; does each bundle name the culprit? (NAMES='alias-moved long-reset')
	@Scripts/incidents.sh $(NAMES)

decisions: ## a million requests over changing configuration: is every decision made again just so, twice? (N=1000000 SEED=…)
	@Scripts/decisions.sh

bench: ## the proxy beside nginx and LiteLLM, about nine minutes, then bench-evidence; of ROWS only these (PAIRS=5 DURATION=4 ROWS=1,3 LITELLM=0 JSON=1)
	@code=0; Scripts/bench.sh || code=$$?; [ -n "$(ROWS)" ] || Scripts/bench-evidence.sh || code=$$?; exit $$code

bench-edit: ## how long an edit of an alias takes until requests are routed by it (2,000 aliases, 200 accounts)
	@Scripts/bench-edit.sh

bench-evidence: ## how long lists, sums and audits take over 10 million events (N=1000000 JSON=1)
	@Scripts/bench-evidence.sh

bench-log: ## the event log beside SQLite, PostgreSQL, Redis and lz4, about ten minutes (PAIRS=5 N=10000000 SIZE=1000000 JSON=1)
	@Scripts/bench-log.sh

lint: ## format and boundaries, without building
	@Scripts/lint.sh

man: ## the manual pages in docs/man anew, from the built programs' own help
	@Scripts/man.py

release: ## the three programs, stripped and packed, in .build/dist
	@Scripts/release.sh

fuzz: ## the parsers against random bytes (SECONDS_EACH=60)
	@Scripts/fuzz.sh

soak: ## four synced nodes, random edits, refreshes and faults, until they are equal (STEPS=30000 SEED=1)
	@SYNC_STEPS=$(or $(STEPS),30000) SYNC_SEED=$(or $(SEED),1) swift test --disable-xctest --filter '^DomainTests\.soaks'

torture: ## crashes, kills and failing system calls for the event log (SECONDS=120)
	@Scripts/torture.sh $(SECONDS)

tsan: ## the unit suites under the thread sanitizer
	@Scripts/tsan.sh
