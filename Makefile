# Everything from a fresh clone: `make demo` and `make test` set up what they need.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A Python of your own: make setup PYTHON=/path/to/python3.12
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=

export SECURE_ML_HOME ?= $(CURDIR)/.secure_ml
export SECURE_ML_KEYS ?= $(CURDIR)/.secure_ml_keys

.PHONY: help setup demo ui test check bench docs lock clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv from requirements.lock.

$(READY): requirements.lock pyproject.toml
	@chosen=; \
	for candidate in '$(PYTHON)' python3 python3.13 python3.12 python3.11; do \
		if command -v "$$candidate" >/dev/null \
			&& "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
			chosen=$$candidate; break; \
		fi; \
	done; \
	if [[ -z $$chosen ]]; then \
		echo 'No Python 3.11, 3.12 or 3.13 found: install one, or name it: make setup PYTHON=/path/to/python3.12' >&2; \
		exit 1; \
	fi; \
	if ! "$$chosen" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$chosen cannot make virtual environments: install its venv package (Debian: python3-venv)" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$chosen" --version)"; \
	"$$chosen" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q secure_ml
	@touch $@

demo: setup ## Train a loan model on protected data, and say what was done.
	@$(BIN)/secure-ml demo

ui: setup ## Open Dagster's pages on this installation.
	@$(BIN)/secure-ml ui

test: setup ## Pass the whole test suite.
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -rs $(PYTEST_ARGS)

check: setup ## Lint, types, import directions, generated pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m secure_ml.policy.reference --check

bench: setup ## Run every benchmark; fails when a claim does not hold.
	@failed=; \
	for benchmark in $(filter-out benchmarks/report.py,$(sort $(wildcard benchmarks/*.py))); do \
		echo "== $$benchmark"; \
		$(BIN)/python "$$benchmark" || failed="$$failed $$benchmark"; \
	done; \
	if [[ -n $$failed ]]; then \
		echo "Does not hold:$$failed" >&2; \
		exit 1; \
	fi

docs: setup ## Write the generated pages.
	@$(BIN)/python -m secure_ml.policy.reference --write

lock: setup ## Resolve the dependencies anew.
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --upgrade --quiet -o requirements.lock

clean: ## Remove the installation: its data, state and keys. Nothing can be decrypted afterwards.
	@for folder in "$$SECURE_ML_HOME" "$$SECURE_ML_KEYS"; do \
		[[ -d $$folder ]] || continue; \
		folder=$$(cd "$$folder" && pwd -P); \
		if [[ $(CURDIR)/ == "$${folder%/}"/* || $$HOME/ == "$${folder%/}"/* ]]; then \
			echo "$$folder is more than an installation: it is not removed" >&2; \
			exit 1; \
		fi; \
		rm -rf -- "$$folder"; \
	done
