# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN = $(VENV)/bin
NEUROGYM ?= .venv-neurogym

.PHONY: demo test test-slow lint types bench bench-results bench-library learning protocols animals gallery parity clean

demo: $(VENV)/.base
	$(BIN)/neurojax train PerceptualDecisionMaking-v0 --out runs/demo --overwrite

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/pyright

bench: $(VENV)/.base
	$(BIN)/python -m benchmarks.run --neurogym $(NEUROGYM)/bin/python --json build/benchmark.json

bench-results: $(VENV)/.base
	$(BIN)/python -m benchmarks.run --neurogym $(NEUROGYM)/bin/python --write-results

bench-library: $(VENV)/.base
	$(BIN)/python -m benchmarks.run --neurogym $(NEUROGYM)/bin/python --write-library

learning: $(VENV)/.test
	$(BIN)/python -m benchmarks.learning

protocols: $(VENV)/.test
	$(BIN)/python -m benchmarks.protocols

animals: $(VENV)/.test
	$(BIN)/python -m benchmarks.animals

gallery: $(VENV)/.base
	$(BIN)/neurojax gallery --out build/gallery --overwrite

parity: $(VENV)/.test $(NEUROGYM)/.installed
	$(NEUROGYM)/bin/python tests/parity/record.py --out build/parity
	$(BIN)/python tests/parity/compare.py build/parity
	$(BIN)/python -m pytest tests/test_parity.py

$(VENV)/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "neurojax needs Python 3.11 or newer on the PATH" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(NEUROGYM)/.installed: tests/parity/requirements.txt
	$(PYTHON) -m venv $(NEUROGYM)
	$(NEUROGYM)/bin/python -m pip install --quiet --requirement tests/parity/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(NEUROGYM) build runs
