BIN := .venv/bin
STAMP := .venv/.installed
.DEFAULT_GOAL := help
.PHONY: run test lint types bench docs notebooks clean help

# Pythons up to 3.13 first, because constraints.txt was made for them. Each is run, since a name on PATH may be a stub.
FIND_PYTHON = for below in 14 99; do for name in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	"$$name" -c "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, $$below))" \
	>/dev/null 2>&1 && echo "$$name" && exit; done; done

run: $(STAMP) ## Reproduce the papers' figures and tables into results/
	$(BIN)/jaxthermo reproduce --out results
	@echo "Figures and tables are in $(CURDIR)/results"

test: $(STAMP) ## Run the test suite on two processes
	$(BIN)/python -m pytest -n 2

lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Check types
	$(BIN)/mypy

bench: $(STAMP) ## Run every benchmark and write benchmarks/results/<device>/
	$(BIN)/python -m benchmarks

docs: $(STAMP) ## Regenerate docs/validation.md
	$(BIN)/jaxthermo validate --out docs/validation.md

notebooks: $(STAMP) ## Execute every notebook and discard the outputs
	$(BIN)/python -m pytest tests/test_documents.py -k notebook

clean: ## Remove the environment, caches and results
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache results build dist

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		python=$$($(FIND_PYTHON)); \
		if [ -z "$$python" ]; then \
			echo "Found no Python >= 3.11 with the venv module; install one, or name it: make PYTHON=/path/to/python" >&2; \
			exit 1; \
		fi; \
		"$$python" -m venv --clear .venv; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@
