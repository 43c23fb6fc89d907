# `make` alone prints what there is. Every target makes the virtual environment it needs.

BIN := .venv/bin
PYTHON_CODE := manage.py portal consents downstream requests_app clients tests
# Everyday tests run side by side; these start processes, browsers and faults of their own, one after another.
ALONE := journey or browser or fault or slow
# On a server of your own they share its oldest transaction, which holds back the log, so they take turns there.
JOBS ?= $(if $(DATABASE_URL),0,2)
EVERYDAY := PYTEST_PLUGINS=tests.engines_apart $(BIN)/python -m pytest -n $(JOBS) -m "not ($(ALONE))"
say = @printf '\n== %s\n'

# Web, worker and beat are started by name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test lint format types layers checks unit browser journeys coverage bench stop clean reset

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: .venv/.installed ## make the virtual environment with the pinned packages

.venv/.installed: requirements.txt .ci/venv
	@.ci/venv
	@touch $@

demo: .venv/.installed ## run the sample network; ONCE=1 drives one opt-out through it and ends; PORT=8000
	$(say) "starting PostgreSQL and Redis and bringing the database up to date"
	@$(BIN)/python manage.py demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT),--port $(PORT))

test: lint types layers checks unit journeys ## run everything that CI runs

lint: .venv/.installed ## check format and lint
	$(say) "ruff: format"
	@$(BIN)/ruff format --check $(PYTHON_CODE)
	$(say) "ruff: lint"
	@$(BIN)/ruff check $(PYTHON_CODE)

format: .venv/.installed ## bring the code into shape
	@$(BIN)/ruff format $(PYTHON_CODE)
	@$(BIN)/ruff check --fix $(PYTHON_CODE)

types: .venv/.installed ## check types, strictly
	$(say) "mypy: types (up to two minutes the first time)"
	@$(BIN)/mypy

layers: .venv/.installed ## check which module imports which
	$(say) "import-linter: which module may import which"
	@$(BIN)/lint-imports

checks: .venv/.installed ## check settings, models and migrations
	$(say) "Django: every model change has its migration (starts PostgreSQL)"
	@$(BIN)/python manage.py makemigrations --check --dry-run
	$(say) "Django: system checks"
	@$(BIN)/python manage.py check

unit: .venv/.installed ## run the everyday tests, JOBS=2 at a time
	$(say) "pytest: everyday tests, $(JOBS) processes (starts PostgreSQL and Redis, makes test databases)"
	@$(EVERYDAY)

browser: .venv/.installed ## find a Chromium for the tests, or install one
	$(say) "looking for a Chromium"
	@.ci/browser

journeys: .venv/.installed ## run the tests with real processes, browsers and faults, one after another
	$(say) "looking for a Chromium for the browser tests"
	@.ci/browser >.venv/.chromium
	$(say) "looking for a Java for the tests of Apache Spark"
	@.ci/java >.venv/.java
	$(say) "looking for a ClamAV for the tests of the virus scanner"
	@.ci/clamd >.venv/.clamd
	$(say) "pytest: journeys, browser and faults, one at a time (several minutes)"
	@export HEED_CHROMIUM="$$(cat .venv/.chromium)" HEED_CLAMD="$$(cat .venv/.clamd)"; java="$$(cat .venv/.java)"; \
		if [ -n "$$java" ]; then export JAVA_HOME="$$java"; fi; $(BIN)/pytest -m "$(ALONE)"

bench: .venv/.installed ## measure, with a floor in the same run; ONLY=name, FULL=1 for full size, RECORD=1 to keep
	@$(BIN)/python -m tests.load

coverage: .venv/.installed ## run the everyday tests and report which branches they reach
	@$(EVERYDAY) --cov --cov-branch --cov-report=term:skip-covered

stop: .venv/.installed ## stop the embedded PostgreSQL and Redis, whoever uses them
	@$(BIN)/python -m portal.embedded stop

clean: ## remove caches and reports
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find $(PYTHON_CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

reset: stop clean ## also delete the demo's database and files (.heed) and the virtual environment
	@rm -rf .heed .venv
