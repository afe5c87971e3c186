# Thin names over ordinary commands. `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
PIP := $(BIN)/python -m pip install --disable-pip-version-check
TASKS ?= enzymecommission superfamily proteinfamily geneontology
SPLITS ?= random
SEEDS ?= 0

OTHER_COLUMNS := ^(src|data|metrics|outputs|plots)/|^(State|Executor|parent|typ|Created)$$

# What `make lowest` and `make newest` install beside the package, and which tests they run.
FOR_TESTS := 'hypothesis>=6.170,<7' 'psutil>=7.2,<8' 'pytest>=9.2,<10' 'setuptools>=77' 'tensorboard>=2.21,<3' \
  'vector-quantize-pytorch>=1.32,<2'
ROOMS := tests/test_config.py tests/test_io.py $(addprefix tests/,checkpoints config evaluation faithfulness graphs \
  inference interpretation models ops prediction proteins search similarity sources splits store structures training)

.DEFAULT_GOAL := help
.PHONY: help setup repro report test coverage lint tasks sanity seeds baselines attention sites search compare tried bench readme docs fuzz faults mutants lowest newest lock audit sbom clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## make .venv with what prediction needs (two minutes, nothing is compiled)

repro: $(VENV)/.installed-scatter ## the main job: the whole pipeline on the embedded sample (dvc repro)
	@echo "this rewrites metrics/ and plots/: another processor trains another model, as another seed does"
	@$(RUN) dvc repro
	@$(BIN)/python tools/your_scores.py

report: $(VENV)/.installed-scatter ## the page to read: outputs/report/index.html, with what it needs (dvc repro report)
	@$(RUN) dvc repro report
	@echo "open outputs/report/index.html in a browser"

test: $(VENV)/.installed-dev ## all tests
	@$(RUN) OMP_NUM_THREADS=1 pytest -n 2 --dist worksteal $(ARGS)

coverage: $(VENV)/.installed-dev ## all tests, and the share of src/ that they run, per file
	@$(RUN) OMP_NUM_THREADS=1 pytest -n 2 --dist worksteal --cov --cov-report=term $(ARGS)

lint: $(VENV)/.installed-dev ## style and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

tasks: $(VENV)/.installed-scatter ## the other tasks, half an hour each, BASELINES=yes another: TASKS, SPLITS="random sequence_0.3 structure_0.7", SEEDS, EMBEDDINGS=FILE.h5; metrics/tasks
	@mkdir -p metrics/tasks/baselines
	@set -e; for task in $(TASKS); do for split in $(SPLITS); do for seed in $(SEEDS); do \
	  with=$(if $(EMBEDDINGS),+$(notdir $(basename $(EMBEDDINGS)))); \
	  name=$$task$$with-$$split-$$seed; folder=outputs/tasks/$$name; \
	  flags="--config params/$$task.yaml --data.split=$${split%%_*} --train.seed=$$seed --paths.prepared=data/stores/$$task$$with-$$split \
	    --paths.output=$$folder --paths.metrics=$$folder/metrics --paths.plots=$$folder/plots \
	    $(if $(EMBEDDINGS),--data.embeddings=$(EMBEDDINGS)) $(ARGS)"; \
	  test $$split = random || flags="$$flags --data.split_similarity_threshold=$${split##*_}"; \
	  run() { $(RUN) PYTHONPATH=src python -m bioblobs.stages $$1 $$2 $$flags; }; \
	  asked() { echo $$flags; grep -v '^ *#' params/$$task.yaml; }; \
	  if test -f $$folder/metrics/test.json; then \
	    if test -f $$folder/asked && ! asked | cmp -s - $$folder/asked; then \
	      echo "error: $$folder was trained with other keys; move it away to train anew" >&2; exit 1; fi; \
	    echo "$$folder is trained already; remove it to train anew"; \
	  else run prepare; run leakage; run train_stage0 fit; run init_codebook; run train_stage1 fit; run evaluate; \
	    asked > $$folder/asked; fi; \
	  $(foreach stage,$(THEN),run $(stage);) \
	  cp $$folder/plots/by_distance.csv metrics/tasks/$$name.csv; cp $$folder/metrics/test.json metrics/tasks/$$name.json; \
	  if test "$(BASELINES)" = yes; then run baselines; \
	    cp $$folder/plots/baselines_by_distance.csv metrics/tasks/baselines/$$name.csv; cp $$folder/metrics/baselines.json metrics/tasks/baselines/$$name.json; fi; \
	done; done; done

