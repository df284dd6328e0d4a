# Two commands on a fresh machine: `make demo` and `make test`. Each makes its own .venv from pip alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test test-all torture check bench bench-connectors format clean

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# What runs; and, for who works on the code, the tools on top of it.
$(BIN)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[embedded]'
	touch $@

$(BIN)/.installed: $(BIN)/.runtime
	$(INSTALL) -e '.[embedded,dev]'
	touch $@

demo: $(BIN)/.runtime ## run the demo plant end to end; ARGS="--for 90s --summary summary.json --chaos"
	$(BIN)/uns demo $(ARGS)

# What is marked `long` is left to CI, which gives an empty one, and to test-all.
MARKS ?= not long

test: $(BIN)/.installed ## tests, two files at a time; they start what they need
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$(MARKS)" $(ARGS)

test-all: $(BIN)/.installed ## all tests, with properties over new random inputs and thousands of histories cut and restored
	UNS_PROPERTIES=random UNS_RESTART_HISTORIES=2000 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

torture: $(BIN)/.installed ## kill workers at 200 points and compare with the oracle; ARGS="--kills 200 --seed 1 --json out.json"
	$(BIN)/python -m tests.torture $(ARGS)

check: $(BIN)/.installed ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BIN)/.installed ## speed, as ratios within one run
	$(BIN)/python -m bench $(ARGS)

bench-connectors: $(BIN)/.installed ## how fast connectors read, beside the bare libraries
	$(BIN)/python -m bench.connectors $(ARGS)

format: $(BIN)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
