# One command for each thing one does here. Each target installs what it needs, once, into .venv.

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
NAME ?=

.PHONY: help demo test test-slow lint bench clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## fit theophylline, choose a regimen and write the report
	@$(BIN)/qsp-bayes demo

test: $(VENV)/installed-test ## run the tests, without the slow ones
	@$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

test-slow: $(VENV)/installed-test ## run the slow tests: whole fits and their calibration
	@$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

lint: $(VENV)/installed-test ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/installed-bench ## measure against the peers (NAME="gradient sampling" for some rows)
	@$(BIN)/python -m benchmarks.run $(NAME)

clean: ## remove .venv and everything generated
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp stands for an installed set of dependencies; it is renewed when pyproject.toml changes.
$(VENV)/installed: EXTRA :=
$(VENV)/installed-test: EXTRA := [test]
$(VENV)/installed-bench: EXTRA := [bench]
$(VENV)/installed $(VENV)/installed-test $(VENV)/installed-bench: pyproject.toml | $(BIN)/python
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 12) and '$(VENV) holds a Python older than 3.12. Run: make clean $(MAKECMDGOALS)')"
	@echo "Installing qsp_bayes$(EXTRA) into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable ".$(EXTRA)"
	@touch $@

# The first Python that is new enough, looked for where .python-version and pyenv, the system, or PYTHON=... have it.
$(BIN)/python:
	@enough='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))'; \
	pyenv_root="$${PYENV_ROOT:-$$HOME/.pyenv}"; \
	for python in $(or $(PYTHON),python3.12 python3 "$$pyenv_root"/versions/3.12*/bin/python python3.13 python3.14 python); do \
		if "$$python" -c "$$enough" >/dev/null 2>&1; then \
			echo "Creating $(VENV) with $$("$$python" --version)"; \
			rm -rf $(VENV); \
			exec "$$python" -m venv $(VENV); \
		fi; \
		found="$$found\n    $$python: $$("$$python" --version 2>/dev/null || echo "not found")"; \
	done; \
	printf "%b\n" "qsp_bayes needs Python 3.12 or newer, with its venv module. Looked at:$$found" \
		"Install one (for example: pyenv install 3.12; on Debian and Ubuntu: apt install python3.12-venv)," \
		"or say where it is: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.12" >&2; \
	exit 1
