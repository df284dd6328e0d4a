# Two commands on a fresh machine: `make demo` and `make test`. Each makes its own .venv from pip alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test test-all test-containers sbom torture check bench bench-smoke bench-connectors bench-sinks bench-plant docs format clean

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

test-containers: $(BIN)/.installed ## build, start, kill, recreate and upgrade the compose setup; needs a Docker engine, or root and dockerd
	UNS_TEST_CONTAINERS=1 $(BIN)/python -m pytest -x -v -s tests/containers $(ARGS)

sbom: $(BIN)/.installed ## bill of materials of what runs, CycloneDX: build/sbom.cdx.json
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[parquet,sftp]'
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.cdx.json build/sbom/bin/python

torture: $(BIN)/.installed ## kill workers at 200 points and compare with the oracle; ARGS="--kills 200 --seed 1 --json out.json"
	$(BIN)/python -m tests.torture $(ARGS)

check: $(BIN)/.installed ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BIN)/.installed ## speed, as ratios within one run
	$(BIN)/python -m bench $(ARGS)

bench-smoke: $(BIN)/.installed ## two minutes of it, judged by results alone, beside the last release's ratios
	$(BIN)/python -m bench --smoke $(ARGS)

bench-connectors: $(BIN)/.installed ## how fast connectors read, beside the bare libraries
	$(BIN)/python -m bench.connectors $(ARGS)

bench-sinks: $(BIN)/.installed ## how fast sinks write, beside the bare target
	$(BIN)/python -m bench.sinks $(ARGS)

bench-plant: $(BIN)/.installed ## the largest plant that this machine keeps up with, MQTT to page, and what each part costs
	$(BIN)/python -m bench.plant $(ARGS)

docs: $(BIN)/.installed ## the pages as a site: build/docs/index.html; its search needs a server, python -m http.server -d build/docs
	$(INSTALL) -e '.[docs]'
	$(BIN)/python docs/site/stage.py build/docs-source
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: $(BIN)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