sanity: $(VENV)/.installed-scatter ## are explanations those of the labels? one more training, on permuted ones; metrics/sanity.json
	@$(RUN) PYTHONPATH=src python -m bioblobs.stages sanity --config params.yaml

seeds: $(VENV)/.installed-scatter ## what is the method's, what the seed's: five default runs side by side (an hour); metrics/seeds.json
	@$(RUN) PYTHONPATH=src python -m bioblobs.stages seeds --config params.yaml $(ARGS)

baselines: $(VENV)/.installed-scatter ## GVP without blobs, TopK pooling, random blobs, each trained as stage 0 is; SEEDS="0 1 2"; metrics/baselines.json
	@set -e; for seed in $(SEEDS); do \
	  $(RUN) PYTHONPATH=src python -m bioblobs.stages baselines --config params.yaml --train.seed=$$seed $(ARGS); \
	done

attention: $(VENV)/.installed-scatter ## the same with the attention model of before (params/attention.yaml); metrics/attention/seeds.json
	@$(RUN) PYTHONPATH=src python -m bioblobs.stages seeds --config params.yaml --config params/attention.yaml \
	  --paths.output=outputs/attention --paths.metrics=metrics/attention --paths.plots=outputs/attention/plots $(ARGS)

sites: $(VENV)/.installed-scatter ## do contributions find catalytic residues? asks six enzyme class models of `make tasks` (hours if none is trained); metrics/sites.json
	@$(MAKE) tasks TASKS=enzymecommission SPLITS="random sequence_0.3" SEEDS="0 1 2" THEN=sites
	@$(RUN) PYTHONPATH=src python -m bioblobs.stages sites join $(foreach split,random sequence_0.3,\
	  $(foreach seed,0 1 2,outputs/tasks/enzymecommission-$(split)-$(seed)/metrics/sites_model.json))
	@$(RUN) PYTHONPATH=src python tools/update_sites_page.py

search: $(VENV)/.installed-dev ## propose parameters by Optuna, each trial a DVC experiment; ARGS="--trials 20 key=value"
	@$(RUN) PYTHONPATH=src python -m bioblobs.search $(ARGS)

compare: $(VENV)/.installed-scatter ## what the experiments changed, with their validation and test scores
	@$(RUN) dvc exp show --only-changed --hide-workspace --drop '$(OTHER_COLUMNS)' $(ARGS)

tried: $(VENV)/.installed-scatter ## train a variant and keep its validation figures: ARGS="NAME --train.coordinate_noise=0.1"; benchmarks/results/choices.json
	@$(RUN) PYTHONPATH=src python -m benchmarks.choices $(ARGS)

bench: $(VENV)/.installed-dev ## speed and memory into benchmarks/results; CHECKOUT=folder: beside the public code
	@test -f data/prepared/meta.json || $(RUN) dvc repro prepare
	@$(RUN) PYTHONPATH=src python -m benchmarks.speed $(if $(CHECKOUT),--checkout $(CHECKOUT))
	@$(RUN) PYTHONPATH=src python -m benchmarks.busy
	@$(RUN) PYTHONPATH=src python -m benchmarks.speed_pictures
	@$(RUN) PYTHONPATH=src python -m benchmarks.loading
	@$(RUN) PYTHONPATH=src python -m benchmarks.data_scaling
	@$(RUN) PYTHONPATH=src python -m benchmarks.cuda

readme: $(VENV)/.installed-dev ## redraw the README's tables and pictures from metrics/ and plots/
	@$(RUN) PYTHONPATH=src python tools/update_readme.py

docs: $(VENV)/.installed-dev ## the documentation site: outputs/site/index.html
	@$(RUN) python -m sphinx -q -W --keep-going -b html docs outputs/site

