# make demo | test | linux-test | lint | prove | bench | studies | conformance | docs. Each makes the environment in .venv first, if need be.

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))) python3)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test linux-test lint prove bench studies conformance docs clean prerequisites

demo: $(READY)
	$(BIN)/tenon run zoo:digits --config edge8

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Builds the kernel first, in some minutes, if it is not in the cache; `tenon drive linux` says which packages that needs.
linux-test: $(READY)
	$(BIN)/python -c "from tenon.tb.drive.uml import kernel; print(kernel(print))"
	$(BIN)/python -m pytest -m linux

lint: $(READY)
	$(BIN)/ruff check .

prove: $(READY)
	$(BIN)/python -m tenon.tb.formal --bugs

bench: $(READY)
	$(BIN)/python -m tenon.flows.bench -o docs/benchmarks.md
	$(BIN)/python -m tenon.flows.bench.networks -o docs/networks.md
	$(BIN)/python -m tenon.flows.bench.configurations -o docs/configurations.md
	$(BIN)/python -m tenon.flows.bench.drive -o docs/drive_figures.md

# Hours: mappings beside the best that is known, tuners beside each other, explorations beside RTL and synthesis. What is interrupted goes on.
studies: $(READY)
	$(BIN)/python -m tenon.flows.bench.mappings
	$(BIN)/python -m tenon.flows.bench.gains -o docs/gains.md
	$(BIN)/python -m tenon.flows.bench.tuned -o docs/tuned.md
	$(BIN)/python -m tenon.flows.bench.exploration -o docs/explored.md

conformance: $(READY)
	$(BIN)/python -m tenon.flows.conformance -o docs/conformance.md

docs: $(READY)
	$(BIN)/python -m tenon.flows.pages -o docs

prerequisites:
	@$(PYTHON) tb/prerequisites.py

# A half-made environment is made anew: the mark comes last.
$(READY): pyproject.toml | prerequisites
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
