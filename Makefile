# Commands for people. Each target installs what it needs; a fresh machine needs only Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= bench-report
BENCH ?=
SETUP := .venv/.ready

CORE := event identity condition profile score segment trigger route
CORE_TESTS := $(CORE:%=tests/unit/%) tests/unit/query tests/property/test_profile_orders.py tests/property/test_internal_topics.py \
	tests/acceptance/test_aliases.py tests/acceptance/test_vetoes.py
CORE_COVERAGE := 98
CRM_SERVERS := tests/crm/test_bottlecrm.py tests/crm/test_bottlecrm_privacy.py tests/crm/test_bottlecrm_webhooks.py
LONG := tests/faults/test_chaos.py tests/faults/test_slow_events.py tests/faults/test_broker_away.py \
	tests/faults/test_crm_broker_restart.py \
	tests/property/test_identity_million_links.py tests/acceptance/test_console_browser.py \
	tests/acceptance/test_console_oidc.py tests/acceptance/test_console_privacy.py \
	tests/acceptance/test_panels_have_data.py \
	tests/integration/test_privacy.py tests/integration/test_privacy_api.py
KILLS := tests/acceptance/test_cdnow.py tests/acceptance/test_replay_equality.py tests/faults/test_broker_restart.py \
	tests/faults/test_endings.py tests/faults/test_hanging_transactions.py tests/faults/test_partition_counts.py \
	tests/integration/test_collect_kill.py tests/integration/test_crm_pull.py tests/integration/test_crm_sink.py \
	tests/integration/test_crm_sync.py tests/integration/test_serve_kill.py tests/integration/test_worker_broker.py \
	tests/simulation/test_defects.py

.PHONY: help demo test test-crm storms check packages bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "stitchline needs Python >= 3.11; run: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(SETUP) ## run a seeded shop day on a real Kafka, from anonymous clicks to leads
	$(BIN)/stitchline demo

test: $(SETUP) ## run all but the longest tests on a real broker (10 minutes on two cores)
	$(BIN)/python -m pytest tests --ignore=tests/bench $(LONG:%=--ignore=%) $(KILLS:%=--ignore=%) $(CRM_SERVERS:%=--ignore=%) \
		--numprocesses 4 --dist loadfile --no-loadscope-reorder

test-crm: $(SETUP) ## test a real BottleCRM, and let the vendors' clients drive the emulators (installs them on first use; needs Python >= 3.12, PostgreSQL, npm)
	$(BIN)/python -m pytest $(CRM_SERVERS) -rs
	$(BIN)/python -m tests.crm.witness.run || [ $$? = 3 ]  # 3: a client could not be installed, as its output says

storms: $(SETUP) ## simulate 11,000 worlds with faults, then run the longest tests (minutes)
	STITCHLINE_SEEDS=5000 $(BIN)/python -m pytest tests/simulation/test_crashes.py tests/simulation/test_handovers.py --numprocesses 2
	STITCHLINE_SEEDS=1000 $(BIN)/python -m pytest tests/simulation/test_moves.py
	$(BIN)/python -m pytest $(KILLS) --numprocesses 3 --dist loadfile
	$(BIN)/python -m pytest $(LONG)

check: $(SETUP) ## check lint, types, import contracts, sizes, schemas, coverage of the core
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/packages.py >/dev/null
	$(BIN)/python .ci/sizes.py
	$(BIN)/python -m schemas.check
	$(BIN)/python -m pytest $(CORE_TESTS) --quiet --cov --cov-report=term:skip-covered --cov-fail-under=$(CORE_COVERAGE)

packages: $(SETUP) ## print each package with those that it imports; with OF=pipeline.stream, all that one imports
	$(BIN)/python .ci/packages.py $(OF)

bench: $(SETUP) ## one report beside other engines: report.md and a plot in OUT (20 minutes on two cores; BENCH="--help" lists options)
	$(BIN)/python -m tests.bench --out $(OUT) $(BENCH)

lock: ## resolve the dependencies and rewrite requirements.lock (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## remove the virtual environment, caches and builds
	rm -rf .venv .bench bench-report .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
