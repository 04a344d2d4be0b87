# Each target sets up what it needs in .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test fuzz check bench gpu format flags

demo: $(VENV)/installed
	$(BIN)/python run_sample.py

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

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
# same module without windows, takes its place.
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  echo "opencv-python finds no libGL here: taking opencv-python-headless"; \
	  $(BIN)/python -m pip uninstall --quiet --yes opencv-python; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check opencv-python-headless; }
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  $$(grep -v '^[-#]' requirements-dev.txt)
	@touch $@
