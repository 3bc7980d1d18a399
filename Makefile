# The commands of this repository. Each makes its own virtual environment and checks for what it needs.
#   make demo          build, install, and run the main job on real models
#   make test          the whole test suite
#   make lint          format, lint, types, layers, C++ format and warnings
#   make exhaustive    all 2^32 float32 values through every quantize path, all int32 sums through requantize
#   make bench         speed side by side with other tools
#   make programs      random programs, native against the reference (more checks: native/checks.mk)
# TORCH= (empty) leaves PyTorch out; PYTHON=python3.12 chooses an interpreter.

PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find src native -type f -not -name '*.so' -not -name '*.pyc') CMakeLists.txt pyproject.toml

.PHONY: demo test lint exhaustive bench clean check-tools

demo: $(VENV)/installed
	$(BIN)/halfeven demo -o out

test: $(VENV)/installed
	$(BIN)/python -m pytest -q --pyargs halfeven --doctest-ignore-import-errors  # the examples in docstrings
	$(BIN)/python -m pytest -q -ra -n auto tests README.md $(PYTEST_ARGS)

exhaustive: $(VENV)/installed
	$(BIN)/python tests/exhaustive/run.py $(EXHAUSTIVE_ARGS)

bench: $(VENV)/installed
	$(BIN)/python bench/quantize.py

check-tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "halfeven needs Python 3.10 or newer: install python3, or pass PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "halfeven needs Python's venv module: install python3-venv"; exit 1; }
	@command -v $${CXX:-c++} >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 \
	  || { echo "halfeven needs a C++20 compiler: install g++ (11 or newer) or clang++ (12 or newer)"; exit 1; }

$(VENV)/created: | check-tools
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	touch $@

$(VENV)/torch: $(VENV)/created
	test -z "$(TORCH)" || $(BIN)/python -m pip install -q "$(TORCH)"
	touch $@

$(VENV)/installed: $(VENV)/torch $(SOURCES)
	$(BIN)/python -m pip install -q ".[demo,test]"
	touch $@

$(VENV)/linters: $(VENV)/installed
	$(BIN)/python -m pip install -q ".[lint]" "cmake>=3.20" ninja "nanobind>=2.4"
	touch $@

CXX_FILES = $(shell git ls-files '*.cc' '*.cpp' '*.h' '*.hpp')

lint: $(VENV)/linters
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cmake -S . -B build/lint -G Ninja -DHALFEVEN_WERROR=ON -DPython_EXECUTABLE=$(abspath $(BIN))/python
	$(BIN)/cmake --build build/lint

include native/develop.mk
include native/checks.mk

clean:
	rm -rf $(VENV) build out
