# Everything is done in .venv, which is made when it is missing. `make help` lists the commands.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two test processes share the cores; a pool of threads in each would only fight. A file's tests stay together, as they
# may share one run.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rs --dist loadfile
SOURCES := src tests $(wildcard benchmarks docs/*.py)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test fast long corpus faults faults-long lint type layers format docs-check bench wheel check clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 14

# An editable installation, so that a checkout that was updated runs what it holds.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

setup: $(VENV)/.installed  ## make .venv and install unfreeze
setup-dev: $(VENV)/.installed-dev  ## the same, with what tests and checks need

demo: setup  ## draw the sample leaves and find out how far to unfreeze on them (below 10 minutes)
	@test -e sample/leaves || $(BIN)/unfreeze sample leaves sample/leaves
	$(BIN)/unfreeze run sample/leaves --size 96 --budget 5m

test: setup-dev  ## all tests but those of the fault lab, the long ones and the pages
	$(TEST) -n 2 -m 'not lab and not long and not pages'

fast: setup-dev  ## all tests but the slow ones
	$(TEST) -n 2 -m 'not slow and not lab and not long and not pages'

long: setup-dev  ## tests that take minutes: a machine that leaves a cluster
	$(TEST) -m long

faults: setup-dev  ## tests of the fault lab: kills, torn writes, flipped bits, failing disks, struck decoders
	$(TEST) -n 2 -m lab

corpus: setup-dev  ## fetch images that were made to break decoders, for tests/faults
	$(BIN)/python tests/faultlab/corpus.py corpus

faults-long: setup-dev  ## go on with the release tier of faults, until all is done, then write docs/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/faults.py --minutes 600
	$(BIN)/python benchmarks/faults.py --page

lint: setup-dev  ## style and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

type: setup-dev  ## types
	$(BIN)/mypy

layers: setup-dev  ## imports point downward
	$(BIN)/lint-imports

format: setup-dev  ## mend style and format
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs-check: setup-dev  ## every command and block of the pages is run, names and errors are documented, help is current
	$(TEST) -n 2 tests/docs

bench: setup-dev  ## run the benchmarks on the sets in PANEL, then write docs/benchmarks.md
	@test -n "$(PANEL)" || { echo "Say where the sets are: make bench PANEL=folder"; exit 2; }
	@for name in panel normalisation engines growth probes training views; do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py --panel "$(PANEL)" || exit 1; done
	$(BIN)/python benchmarks/page.py

# The wheel alone, in an environment of its own, with the libraries of .venv but without its editable installation: a
# whole installation costs the minutes that torch takes.
wheel: setup-dev  ## build wheel and source archive, check them, and run the wheel elsewhere
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	OMP_NUM_THREADS=1 $(BIN)/python .ci/try_wheel.py dist/*.whl

check: lint type layers wheel test faults  ## all that .ci/run checks

clean:  ## remove .venv and what tools leave behind
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
