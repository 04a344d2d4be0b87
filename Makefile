# Each target sets up what it needs in .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
REQUIREMENTS := requirements.txt

.PHONY: demo test test-all test-oldest fuzz check bench gpu format flags

demo: $(VENV)/installed
	$(BIN)/python run_sample.py

PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

# Those that are marked slow, too: a long training, many ranks, many kills, memory.
test-all: $(VENV)/installed-dev
	$(PYTEST)

# The tests with the oldest versions that requirements.txt names.
test-oldest:
	$(MAKE) test-all VENV=.venv-oldest REQUIREMENTS=.requirements-oldest.txt PYTHON=python3.11

.requirements-oldest.txt: requirements.txt
	sed 's/>=/==/' requirements.txt > $@

fuzz: $(VENV)/installed-dev
	FUZZ_CASES=2000 $(BIN)/python -m pytest -q tests/test_fuzz.py

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# docs/FLAGS.md out of the settings.
flags: $(VENV)/bin/python
	$(BIN)/python -m misc.settings.flags > docs/FLAGS.md

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks $(ARGS)

# For a machine with a CUDA device: the tests on it, what to paste into RESULTS.md, a demo on it.
gpu: $(VENV)/installed-dev
	$(BIN)/python -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || \
	  { echo "make gpu: torch finds no CUDA device here"; exit 1; }
	IRN_TEST_DEVICE=cuda $(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m benchmarks.gpu
	$(BIN)/python run_sample.py --device cuda --run_dir runs/gpu

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# opencv-python needs the system's libGL; where that is missing its headless build, which is the
# same module without windows, takes its place. pydensecrf2 needs a compiler; nothing needs it.
$(VENV)/installed: $(REQUIREMENTS) requirements-pydensecrf.txt | $(VENV)/bin/python
	@echo "Installing torch and the rest into $(VENV): some GB, which takes minutes"
	$(PIP) install -r $(REQUIREMENTS)
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  echo "opencv-python finds no libGL here: taking opencv-python-headless"; \
	  $(PIP) uninstall --yes opencv-python; \
	  $(PIP) install $$(sed -n 's/^opencv-python/&-headless/p' $(REQUIREMENTS)); }
	@$(PIP) install -r requirements-pydensecrf.txt >/dev/null 2>&1; \
	  $(BIN)/python -c 'import pydensecrf.densecrf' 2>/dev/null || \
	  echo "pydensecrf2 cannot be built here, which only --crf pydensecrf needs: going on without it"
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(PIP) install -c $(REQUIREMENTS) $$(grep -v '^[-#]' requirements-dev.txt)
	@touch $@