fuzz: $(VENV)/.installed-dev ## read 100,000 damaged files: structures, tables, parameters, checkpoints, JSON (an hour); metrics/fuzz.json
	@$(RUN) PYTHONPATH=src:tools python -m robustness.fuzz $(ARGS)

faults: $(VENV)/.installed-dev ## break the pipeline 210 times: kills, full disks, read-only folders, damaged inputs (half an hour); metrics/faults.json
	@$(RUN) PYTHONPATH=src:tools OMP_NUM_THREADS=1 python -m robustness.faults $(ARGS)

mutants: $(VENV)/.installed-dev ## change formulas in 1,400 places and count what tests notice (15 minutes); benchmarks/results/mutants.json
	@$(PIP) -q mutmut==3.8.1
	@$(RUN) python tools/mutants.py $(ARGS)

lowest: ## tests of the rooms with the lowest versions that pyproject.toml allows (downloads torch, takes half an hour)
newest: ## the same with the newest versions
lowest newest: $(VENV)/.installed-dev
	@$(PIP) -q 'uv>=0.9,<1'
	@$(BIN)/python -m uv venv -q --clear --python $(BIN)/python outputs/environments/$@
	@$(BIN)/python -m uv pip install -q --python outputs/environments/$@/bin/python \
	  --resolution $(if $(filter lowest,$@),lowest-direct,highest) -e '.[embed,search]' $(FOR_TESTS)
	@PATH="$(CURDIR)/outputs/environments/$@/bin:$$PATH" PYTHONPATH=src:tests:tools OMP_NUM_THREADS=1 python -m pytest $(ROOMS) $(ARGS)

lock: $(VENV)/.installed-dev ## requirements.lock: every package of the environment with hashes (uv; torch-scatter is built apart)
	@grep -v '^torch-scatter' requirements.txt > $(VENV)/without-scatter.txt
	@$(PIP) -q 'uv>=0.9,<1'
	@$(BIN)/python -m uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --python-version 3.11 --python-platform linux $(VENV)/without-scatter.txt requirements-dev.txt -o requirements.lock

audit: $(VENV)/.installed-dev ## known vulnerabilities of the locked packages (pip-audit; asks PyPI)
	@$(PIP) -q 'uv>=0.9,<1'
	@$(BIN)/python -m uv tool run -q pip-audit==2.10.1 --disable-pip --no-deps -r requirements.lock

sbom: $(VENV)/.installed-dev ## what the environment is made of, as CycloneDX: outputs/sbom.json
	@$(PIP) -q 'uv>=0.9,<1'
	@mkdir -p outputs
	@$(BIN)/python -m uv tool run -q --from cyclonedx-bom==7.5.0 cyclonedx-py environment $(BIN)/python -o outputs/sbom.json

clean: ## remove what runs have made, the environment included
	rm -rf $(VENV) outputs data/prepared data/stores .pytest_cache .mypy_cache .ruff_cache

# The environment. Each step says plainly what is missing.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: $(PYTHON) is not installed; install Python 3.11, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@command -v git >/dev/null || { echo "error: git is not installed; DVC needs it"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make virtual environments; install its venv package (python3.11-venv)"; exit 1; }

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "installing into $(VENV) (the first time takes a minute or two)"
	@$(PIP) -q $$(grep -E '^(torch|numpy)==' requirements.txt) setuptools wheel ninja
	@grep -v '^torch-scatter' requirements.txt > $(VENV)/without-scatter.txt
	@$(PIP) -q -r $(VENV)/without-scatter.txt
	@$(PIP) -q --no-deps --no-build-isolation -e .
	@touch $@

# Training takes it where it can be built; prediction does without (torch_geometric falls back on torch).
$(VENV)/.installed-scatter: $(VENV)/.installed
	@echo "building torch-scatter (about 5 minutes once; pip keeps the result)"
	@$(RUN) $(PIP) -q --no-build-isolation $$(grep '^torch-scatter' requirements.txt) > $(VENV)/torch-scatter.log 2>&1 || \
	  echo "note: torch-scatter could not be built ($(VENV)/torch-scatter.log says why; it needs a C++ compiler); going on without it: same results, torch's own scatter"
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed-scatter
	@$(PIP) -q -r requirements-dev.txt
	@touch $@
