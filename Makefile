# Two commands matter: `make demo` and `make test`. Each builds what it needs first; see
# scripts/env.sh for what goes where. `make demo ARGS="--help"` passes options on.

.DEFAULT_GOAL := help
.PHONY: help env app-env dev-env mint-env provider-env tools-env gpu-env demo test lint format docs changelog clean

ARGS ?=
PYTEST_ARGS ?=
export PYTHON
# Every process of a demo would compile the program anew, every test worker all tests.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make demo    the whole network on this machine, with the TUI   (ARGS=\"--ask 'What is an onion?'\")"
	@echo "make test    lint, types, import directions and all tests      (PYTEST_ARGS=\"-k wallet\")"
	@echo "make lint    only the checks that run no test"
	@echo "make format  lay the code out as lint wants it"
	@echo "make docs    the documentation site in build/site"
	@echo "make changelog  what CHANGELOG.md would say of the next version"
	@echo "make env     only build the environments (also: mint-env, provider-env, tools-env, dev-env, gpu-env)"
	@echo "make clean   remove environments, caches and build results"

env:
	@sh scripts/env.sh dev gpu mint provider tools

app-env:
	@sh scripts/env.sh app

dev-env:
	@sh scripts/env.sh dev

mint-env:
	@sh scripts/env.sh mint

provider-env:
	@sh scripts/env.sh provider

tools-env:
	@sh scripts/env.sh tools

gpu-env:
	@sh scripts/env.sh gpu

demo:
	@sh scripts/env.sh app mint provider
	@.venv/bin/peer2prompt demo $(ARGS)

lint: dev-env
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

format: dev-env
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

test: env lint
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --reruns 1 -rfER $(PYTEST_ARGS)

docs: dev-env
	.venv/bin/python -m sphinx -W --keep-going -n -q -b html docs build/site
	@echo "open build/site/index.html"

changelog: dev-env
	@.venv/bin/towncrier build --draft --version next

clean:
	rm -rf .venv .venv-mint .venv-provider .venv-tools .cache dist build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
