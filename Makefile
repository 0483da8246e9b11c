# Needs Python >= 3.11 with venv, git and make; everything else is put into .venv.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := $(VENV)/.bench
# Further words for the program or for pytest: make run ARGS="ls", make test ARGS="-k cancel".
ARGS ?=
# An earlier result for make bench-compare.
BEFORE ?= benchmarks/results.json
# Another interpreter: make PYTHON=/path/to/python3.13.
PYTHON ?=
# What uv writes into the constraints: every version with the hashes of all its files, for pip.
HASHED := --quiet --no-deps --generate-hashes --universal --python-version 3.11 \
	--no-header --no-annotate
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Sets $$python to the first interpreter that will do; a name that only looks like one does not.
PICK_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11 none; do \
	"$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& break; done; \
	test "$$python" != none || { echo 'Python >= 3.11 with venv is needed.' >&2; exit 1; }

.PHONY: help run demo test check chaos lost-work fuzz format snapshots docs constraints clean
.PHONY: api-examples bench bench-quick bench-compare soak soak-short

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## Open the dashboard on your own home (ARGS="ls": any command)
	@$(BIN)/swarm-tui $(ARGS)

demo: $(READY) ## Show it all with simulated runs on a throw-away home
	@$(BIN)/swarm-tui demo $(ARGS)

test: $(READY) ## Run all tests (ARGS="-k name": some)
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: $(READY) ## Check format, lint, types, import directions and language
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/python tests/language.py

chaos: $(READY) ## Inject 1,000 faults and kill 400 processes; count what was lost (ARGS="--faults 50")
	@$(BIN)/python tests/chaos/chaos.py $(ARGS)
	@$(BIN)/python tests/chaos/storm.py
	@$(BIN)/python tests/chaos/request_storm.py
	@$(BIN)/python tests/chaos/cluster_storm.py
	@$(BIN)/python tests/chaos/real_storm.py
	@$(BIN)/python tests/chaos/power.py

lost-work: $(READY) ## Play random work of user and agent; count lost bytes (ARGS="--sequences 100")
	@PYTHONPATH=tests $(BIN)/python tests/chaos/lost_work.py $(ARGS)

fuzz: $(READY) ## Run every command on hostile trees of files and watch the rest of the disk (ARGS="--trees 300")
	@$(BIN)/python tests/fuzz/fuzz_trees.py $(ARGS)

bench: $(BENCH) ## Measure everything, and keep the figures (ARGS="store": some rows)
	@$(BIN)/python -m benchmarks --write $(ARGS)

bench-quick: $(BENCH) ## Measure in under two minutes; fails only where something is far off
	@$(BIN)/python -m benchmarks --quick $(ARGS)

soak: $(READY) ## An hour of the dashboard with 50 runs: what grows? (ARGS="--runs 20")
	@$(BIN)/python -m benchmarks.soak $(ARGS)

soak-short: $(READY) ## The same in five minutes
	@$(BIN)/python -m benchmarks.soak --minutes 5 $(ARGS)

bench-compare: $(BENCH) ## Measure; fail where a row got worse than an earlier result (BEFORE=file)
	@$(BIN)/python -m benchmarks --against $(BEFORE) $(ARGS)

format: $(READY) ## Format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

snapshots: $(READY) ## Make the dashboard's snapshots again, after looking at the changes
	@$(BIN)/python -m pytest -n auto tests/tui --snapshot-update $(ARGS)

docs: $(READY) ## Write the reference pages and pictures from the code
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/pictures.py

api-examples: $(READY) ## Record the examples in the description of the API again
	@$(BIN)/python docs/api_examples.py

constraints: ## Write constraints.txt again: the newest versions that fit, with hashes
	@rm -rf build/venv; mkdir -p build; $(PICK_PYTHON); "$$python" -m venv build/venv
	@build/venv/bin/python -m pip install --quiet 'pip>=25.1'
	@build/venv/bin/python -m pip install --quiet --group dev --editable .
	@build/venv/bin/python -m pip list --format=freeze --exclude swarm-tui \
		--exclude pip --exclude setuptools > build/exact.txt
	@build/venv/bin/python -m pip install --quiet --constraint build/exact.txt --group bench
	@build/venv/bin/python -m pip list --format=freeze --exclude swarm-tui --exclude pip \
		--exclude setuptools | grep -vxFf build/exact.txt > build/exact-bench.txt
	@build/venv/bin/python -m pip install --quiet uv
	@build/venv/bin/uv pip compile $(HASHED) build/exact.txt -o constraints.txt
	@build/venv/bin/uv pip compile $(HASHED) build/exact-bench.txt -o benchmarks/constraints.txt
	@rm -rf build/venv build/exact.txt build/exact-bench.txt

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# All at exactly these versions, the build backend included: nothing is fetched into a build
# environment of its own, and the pip that came with Python will do.
$(READY): pyproject.toml constraints.txt
	@$(BIN)/python -c '' 2>/dev/null || { $(PICK_PYTHON); \
		echo "Making $(VENV) with $$python …"; "$$python" -m venv --clear $(VENV); }
	@echo 'Installing what swarm-tui needs …'
	@$(PIP) install --quiet --require-hashes --requirement constraints.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# What only the benchmarks need: programs to compare with.
$(BENCH): $(READY) benchmarks/constraints.txt
	@echo 'Installing what the benchmarks compare with …'
	@$(PIP) install --quiet --require-hashes --no-deps --requirement benchmarks/constraints.txt
	@touch $@
