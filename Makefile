# `make` alone lists the targets. Requires python3 (3.11 or newer), make and git.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := .venv/uv/bin/uv
RUNTIME := .venv/.runtime
TESTS := .venv/.tests
SETUP := .venv/.set-up
CLIENT := .venv/client/.set-up
TEST_CLIENTS := .venv/test-clients/.set-up
NODE := tests/typescript/node_modules/.package-lock.json

.PHONY: help install run test test-clients check format bench storm cluster audit sbom wheel client clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: $(RUNTIME) ## install the connector into .venv

run: $(RUNTIME) ## start the connector on port 8102, with the sandbox as its PlanSo on port 8190
	$(BIN)/planso-connector serve --demo

test: $(TESTS) $(CLIENT) $(NODE) ## run the tests, on SQLite and PostgreSQL; those with Chromium, PgBouncer and Node.js if installed
	$(BIN)/pytest --workers 6

check: $(SETUP) ## check format, lint, types, import directions and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.tables --check

format: $(SETUP) ## format the code and regenerate the tables in docs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m docs.tables

bench: $(SETUP) ## run the benchmarks and print ratios
	$(BIN)/python -m bench

STORM ?=

storm: $(TESTS) ## inject faults for a minute on each database; options: STORM="--seed 7 --seconds 300"
	$(BIN)/python -m tests.storm $(STORM)

CLUSTER ?=

cluster: $(TESTS) ## let a PostgreSQL cluster fail over under load (Patroni, HAProxy, PgBouncer); options: CLUSTER="--faults node,disk"
	@$(BIN)/python -m tests.cluster $(CLUSTER)

CLIENTS ?=

test-clients: $(TESTS) $(TEST_CLIENTS) ## let real MCP clients call the tools, also behind nginx; options: CLIENTS="--only livekit --install"
	@$(BIN)/python -m tests.clients $(CLIENTS)

EXTRAS ?=

audit: $(SETUP) ## check licences, and ask OSV for known vulnerabilities of the locked packages
	@$(BIN)/python -m docs.licences
	@$(UV) audit --frozen --no-dev --preview-features audit-command $(AUDIT_FLAGS); code=$$?; \
	if [ $$code -eq 2 ]; then echo "NOT AUDITED: the vulnerability service can't be reached; the licences were checked."; \
	else exit $$code; fi

sbom: $(RUNTIME) ## write dist/sbom.cdx.json, the bill of materials (CycloneDX)
	@mkdir -p dist
	$(UV) export --quiet --frozen --no-dev $(EXTRAS) --preview-features sbom-export --format cyclonedx1.5 --output-file dist/sbom.cdx.json

wheel: $(RUNTIME) ## build dist/*.whl and start it from an empty environment with the locked packages
	@rm -rf dist/try && mkdir -p dist
	$(UV) build --quiet --wheel --out-dir dist
	$(UV) export --quiet --frozen --no-dev $(EXTRAS) --no-emit-project --output-file dist/locked.txt
	$(UV) venv --quiet --no-project --python $(BIN)/python dist/try
	$(UV) pip install --quiet --python dist/try/bin/python --require-hashes --requirements dist/locked.txt
	$(UV) pip install --quiet --python dist/try/bin/python --no-deps dist/planso_connector-*.whl
	cd dist/try && bin/planso-connector --version && CONNECTOR_DATABASE_URL=sqlite:///try.db bin/planso-connector migrate
	@rm -rf dist/try

client: $(RUNTIME) $(CLIENT) ## generate the Python client in dist/client and build dist/planso_connector_client-*.whl
	@mkdir -p dist
	$(BIN)/python -m docs.openapi dist/openapi.json
	PATH="$(CURDIR)/.venv/client/bin:$$PATH" openapi-python-client generate --path dist/openapi.json --meta uv \
		--config packaging/client/names.yml --output-path dist/client --overwrite --fail-on-warning
	$(UV) build --quiet --wheel --out-dir dist dist/client

clean: ## remove the environment, caches and the demo's data
	rm -rf .venv tests/typescript/node_modules .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

# On a terminal uv shows its progress.
QUIET = $(shell [ -t 2 ] || echo --quiet)
UV_SYNC = UV_PROJECT_ENVIRONMENT=.venv $(UV) sync $(QUIET) --frozen --no-python-downloads --python $(BIN)/python

# --inexact: what another target installed stays.
$(RUNTIME): pyproject.toml uv.lock | $(UV)
	@echo "Installing the connector and the packages it runs with, as locked in uv.lock"
	@$(UV_SYNC) --inexact --no-default-groups
	@touch $@

$(TESTS): pyproject.toml uv.lock | $(UV)
	@echo "Installing the packages of the tests, with a PostgreSQL server; once"
	@$(UV_SYNC) --inexact --no-default-groups --group test
	@touch $@

$(SETUP): pyproject.toml uv.lock | $(UV)
	@echo "Installing the packages of the tests and checks; once"
	@$(UV_SYNC)
	@touch $@ $(RUNTIME) $(TESTS)

# Its lock file is its own, and so is its environment: it needs an older typer.
$(CLIENT): packaging/client/pyproject.toml packaging/client/uv.lock | $(UV) $(RUNTIME)
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv/client $(UV) sync --project packaging/client --quiet --frozen \
		--no-python-downloads --python $(BIN)/python
	@touch $@

# Two environments from one lock file: the official SDK before 2.0 and after it exclude each other.
$(TEST_CLIENTS): packaging/test-clients/pyproject.toml packaging/test-clients/uv.lock | $(UV) $(RUNTIME)
	@echo "Installing the MCP clients that are tried; once"
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv/test-clients-old-sdk $(UV) sync --project packaging/test-clients --quiet \
		--frozen --group old-sdk --no-python-downloads --python $(BIN)/python
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv/test-clients $(UV) sync --project packaging/test-clients --quiet \
		--frozen --group clients --no-python-downloads --python $(BIN)/python
	@touch $@

# Without npm, or where it can't reach its registry, the tests that need it are left out and named.
$(NODE): tests/typescript/package-lock.json
	@if command -v npm > /dev/null; then \
		npm ci --prefix tests/typescript --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 \
		|| echo "npm could not install the TypeScript generators; their tests are left out."; fi

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@echo "Setting up .venv, once; half a minute, most of it for downloads"
	@$(PYTHON) -m venv .venv
	@$(PYTHON) -m venv .venv/uv
	@echo "Installing uv $(UV_VERSION), which installs the rest"
	@.venv/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
