# `make run` and `make test` need Python 3.11 or newer, make and a package index; nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python here that is new enough; name another with `make run PYTHON=…`.
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c $(NEW_ENOUGH) 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Writes the requirements files; only `make lock` needs it.
LOCKER := uv==0.13.9
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header pyproject.toml $(ARGS)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: $(VENV)/.installed ## Prepare the database and start the gateway (PORT=8000)
	@$(BIN)/optout migrate
	@exec $(BIN)/optout serve

.PHONY: test
test: $(VENV)/.installed-dev ## Run the whole suite (ARGS="-k phone" for a part)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.installed-dev ## Check types
	@$(BIN)/mypy

.PHONY: audit
audit: $(VENV)/.installed-dev ## Compare the pinned packages with the known holes
	@$(BIN)/python -m pip_audit --require-hashes --disable-pip --progress-spinner off \
		--requirement requirements.txt $(ARGS)

.PHONY: language-report
language-report: $(VENV)/.installed-dev ## Say how well texts are understood, by language
	@$(BIN)/python -m tests.language_report $(ARGS)

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure speed, each figure against its limit
	@$(BIN)/python -m bench $(ARGS)

.PHONY: barrier
barrier: $(VENV)/.installed-dev ## Show that nothing leaves after a STOP (ARGS=--naive: senders that only check)
	@$(BIN)/python -m bench.barrier $(ARGS)

.PHONY: lock
lock: $(BIN)/python ## Pin the dependencies anew (ARGS=--upgrade for newer ones)
	@$(PIP) install --quiet $(LOCKER)
	$(LOCK) --group build --output-file requirements.txt
	$(LOCK) --group dev --constraint requirements.txt --output-file requirements-dev.txt

.PHONY: clean
clean: ## Remove what can be made again; the database in instance/ stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@'$(PYTHON)' -c $(NEW_ENOUGH) || { echo "Python 3.11 or newer is needed and was not found:" \
		"install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -m venv --clear $(VENV)

# The files .installed and .installed-dev say that the pinned packages are there: as long as they
# are newer than the pins, nothing is looked up and a start takes seconds. The development pins
# contain all the others.
$(VENV)/.installed: requirements.txt pyproject.toml $(BIN)/python
	@echo "Installing the pinned dependencies (once) ..."
	@$(PIP) install --quiet --require-hashes -r requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml $(BIN)/python
	@echo "Installing the pinned dependencies for development (once) ..."
	@$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@ $(VENV)/.installed
