# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: help demo test test-slow lint types contracts check coverage benchmarks docs clean

help:
	@echo "make demo         the main job on embedded defaults, told by the product's own command"
	@echo "make test         lint, types, import contracts, and every test that needs no other server"
	@echo "make test-slow    further variants of the same: other options of a provider, longer searches"
	@echo "make coverage     all tests again with branch coverage, and its floors"
	@echo "make benchmarks   counts, ratios and seconds; see benchmarks/README.md"
	@echo "make docs         the generated pages of docs/ anew"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ecs-sync needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	touch $(READY)

demo: $(READY)
	@$(BIN)/ecs-sync demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

check: lint types contracts

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m slow

coverage: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q --cov --cov-report=
	$(BIN)/coverage report --fail-under=90 --skip-covered
	$(BIN)/coverage report --fail-under=100 --include='*/ecs_sync/diff.py,*/ecs_sync/policy.py,*/ecs_sync/decide.py,*/ecs_sync/plan.py,*/ecs_sync/protocol.py,*/ecs_sync_mappings/*'

benchmarks: $(READY)
	$(BIN)/python -m benchmarks

docs: $(READY)
	$(BIN)/python -m tests.generate

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
