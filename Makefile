# Every command of the project. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# PORT= moves the web port; the sockets' port is the next one.
PORT ?= 8000
ARGS ?=
# Where the tests of each mark are, so that nobody else's have to be imported; `tests/conftest.py` holds them to it.
FAULTS_IN := tests/faults tests/dev
KAFKA_IN := tests/integration tests/events tests/dev
SOAK_IN := tests/faults
# Of `make soak`.
SECONDS ?= 600
SEED ?=
SYSTEM_PYTHON := $(or $(PYTHON),$(shell command -v python3 || command -v python3.11 || command -v python))
VENV_PYTHON := .venv/bin/python

# What only has to import the settings neither connects to anything nor signs anything.
OFFLINE := ENV_FILE= SECRET_KEY=not-a-secret-it-signs-nothing DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing
# Settings as a server has them: https, a real host, and nothing of the laptop's.
SERVER := ENV_FILE= EMBEDDED_STACK=false PUBLIC_URL=https://tasks.example.org \
	SECRET_KEY=$$(od -An -tx1 -N48 /dev/urandom | tr -d ' \n') \
	JWT_SIGNING_KEY=$$(od -An -tx1 -N48 /dev/urandom | tr -d ' \n') \
	AUDIT_SIGNING_KEY=$$(head -c 32 /dev/urandom | base64) AUDIT_CHECKPOINTS_URL=s3://trail/checkpoints \
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: environment
environment: ## Make .venv and install the locked requirements (every target below does it first)
	@$(SYSTEM_PYTHON) scripts/environment.py

.PHONY: run
run: environment ## Run the whole platform here; PORT=8000 moves it, Ctrl-C stops it
	@PORT=$(PORT) exec $(VENV_PYTHON) -m apps.dev run

.PHONY: kafka
kafka: PORT := $(if $(findstring environment,$(origin PORT)),$(PORT),9092)
kafka: environment ## Run a real Apache Kafka here, where Java and Maven are; PORT=9092 moves it, Ctrl-C stops it
	@PORT=$(PORT) exec $(VENV_PYTHON) -m apps.dev kafka

.PHONY: test
test: environment ## Run the fast tests on a throw-away PostgreSQL and Valkey; ARGS= goes to pytest
	@$(VENV_PYTHON) -m pytest -n 2 --dist loadfile -m "not faults and not kafka and not soak" $(ARGS)

.PHONY: test-faults
test-faults: environment ## Run all tests that really kill and wait
	@$(VENV_PYTHON) -m pytest -m "faults and not soak" $(FAULTS_IN) $(ARGS)

.PHONY: test-faults-short
test-faults-short: environment ## Run those of them that belong to every push: some 4 minutes
	@$(VENV_PYTHON) -m pytest -m "faults and short and not soak" $(FAULTS_IN) $(ARGS)

.PHONY: test-kafka
test-kafka: environment ## Run the tests on a real Kafka: KAFKA_BOOTSTRAP_SERVERS=, or a throw-away one where Java and Maven are
	@lacking=; [ -n "$$KAFKA_BOOTSTRAP_SERVERS" ] || lacking=$$($(VENV_PYTHON) -m apps.dev.embedded.kafka_jars); \
	if [ -n "$$lacking" ]; then echo "Not run. $$lacking"; else $(VENV_PYTHON) -m pytest -m "kafka and not soak" $(KAFKA_IN) $(ARGS); fi

.PHONY: soak
soak: environment ## Break everything again and again; SECONDS=600 is for how long, SEED= repeats a schedule
	@FAULTS_SECONDS=$(SECONDS) FAULTS_SEED=$(SEED) $(VENV_PYTHON) -m pytest -m soak -s $(SOAK_IN) $(ARGS)

.PHONY: tour
tour: environment ## Follow one task through a throw-away stack, hop by hop
	@$(VENV_PYTHON) -m apps.dev tour

.PHONY: bench
bench: environment ## Measure on a throw-away stack, mock and real Kafka; writes docs/benchmarks.md (ARGS='--kafka mock --only backlog')
	@$(VENV_PYTHON) -m benchmarks $(ARGS)

.PHONY: lint
lint: environment ## Check style and formatting
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .

.PHONY: format
format: environment ## Put the code into its form
	@$(VENV_PYTHON) -m ruff check --fix .
	@$(VENV_PYTHON) -m ruff format .

.PHONY: types
types: environment ## Check types
	@$(OFFLINE) $(VENV_PYTHON) -m mypy

.PHONY: contracts
contracts: environment ## Check who may import whom
	@$(OFFLINE) $(VENV_PYTHON) .venv/bin/lint-imports

.PHONY: schema
schema: environment ## Check that the OpenAPI document has no warnings
	@$(OFFLINE) $(VENV_PYTHON) manage.py spectacular --validate --fail-on-warn --file /dev/null

.PHONY: migrations-check
migrations-check: environment ## Check that no migration is missing
	@$(OFFLINE) $(VENV_PYTHON) -W "ignore:Got an error checking a consistent migration history:RuntimeWarning" \
		manage.py makemigrations --check --dry-run

.PHONY: deploy-check
deploy-check: environment ## Check the settings of a server
	@$(SERVER) $(VENV_PYTHON) manage.py check --deploy --fail-level WARNING

.PHONY: lock
lock: environment ## Lock requirements*.in anew
	@for name in requirements requirements-dev; do \
		$(VENV_PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt || exit 1; \
	done

.PHONY: clean
clean: ## Remove caches and logs; data and .venv stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .dev/logs
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
