# `make` alone tells what there is to run. Needed beforehand: python3 (3.11 or newer), make, git.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := .venv/uv/bin/uv
SETUP := .venv/.set-up

.PHONY: help run test check format bench storm audit sbom wheel clean

help: ## tell what there is to run
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: $(SETUP) ## start the connector on port 8102, with the sandbox as its PlanSo on port 8190
	$(BIN)/planso-connector serve --demo

test: $(SETUP) ## pass the tests, on SQLite and PostgreSQL, and those with Chromium and PgBouncer where there are
	$(BIN)/pytest -n 4 --dist worksteal

check: $(SETUP) ## check format, lint, types, import directions and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.tables --check

format: $(SETUP) ## put the code in order and write the docs tables anew
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m docs.tables

bench: $(SETUP) ## measure, and print ratios of one run
	$(BIN)/python -m bench

STORM ?=

storm: $(SETUP) ## inject faults for a minute on each database and check the laws; STORM="--seed 7 --seconds 300" changes that
	$(BIN)/python -m tests.storm $(STORM)

EXTRAS ?=

audit: $(SETUP) ## check the licences, and ask OSV for known vulnerabilities of what is locked
	@$(BIN)/python -m docs.licences
	@$(UV) audit --frozen --no-dev --preview-features audit-command $(AUDIT_FLAGS); code=$$?; \
	if [ $$code -eq 2 ]; then echo "NOT AUDITED: the vulnerability service can't be reached; the licences were checked."; \
	else exit $$code; fi

sbom: $(SETUP) ## write dist/sbom.cdx.json, what the connector consists of (CycloneDX)
	@mkdir -p dist
	$(UV) export --quiet --frozen --no-dev $(EXTRAS) --preview-features sbom-export --format cyclonedx1.5 --output-file dist/sbom.cdx.json

wheel: $(SETUP) ## build dist/*.whl, and install it with what is locked into an empty environment, to see that it starts
	@rm -rf dist/try && mkdir -p dist
	$(UV) build --quiet --wheel --out-dir dist
	$(UV) export --quiet --frozen --no-dev $(EXTRAS) --no-emit-project --output-file dist/locked.txt
	$(UV) venv --quiet --no-project --python $(BIN)/python dist/try
	$(UV) pip install --quiet --python dist/try/bin/python --require-hashes --requirements dist/locked.txt
	$(UV) pip install --quiet --python dist/try/bin/python --no-deps dist/planso_connector-*.whl
	cd dist/try && bin/planso-connector --version && CONNECTOR_DATABASE_URL=sqlite:///try.db bin/planso-connector migrate
	@rm -rf dist/try

clean: ## remove what make set up, and the demo's data
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(SETUP): pyproject.toml uv.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --no-python-downloads --python $(BIN)/python
	@touch $(SETUP)
