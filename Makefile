BIN := .venv/bin
STAMP := .venv/.installed
DOCS_STAMP := .venv/.docs
.DEFAULT_GOAL := help
.PHONY: run test test-all audit lint types bench bench-quick bench-gpu bench-latency operations docs site figures notebooks \
	clean help

# Bytecode is kept, whatever the environment says: else each of the suite's many processes compiles the library again.
export PYTHONDONTWRITEBYTECODE :=

# The newest Python that the constraints were made for, then any newer one; pyenv's too, whose names on PATH may be
# stubs. Each is run, since a name alone says little. `make PYTHON=/path/to/python` takes that one.
FIND_PYTHON = for name in $(PYTHON) \
	$(foreach minor,13 12 11,python3.$(minor) $$HOME/.pyenv/versions/3.$(minor).*/bin/python3) python3 python3.14; do \
	"$$name" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1 && echo "$$name" && \
	exit; done
# jax >= 0.11 needs Python >= 3.12.
CONSTRAINTS = $$($(BIN)/python -c "import sys; print('constraints.txt' if sys.version_info < (3, 12) \
	else 'constraints-3.12.txt')")

run: $(STAMP) ## Reproduce the papers' figures and tables into results/, quickly; FULL=1 on the papers' meshes
	$(BIN)/jaxthermo reproduce $(if $(FULL),--full) --out results
	@echo "Both papers: $(CURDIR)/results/index.html"

test: $(STAMP) ## Run the test suite on two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=25

test-all: $(STAMP) ## Run the slow tests as well
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=25 -m "slow or not slow"

audit: $(STAMP) ## Ask random questions, compare with independent references, write docs/audit.md; resumable
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m audit.run

lint: $(STAMP) ## Check style, imports between rooms, and that everything public is documented and links lead somewhere
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m website.check

types: $(STAMP) ## Check types
	$(BIN)/mypy

bench: $(STAMP) ## Run every benchmark, write benchmarks/results/<device>/, docs/benchmarks.md and its pictures
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks._page

bench-quick: $(STAMP) ## Run every benchmark at its smallest size and write nothing
	$(BIN)/python -m benchmarks --quick

bench-gpu: $(STAMP) ## Run the benchmarks that have sizes for an accelerator, on one
	JAX_PLATFORMS=cuda $(BIN)/python -m benchmarks gillespie potts_scan scan_throughput
	$(BIN)/python -m benchmarks._page

bench-latency: $(STAMP) ## Measure how long one waits for each verb, write docs/latency.md
	$(BIN)/python -m benchmarks.latency

operations: $(STAMP) ## Record how many operations each verb compiles
	$(BIN)/python -m benchmarks.latency --only operations

docs: $(STAMP) ## Regenerate docs/validation.md
	$(BIN)/jaxthermo validate --out docs/validation.md

site: $(DOCS_STAMP) ## Build the documentation into site/, strictly; `python -m http.server -d site` shows it
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

figures: $(STAMP) ## Draw the pictures of the gallery again, by the code of its page
	$(BIN)/python -m website.figures

notebooks: $(STAMP) ## Execute every notebook and discard the outputs
	$(BIN)/python -m pytest tests/test_documents.py -k notebook

clean: ## Remove the environment, caches and results
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache results build dist site

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

$(STAMP): pyproject.toml constraints.txt constraints-3.12.txt
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		python=$$($(FIND_PYTHON)); \
		if [ -z "$$python" ]; then \
			echo "Found no Python >= 3.11 with the venv module; install one, or name it: make PYTHON=/path/to/python" >&2; \
			exit 1; \
		fi; \
		"$$python" -m venv --clear .venv; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[test]'
	@touch $@

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[docs]'
	@touch $@
