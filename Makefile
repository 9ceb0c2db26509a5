# Two commands: `make report` and `make test`. Each does all the set-up that it needs.
#
#   make report                          the demo trial: 500 simulated patients in 20 hospitals
#   make report TRIAL=demo_cluster       the same with whole hospitals randomised
#   make report TRIAL=ghana DATA=FOLDER  the trial of config/ghana.yaml, its files in FOLDER
#   make report REASON="..."             the same, where plan or data are not what was locked
#   make test                            everything that a change must pass
#   make test-long                       full disks, read-only places, reruns of old versions
#   make test-cluster                    runs through a Slurm that is started for them (needs root)
#   make test-kills                      40 runs killed at random moments, each then completed
#   make limits                          what the models estimate on very large demo trials (some
#                                        minutes): config/demo_limits.json, demo_cluster_limits.json
#   make lock                            requirements.lock anew from pyproject.toml
#   make clean                           forget results/ and logs/; records/ stays

TRIAL ?= demo
DATA ?= data/$(TRIAL)
PYTHON ?=
REASON ?=
BIN := .venv/bin
SOURCES := src workflow tests benchmarks
# For the linter, which must know a plan to read the workflow.
LINT_CONFIG := plan=config/demo.yaml

export PYTHON REASON
# A run is thirty short processes: each would compile the package anew, and read what it means.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: report test test-numbers test-package test-runs test-records test-storage test-long test-kills test-cluster test-cluster-short setup limits lock clean

# Trials whose hospital files are simulated where they are not there yet.
SIMULATED := data/demo data/demo_cluster data/three

report: setup $(filter $(SIMULATED),$(DATA))
	@$(BIN)/sitewise run config/$(TRIAL).yaml --data "$(DATA)" $(if $(REASON),--reason "$$REASON")

test: setup
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint --config $(LINT_CONFIG)
	$(BIN)/lint-imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && SITEWISE_FINISHED=$$folder \
	    $(MAKE) --no-print-directory -j5 --output-sync=target test-numbers test-package test-runs \
	    test-records test-storage

# Parts side by side. What needs no whole run: the numbers; all else. Whole runs, which leave a core
# idle at times: what runs when and what goes wrong; what is recorded of it.
NUMBERS = tests/golden $(addprefix tests/unit/,classical inference lmm sites)
RECORDS = $(addprefix tests/workflow/test_,record.py blinded.py crate.py nightly.py)

test-numbers:
	$(BIN)/pytest $(NUMBERS)

test-package:
	$(BIN)/pytest $(addprefix --ignore ,tests/workflow tests/cluster $(NUMBERS))

test-runs:
	$(BIN)/pytest tests/workflow $(addprefix --ignore ,$(RECORDS))

test-records:
	@tools/beside.sh validator
	$(BIN)/pytest $(RECORDS)

# Servers on loopback; without the plugins, as in test-package, these tests are skipped.
test-storage:
	@tools/beside.sh storage
	PYTHONPATH=.venv-storage $(BIN)/pytest tests/unit/run/test_fetching.py

test-long: setup
	@tools/beside.sh storage
	$(BIN)/pytest -m long --ignore tests/cluster

# Alone on the machine: there is one /etc/slurm/slurm.conf. Skipped where a Slurm can't be started.
test-cluster: setup
	$(BIN)/pytest -m long -rs tests/cluster

test-cluster-short: setup
	$(BIN)/pytest -m cluster_short -rs tests/cluster

test-kills: setup
	SITEWISE_KILLS=40 $(BIN)/pytest tests/workflow/test_kills.py

setup:
	@tools/setup.sh

data/demo: | setup
	@$(BIN)/sitewise simulate data/demo

data/demo_cluster: | setup
	@$(BIN)/sitewise simulate data/demo_cluster --design cluster

data/three: | setup
	@$(BIN)/python -m sitewise.simulate.three data/three

limits: setup
	$(BIN)/python -m sitewise.inference.large_sample config/demo.yaml
	$(BIN)/python -m sitewise.inference.large_sample config/demo_cluster.yaml

lock: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header -p 3.11 --extra dev -c tools/constraints.txt pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header -p 3.11 tools/validator.in -o tools/validator.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header -p 3.11 -c requirements.lock tools/storage.in -o tools/storage.lock

clean:
	rm -rf results logs
