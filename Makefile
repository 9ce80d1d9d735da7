# Two commands to remember: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format clean

# $(call debian,PACKAGE,COMMAND THAT SUCCEEDS WHEN IT IS THERE)
define debian
@{ $(2); } >/dev/null 2>&1 || { \
	echo "The Debian package $(1) is missing; installing it."; \
	if [ "$$(id -u)" = 0 ]; then as=""; else as=sudo; fi; \
	$$as apt-get update -qq && $$as apt-get install -y -qq --no-install-recommends $(1) || \
	{ echo "make: cannot install it; run: sudo apt-get install $(1)" >&2; exit 1; }; }
endef

help:
	@echo "make demo           a recorded walk, from pictures to the map"
	@echo "make demo ONCE=1    the same, ends with the table"
	@echo "make test           the tests"
	@echo "make check          linters, types, layers"
	@echo "make setup          everything that demo and test need"

$(READY): pyproject.toml
	$(call debian,python3-venv,$(PYTHON) -c "import venv, ensurepip")
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "make: Python 3.11 or later is needed; PYTHON=... names another" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(READY)
	$(call debian,mosquitto,command -v mosquitto)
	$(call debian,systemd,command -v systemd-analyze)

demo: $(READY)
	@$(BIN)/scanner demo $(if $(ONCE),--once)

test: setup
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
