# Every task of this project. `make` alone lists them. All but `help` and `clean` first bring
# .venv up to date, which takes a moment once and nothing afterwards.

.DEFAULT_GOAL := help
.PHONY: help setup run test lint fix nightly bench panel wheel lock clean

PYTHON_IN_VENV := .venv/bin/python
SOURCES := src tests scripts bench

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with all that development needs (PYTHON=… chooses the Python)
	@scripts/setup dev

run: ## Start the proxy with its local model and send it a question (ONCE=1: stop after the answer)
	@scripts/setup run
	@scripts/panel
	@$(PYTHON_IN_VENV) scripts/run.py $(if $(ONCE),--once)

test: ## Run the tests (ARGS="tests/unit -k usage" goes to pytest)
	@scripts/test $(ARGS)

lint: ## Check style, formatting, types and the layering of imports
	@scripts/lint

fix: ## Format, and repair what can be repaired without thinking
	@scripts/setup dev
	@.venv/bin/ruff check --fix $(SOURCES)
	@.venv/bin/ruff format $(SOURCES)

nightly: ## Look for what no test names: 20,000 examples of every property
	@scripts/setup dev
	@CLIPROXY_EXAMPLES=20000 $(PYTHON_IN_VENV) -m pytest -q -n 2 --timeout=0 tests/properties

bench: ## Measure speed and memory (ROWS="translated memory" SECONDS=2 BENCH="--check")
	@scripts/setup run
	@$(PYTHON_IN_VENV) -m bench $(if $(ROWS),--rows "$(ROWS)") $(if $(SECONDS),--seconds $(SECONDS)) $(BENCH)

panel: ## Build the web panel (needs npm)
	@scripts/panel strict

wheel: ## Build the wheel into dist/
	@scripts/setup dev
	@scripts/panel
	@$(PYTHON_IN_VENV) -m build --wheel --no-isolation --outdir dist .

lock: ## Write requirements/*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@scripts/setup lock $(if $(UPGRADE),--upgrade)

clean: ## Remove everything that make and the tools left, downloads included
	@rm -rf .venv .tools .cache .run dist build htmlcov .coverage bench/results.json
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -rf tests/node/node_modules panel/node_modules src/cliproxy/panel_dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
