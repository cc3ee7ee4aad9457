# What a person or a machine runs. Each target makes .venv first if it is missing or older than its pins.

PYTHON ?= python3
SEEDS ?= 20
N ?= 20
PYTEST_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The lock describes the registry's own files, whatever this machine's pip is set up with.
LOCK := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --all-build-deps \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(LOCK_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench simulate crash format lock clean

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Run the whole engine on real market data in a scratch folder.
	@$(BIN)/tradewright demo

test: check ## Run every check and every test.
	@echo "== tests"
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

check: $(READY) ## Format, lint, types, architecture.
	@echo "== format"
	@$(BIN)/ruff format --check --quiet .
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@echo "== types"
	@$(BIN)/mypy --no-error-summary
	@echo "== architecture"
	@$(BIN)/python -m pytest --quiet --no-header tests/test_architecture.py

bench: $(READY) ## Measure throughput and latency, and print a table.
	@$(BIN)/tradewright bench

simulate: $(READY) ## Run seeded worlds with faults, all of them: make simulate SEEDS=10000
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --keep-going

crash: $(READY) ## Kill the daemon at random and count what was lost: make crash N=20
	@$(BIN)/python -m tests.crash --runs $(N)

format: $(READY) ## Format the code and mend what lint can mend.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

lock: $(READY) ## Pin again from pyproject.toml: make lock LOCK_ARGS=--upgrade
	@echo "== requirements.txt"
	@$(LOCK) --output-file=requirements.txt pyproject.toml
	@echo "== requirements-dev.txt"
	@$(LOCK) --extra=dev --constraint=requirements.txt --output-file=requirements-dev.txt pyproject.toml

clean: ## Remove what can be made again; data/ stays.
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Wheels only: a source package's build would fetch tools that no hash covers. The project itself is linked,
# not copied, with the pinned build backend, whose warning that a link follows the folder says nothing new.
$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "== setting up .venv (once; a minute or two)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
