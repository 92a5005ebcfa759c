# Commands for a fresh machine: `make demo`, `make test`, `make docs` and `make bench`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types tests test-minimum docs bench clean

demo: .venv/installed
	$(BIN)/meanfield run breast-cancer --force -o breast-cancer.h5
	$(BIN)/meanfield plot breast-cancer.h5

test: lint types tests

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-test
	$(BIN)/mypy

# File by file, in the order of tests/conftest.py: else the workers compile the same kernels at the
# same time.
tests: .venv/installed-test
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -n auto

# The tests once more, on the oldest versions that setup.cfg allows.
test-minimum:
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install --quiet --constraint tests/minimum-versions.txt \
		--editable ".[test]"
	.venv-minimum/bin/pytest -n auto -W default

# The site, in build/docs/html: with the reduced runs of all experiments, which are kept until
# something changes. Warnings and broken links are errors.
docs: .venv/installed-docs
	$(BIN)/python docs/_ext/reduced.py
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d build/docs/doctrees . build/docs/html
	$(BIN)/python docs/check_links.py build/docs/html

# Ours and what one would use instead, with PyTorch, JAX and KeOps (which need g++). Hours become
# minutes with BENCH="--only d=2", for instance; see `python -m benchmarks.run --help`.
bench: .venv-bench/installed
	.venv-bench/bin/python -m benchmarks.run $(BENCH)

.venv-bench/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --editable ".[bench]"
	touch $@

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[datasets]"
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf .venv .venv-minimum .venv-bench build *.egg-info
