# Everything a developer runs. Each target makes the virtual environment it needs; only Python >= 3.11 and make are assumed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo-output
export OPENBLAS_NUM_THREADS ?= 1
export PYTHONDONTWRITEBYTECODE :=# the tests start hundreds of processes: none compiles the package again

.PHONY: help demo test quick mutate check lint types docs dist soak sbom container bench clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[demo,dask]' --group dev
	touch $@

$(VENV)-demo/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-demo
	$(VENV)-demo/bin/python -m pip install --quiet --editable '.[demo]'
	touch $@

demo: $(VENV)-demo/.ready  ## run the app on a small dataset around a real map, and say which page to open
	$(VENV)-demo/bin/python -m bids_regions.demo $(DEMO)
	$(VENV)-demo/bin/bids_regions $(DEMO)/dataset $(DEMO)/regions participant group --threshold 97% 3.0 \
	  --min-region-size 1500 --atlas $(DEMO)/atlas/tpl-MNI152Lin/tpl-MNI152Lin_atlas-Boxes_dseg.nii.gz
	$(VENV)-demo/bin/bids_regions $(DEMO)/surfaces $(DEMO)/surface-regions participant --threshold 97% 3.0
	@printf '%s\n' '' 'Open next, in a browser:' \
	  '  file://$(abspath $(DEMO))/regions/sub-01.html          the real map: two rules as tabs, viewer and table' \
	  '  file://$(abspath $(DEMO))/regions/group.html           six participants together' \
	  '  file://$(abspath $(DEMO))/surface-regions/sub-01.html  the real map on the cortex' \
	  'Then your own: $(VENV)-demo/bin/bids_regions BIDS_DIR OUTPUT_DIR participant group (docs/usage.md goes on from here)'

test: $(VENV)/.ready  ## everything that can be tested here, warnings as errors
	sh tests/browser/need_chromium.sh
	@echo "Some 5,200 tests: about 15 minutes on two cores, a third of it the browser's; make quick takes 3"
	$(BIN)/python -m pytest -n auto --cov --cov-report=term

quick: $(VENV)/.ready  ## the tests that need no browser and start no processes of their own
	@echo "Some 4,700 tests: about 3 minutes on two cores"
	$(BIN)/python -m pytest -n auto -m "not slow and not browser and not container"

mutate: $(VENV)/.ready  ## break the code in drawn places, see whether a test tells (MINUTES=45; docs/reliability.md)
	$(BIN)/python tools/mutate.py --minutes $(or $(MINUTES),45)

check: lint types test  ## what CI runs

lint: $(VENV)/.ready  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready  ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.ready  ## the documentation as a site, docs/_build/html; warnings are errors, links inside are followed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html docs docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning -q -b linkcheck -d docs/_build/html/.doctrees docs docs/_build/links
	@echo "Open docs/_build/html/index.html; addresses elsewhere are listed in docs/_build/links/output.json, not fetched"

dist: $(VENV)/.ready  ## wheel and sdist: built, checked, installed and run in an environment of their own
	rm -f dist/*.whl dist/*.tar.gz
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/python tools/check_dist.py dist

soak: $(VENV)/.ready  ## the long tests: kills, faults, fuzzing (docs/reliability.md), false positives of field theory (docs/methods.md)
	$(BIN)/python tests/soak.py
	$(BIN)/python benchmarks/false_positives.py

sbom: $(VENV)/.ready  ## the bill of materials of the container, dist/*.cdx.json
	$(BIN)/python tools/make_sbom.py

container:  ## the image: built, run under podman, Docker, Apptainer and Slurm, compared (root, Debian 12)
	PYTHON=$(PYTHON) sh tests/container/run.sh

bench: $(VENV)/.ready  ## the benchmarks, and the tables of docs/performance.md
	$(BIN)/python benchmarks/run.py

clean:  ## remove what the targets made
	rm -rf $(VENV) $(VENV)-demo $(DEMO) dist docs/_build .nox .mypy_cache .ruff_cache .pytest_cache .coverage*
