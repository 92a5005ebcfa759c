# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types tests test-minimum clean

demo: .venv/installed
	$(BIN)/meanfield run breast-cancer --force -o breast-cancer.h5
	$(BIN)/meanfield plot breast-cancer.h5

test: lint types tests

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-test
	$(BIN)/mypy

tests: .venv/installed-test
	$(BIN)/pytest -n auto
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -n auto

# The tests once more, on the oldest versions that setup.cfg allows.
test-minimum:
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install --quiet --constraint tests/minimum-versions.txt \
		--editable ".[test]"
	.venv-minimum/bin/pytest -n auto -W default

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[datasets]"
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .venv-minimum build *.egg-info
