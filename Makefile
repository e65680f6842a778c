# What can be done with this repository; `make` alone lists it.
# Only relative names here: make splits names at blanks, and the folder's own path may hold some.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules
.NOTPARALLEL:

BIN := .venv/bin
CODE := fleet workers migrations tests bench beat_schedule.py
READY := .venv/.ready
BENCH_READY := .venv/.ready-bench
BROWSER_READY := .venv/.ready-browser
PLATFORMS_READY := .platforms/.ready
STORES_READY := .stores/.ready
MASTODON_READY := .venv/.ready-mastodon
# Whatever is called bench/bench_*.py takes part: it writes a result, and knows --quick.
BENCHES := $(patsubst bench/%.py,bench.%,$(sort $(wildcard bench/bench_*.py)))
# Two processes share the tests: more than the cores only wait for one another's servers.
TESTS := $(BIN)/python -m pytest -n auto --dist worksteal
export PYTHON
# Where it is set, each of the hundreds of processes that the tests start would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

##@ Use

.PHONY: run
run: $(READY) ## Run a whole fleet in this terminal, 20 times faster than life; ARGS="--port 8000" and so on
	@exec $(BIN)/fleet up --tempo 20 --agents 12 $(ARGS)

.PHONY: test
test: $(READY) ## Run all tests on embedded servers; ARGS="-k schedule" and so on
	@$(TESTS) $(ARGS)

.PHONY: quick
quick: $(READY) ## Run the tests that need no server, half a minute of them; ARGS="-k schedule" and so on
	@$(TESTS) --quick -p no:schemathesis $(ARGS)

.PHONY: setup
setup: $(READY) ## Make .venv from requirements.lock; nothing to do when it is there. PYTHON=... names another Python
	@echo ".venv is ready"

# Another folder's .venv (this one was moved or copied) does not do: its scripts name the old place.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml .ci/setup
	@.ci/setup

##@ Change

.PHONY: check
check: lint types floors lock-check test ## Everything that CI asks for: lint, types, floors, locks, house rules, tests

.PHONY: lint
lint: $(READY) ## ruff: rules and format
	@echo "ruff" && $(BIN)/ruff check $(CODE) && $(BIN)/ruff format --check $(CODE)

.PHONY: types
types: $(READY) ## mypy --strict
	@echo "mypy" && $(BIN)/mypy

.PHONY: floors
floors: $(READY) ## import-linter: who may import whom
	@echo "import-linter" && $(BIN)/lint-imports --no-logo

.PHONY: house
house: $(READY) ## Only the tests of the house rules: sizes, preambles, charts, docs
	@$(BIN)/python -m pytest tests/test_house.py $(ARGS)

.PHONY: e2e
e2e: browser ## Only the tests with real worker processes, and those in a real browser
	@$(BIN)/python -m pytest -m "e2e or browser" $(ARGS)

.PHONY: browser
browser: $(BROWSER_READY) ## Install what the tests in a browser need: tests/browser.lock, and a Chromium where there is none
	@$(BIN)/python -m tests.browser.chromium

$(BROWSER_READY): $(READY) tests/browser.lock
	@echo "Installing what only the tests in a browser need" && $(BIN)/python -m pip --disable-pip-version-check \
		--no-input install --quiet --require-hashes -r tests/browser.lock && touch $@

.PHONY: platforms
platforms: $(PLATFORMS_READY) ## Install the AT Protocol network into .platforms, and run the tests that act on it
	@$(BIN)/python -m pytest -n 0 tests/atproto $(ARGS)

.PHONY: screenshots
screenshots: $(PLATFORMS_READY) $(BROWSER_READY) ## Take the pictures of a campaign on all networks and of its calendar, for docs/
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest -q -n 0 tests/atproto/test_campaign.py

$(PLATFORMS_READY): $(READY) tests/atproto/package-lock.json
	@.ci/platforms

.PHONY: stores
stores: $(STORES_READY) ## Install Vendure and Oscar into .stores, and run the tests that act on them
	@$(BIN)/python -m pytest -n 0 tests/stores $(ARGS)

$(STORES_READY): $(READY) tests/stores/vendure/package-lock.json tests/stores/oscar.lock
	@.ci/stores

.PHONY: mastodon
mastodon: $(MASTODON_READY) ## Install the server that the tests of the Mastodon adapter need, somebody else's, and run them
	@$(BIN)/python -m pytest -n 0 tests/adapters/mastodon $(ARGS)

$(MASTODON_READY): $(READY) tests/mastodon.lock
	@echo "Installing the server of the tests of Mastodon" && $(BIN)/python -m pip --disable-pip-version-check \
		--no-input install --quiet --require-hashes -r tests/mastodon.lock && touch $@

.PHONY: format
format: $(READY) ## Put the code into its format
	@$(BIN)/ruff check --fix --exit-zero --quiet $(CODE) && $(BIN)/ruff format $(CODE)

.PHONY: bench
bench: $(BENCH_READY) ## Measure everything and write docs/benchmarks.md; ARGS=--quick for a short look
	@for bench in $(BENCHES); do echo "$$bench" && $(BIN)/python -m "$$bench" $(ARGS) || exit; done
	@$(BIN)/python -m bench.report $(ARGS)

.PHONY: bench-llm
bench-llm: $(BENCH_READY) ## Measure only the tokens of a text, beside the original's way; needs no model and no key
	@$(BIN)/python -m bench.bench_llm $(ARGS) && $(BIN)/python -m bench.report $(ARGS)

$(BENCH_READY): $(READY) bench/bench.lock
	@echo "Installing what only the benchmarks need" && $(BIN)/python -m pip --disable-pip-version-check --no-input \
		install --quiet --require-hashes -r bench/bench.lock && touch $@

.PHONY: chaos
chaos: $(READY) ## Break a fleet on purpose for 10 minutes and check what it promises; ARGS="--minutes 30 --seed 7"
	@exec $(BIN)/fleet chaos $(ARGS)

##@ Keep

.PHONY: lock
lock: $(READY) ## Pin what pyproject.toml asks for; ARGS=--upgrade for newer versions. Needs the network
	@.ci/lock $(ARGS)

.PHONY: lock-check
lock-check: $(READY) ## Whether the locks fit pyproject.toml
	@echo "locks" && .ci/lock --check

.PHONY: clean
clean: ## Remove caches and build leftovers; .venv and the fleet's data in .fleet stay
	@rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .coverage build dist
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
