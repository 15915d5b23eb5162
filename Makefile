# The whole loop of work, one word each. Needs Python 3.11+ with venv, and make; everything else is installed into .venv.
SCENARIO ?= templates/scenarios/negotiation
MODEL ?= rehearsal
ARGS ?=
MINUTES ?= 30
SEED ?=
# Each worker has a PostgreSQL of its own, and a file's tests stay together, in the order of tests/conftest.py: the
# longest first. No test may use what another one on the same machine could have.
WORKERS ?= 2
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder

PY := .venv/bin/python
CLOCK := $(PY) -c 'import time; print(time.monotonic())'
COVERED := domain:shared/pyscrai/domain queue:services/pyscrai_api/queue \
           runs:services/pyscrai_api/runs money:services/pyscrai_api/money
SEED_EMBEDDED := from contextlib import ExitStack; import os, sys; \
  from pyscrai.embedded.database import data_home, embedded_database; from pyscrai_api.catalog.seed import main; \
  held = ExitStack(); os.environ["PYSCRAI_DATABASE_URL"] = held.enter_context(embedded_database(data_home())); \
  code = main(); held.close(); sys.exit(code)

.DEFAULT_GOAL := help
.PHONY: help install run check format test test-unit test-integration test-acceptance coverage mutants protocol chaos bench seed clean

help:  ## Say what there is
	@echo "make WORD, where WORD is one of:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r word says; do printf '%-20s %s\n' "  $$word" "$$says"; done
	@echo 'run: SCENARIO=path-or-name MODEL=name ARGS="--turns 2 --seed 7"    test-*, bench: ARGS="..."    chaos: MINUTES=1 SEED=7    install: PYTHON=python3.12'

install:  ## Make .venv with everything for running and developing
	@PYTHON="$(PYTHON)" .ci/venv dev

run:  ## Play a scenario: no key, no cost, no services to set up
	@began=$$(date +%s) && PYTHON="$(PYTHON)" .ci/venv api,engine && installed=$$(($$(date +%s) - began)) && \
	t0=$$($(CLOCK)) && .venv/bin/pyscrai run "$(SCENARIO)" --model "$(MODEL)" $(ARGS) && t1=$$($(CLOCK)) && \
	$(PY) -c 'import sys; i, a, b = map(float, sys.argv[1:]); print(f"\nInstalling took {i:.0f} s, playing {b - a:.1f} s.")' $$installed $$t0 $$t1

check: install  ## Lint, format, types, import rules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

format: install  ## Mend what ruff can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

test: install  ## All tests: unit, integration, coverage, acceptance
	$(PY) -m pytest tests/unit $(SIDE_BY_SIDE) --cov --cov-report= $(ARGS)
	$(PY) -m pytest tests/integration $(SIDE_BY_SIDE) --cov --cov-append --cov-report= $(ARGS)
	@$(MAKE) --no-print-directory coverage
	$(PY) -m pytest tests/acceptance $(SIDE_BY_SIDE) $(ARGS)

test-unit: install  ## Unit tests: no I/O, seconds
	$(PY) -m pytest tests/unit $(SIDE_BY_SIDE) $(ARGS)

test-integration: install  ## Integration tests: real PostgreSQL
	$(PY) -m pytest tests/integration $(SIDE_BY_SIDE) $(ARGS)

test-acceptance: install  ## Acceptance tests: real processes, real signals
	$(PY) -m pytest tests/acceptance $(SIDE_BY_SIDE) $(ARGS)

coverage:  ## Coverage of the last unit + integration tests; below 95 % in a core part is a failure
	@$(PY) -m coverage report --skip-covered --show-missing \
	  --include="shared/pyscrai/domain/*,services/pyscrai_api/queue/*,services/pyscrai_api/runs/*,services/pyscrai_api/money/*"
	@failed=0; for part in $(COVERED); do \
	  total=$$($(PY) -m coverage report --include="$${part#*:}/*" --format=total --precision=1 --fail-under=95) || failed=1; \
	  echo "coverage of $${part%%:*}: $$total"; \
	done; [ $$failed = 0 ] || { echo 'Each of these parts is to have at least 95 % of lines and branches.' >&2; exit 1; }

mutants: install  ## Tests of the queue against every broken variant of its SQL: each must be found
	PYSCRAI_TEST_MUTANTS=1 $(PY) -m pytest tests/integration/queue/model/test_mutants.py $(SIDE_BY_SIDE) --dist load $(ARGS)

protocol: install  ## The queue's protocol, and its broken variants, through the model checker Spin
	$(PY) -m pytest tests/integration/protocol $(ARGS)

chaos: install  ## The queue under fire for MINUTES (30); exit code 0 only if nothing was lost: docs/reliability.md
	$(PY) -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench:  ## Benchmarks and peers: medians and ratios, asserted nowhere; the queue alone: ARGS=queue
	@PYTHON="$(PYTHON)" .ci/venv dev,bench
	$(PY) -m bench $(ARGS)

# Each start of an API adds event types that are new; this makes changed ones the latest, also in an old database.
seed: install  ## Load the built-in event types into the database (PYSCRAI_DATABASE_URL, else the embedded one)
	@if [ -n "$$PYSCRAI_DATABASE_URL" ]; then $(PY) -m pyscrai_api.catalog.seed; else $(PY) -c '$(SEED_EMBEDDED)'; fi

clean:  ## Remove .venv, caches and build products; nobody's data
	rm -rf .venv .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
