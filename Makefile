PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-quick test-slow lint bench bench-ltv bench-execution format pictures clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/nbdataops kernel install > /dev/null  # an editable installation has no kernelspec
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab,test]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lint]'
	@touch $@

demo: $(VENV)/.installed  ## the main job: the LTV product on the real CDNOW log
	$(BIN)/nbdataops run --product notebooks/cdnow

test: $(VENV)/.installed-test  ## all tests, browser included
	@sh tests/browser/chromium.sh
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-quick: $(VENV)/.installed-test  ## tests without kernels and browsers
	$(BIN)/python -m pytest -n 2 -m "not kernel and not browser and not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks

bench-ltv: $(VENV)/.installed-test  ## against lifetimes, pymc-marketing and DuckDB; makes .venv-peers
	$(BIN)/python -m benchmarks ltv

bench-execution: $(VENV)/.installed-test  ## against papermill and cold kernels; an hour; makes docs/performance.md
	$(BIN)/python -m benchmarks execution --save benchmarks/execution/figures.json
	$(BIN)/python docs/img/performance.py

pictures: $(VENV)/.installed-test demo  ## the pictures of README.md and docs/, from the demo's run
	$(BIN)/python -m tests.browser.pictures
	$(BIN)/python docs/img/methods.py

clean:
	rm -rf notebooks/*/.nbdataops build dist *.egg-info
