# The list of commands. `make` alone prints it; every command sets up .venv first where it is needed.
.DEFAULT_GOAL := help
.PHONY: help setup demo test bench notebooks report lab train format clean

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.kinlib-ready
# Real-ESRGAN's library does not build on Python 3.13 yet, so an older one is preferred where there are several.
CANDIDATES := $(or $(PYTHON),python3.12 python3.11 python3 python3.13 python3.14)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the commands
	@echo "kinlib: usage: make COMMAND"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: $(STAMP) ## make .venv and install everything (once; Python 3.11 or newer)
	@echo "$(VENV) is ready: try 'make demo', or run $(BIN)/kinlib --help"

demo: $(STAMP) ## draw the children of two bundled studio parents into demo.png
	$(BIN)/kinlib family --out demo.png

test: $(STAMP) ## check the style and run all tests, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PY) -m pytest

bench: $(STAMP) ## measure speed and memory (tests/bench)
	KINLIB_NUMBERS=report/numbers $(PY) -m pytest tests/bench -q -s
	KINLIB_NUMBERS=report/numbers $(PY) -m pytest tests/unit/kinship/test_ffhq.py -k whole_way

notebooks: $(STAMP) ## run all notebooks again and store their outputs
	$(PY) tests/checks/run_notebooks.py --write

report: $(STAMP) ## build report/report.pdf from the stored figures and numbers
	$(BIN)/kinlib report

lab: $(STAMP) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_start_here.ipynb

train: ## say how the bundled networks are trained
	@echo "Each bundled network is trained with one command that can be stopped and started again, on CPU or GPU:"
	@echo "  $(BIN)/kinlib train NAME          ('$(BIN)/kinlib train --help' lists the names and settings)"

format: $(STAMP) ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove caches and build leftovers (.venv, data and downloads stay)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .benchmarks demo.png
	find kinlib tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

$(PY):
	@for python in $(CANDIDATES); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  found=$$python; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "[1/4] making $(VENV) with $$($$python --version)"; \
	  exec $$python -m venv $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
	  echo "kinlib: $$found has no venv module: install it (Debian, Ubuntu: apt install python3-venv), then run make again"; \
	else \
	  echo "kinlib: needs Python 3.11 or newer, tried: $(CANDIDATES). Install one, or name it: make setup PYTHON=..."; \
	fi >&2; exit 2

$(STAMP): requirements.txt requirements-nodeps.txt pyproject.toml | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip
	@echo "[2/4] installing the libraries: about 7 GB on disk with PyTorch, a few minutes"
	$(PY) -m pip install -r requirements.txt
	@echo "[3/4] installing what must not bring dependencies, and kinlib itself"
	$(PY) -m pip install --no-deps -r requirements-nodeps.txt
	$(PY) -m pip install --no-deps -e .
	@echo "[4/4] checking that everything imports"
	$(PY) tests/checks/check_setup.py
	@touch $@
