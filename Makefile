# `make run` and `make test` are all that a newcomer needs; both build .venv on a machine with Python >= 3.11.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The torch engines are worth their gigabytes only where there is a GPU that torch can use.
HAS_GPU := $(shell (nvidia-smi -L >/dev/null 2>&1 || test "$$(uname -sm)" = "Darwin arm64") && echo yes)
RUN_LOCK := $(if $(HAS_GPU),requirements/gpu.lock,requirements/app.lock)

.PHONY: help run test check lint fuzz-corpus soak package benchmark screenshots lock clean

help:
	@echo "make run          open the program on a sample hip"
	@echo "make test         run the checks and tests"
	@echo "make package      build the one-folder program in dist/"
	@echo "make benchmark    measure, and write benchmarks/RESULTS.md"
	@echo "make screenshots  make the README's pictures"
	@echo "make soak         the long fault tests"
	@echo "make lock         resolve the dependencies anew"

$(VENV)/.%: requirements/%.lock
	@test -d $(VENV) || $(PYTHON) packaging/require_python.py
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

run: $(VENV)/.$(basename $(notdir $(RUN_LOCK)))
	@packaging/system_libraries.sh
	$(BIN)/python main.py --sample

test: $(VENV)/.dev
	@packaging/system_libraries.sh
	$(MAKE) --no-print-directory check

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n 2 -m "not slow"

soak: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow

package: $(VENV)/.dev
	$(BIN)/pyinstaller --noconfirm --clean --distpath dist --workpath build packaging/lucency.spec

benchmark: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m benchmarks

screenshots: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m docs.make_screenshots

lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q --upgrade --extra dev -o requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -c requirements/dev.lock -o requirements/app.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q --extra torch -c requirements/dev.lock -o requirements/gpu.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
