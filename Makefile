# What this project can do, as habits: `make help` lists them.
#
# Every path is relative, so a checkout may lie in a directory with spaces in its name.

PYTHON ?=
ARGS ?=
# One more than the cores that a small machine has: tests wait for locks and programs, too.
WORKERS ?= 3

quoted_python := '$(subst ','\'',$(PYTHON))'
venv := PYTHON=$(quoted_python) sh tools/venv.sh
bin := .venv/bin

# An unusable Python is said in one line, by $(error): a failing recipe would add make's own.
verdict = $(shell $(venv) check)
require_python = $(if $(filter ok,$(verdict)),,$(error $(verdict)))

# Tests start hundreds of programs: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help run install dev test coverage lint format openapi docs manifest lock db-diff bench build clean

help: ## list these habits
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET, where TARGET is one of" } \
	  /^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@echo "Variables: PYTHON=/path/to/python3, ARGS='…' (run, test, bench), WORKERS=3 (test)"

run: install ## install, then evaluate: embedded database, examples, the API on 127.0.0.1:8000
	@exec $(bin)/factory evaluate $(ARGS)

install: ## make .venv with what the program needs, pinned by hash
	@$(require_python)$(venv) install runtime

dev: ## make .venv with the tools for tests and checks too
	@$(require_python)$(venv) install dev

test: dev ## run the whole suite (ARGS='tests/api -k gate' for a part)
	@exec $(bin)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

coverage: dev ## run the whole suite and refuse less than 90 % of app/
	@$(bin)/python -m coverage erase
	@exec $(bin)/python -m pytest -n $(WORKERS) --dist worksteal \
	  --cov --cov-report=term --cov-fail-under=90 $(ARGS)

lint: dev ## check style, types, SQL, Dockerfile and compose file
	@$(bin)/python tools/lint.py

format: dev ## put the code in the common format, and fix what can be fixed
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

openapi: dev ## write docs/openapi.json from the program
	@$(bin)/python -m app.openapi docs/openapi.json

docs: openapi ## write every document that is made from the program
	@$(bin)/python -m app.errors docs/errors.md
	@$(bin)/python tools/command_line.py
	@$(bin)/python tools/commands.py

manifest: dev ## write what a new database is, on PostgreSQL 15 to 18 (ARGS=/path/to/bin)
	@$(bin)/python tools/manifest.py $(ARGS)

lock: dev ## pin the newest versions, with hashes for every platform
	@$(bin)/python tools/lock.py $(ARGS)

db-diff: dev ## compare a database migrated step by step with a fresh one
	@$(bin)/python -m pytest tests/migrations/test_zero_diff.py $(ARGS)

bench: ## measure (ARGS='from_event' for a part); the figures are written to benchmarks/README.md
	@$(require_python)$(venv) install bench
	@exec $(bin)/python -m benchmarks $(ARGS)

build: dev ## build the wheel and the source distribution into dist/
	@$(bin)/python -m build --no-isolation

clean: ## remove what the tools made (not var/, which holds data)
	@rm -rf .venv build dist htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
