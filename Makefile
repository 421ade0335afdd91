# Two commands for newcomers: `make demo` trains a model here and lets it speak, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pip resolves everything in one go, so that the cap on torch holds for every package.
DEMO_STAMP := $(VENV)/.installed-demo
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: demo test lint docs clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "speechkd needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): setup.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

$(DEV_STAMP): setup.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(DEMO_STAMP)

demo: $(DEMO_STAMP)
	egs/mini/tts1/run.sh
	@$(BIN)/python tools/after_demo.py exp/mini/fastspeech2

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(DEV_STAMP)
	$(BIN)/python -m mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) exp site
