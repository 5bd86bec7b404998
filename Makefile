# The two to know: `make run` and `make test`. Both set up first what is missing on Debian or Ubuntu.
REPO = examples/virtio
ARGS =
JOBS = 2

PYTHON = .venv/bin/python
PYTEST = $(PYTHON) -m pytest
REPORTS = report.html report.xml

help:
	@echo 'make run     prove in three virtual machines that the example driver moves packets'
	@echo '             REPO=URL|OWNER/NAME|FOLDER takes another repository, ARGS=… more options of pytest'
	@echo 'make test    the whole suite: lint, types, unit tests, and those with real machines and a real OpenStack'
	@echo
	@echo 'make lint    ruff: rules and format        make type   mypy, strict'
	@echo 'make unit    tests without machines        make lab    tests with machines (slow)'
	@echo 'make cloud   tests with an OpenStack on this machine (slow to start)'
	@echo 'make setup   what test needs: packages (apt, as root or with sudo) and .venv'
	@echo 'make lock    write requirements.lock anew from pyproject.toml (needs uv)'
	@echo 'make clean   remove what the others made here, but not the machine image in your cache'

run:
	@scripts/setup run
	@rm -f $(REPORTS)
	@$(PYTEST) --ixy-repo='$(REPO)' -v --html=report.html --self-contained-html --junitxml=report.xml $(ARGS); \
	status=$$?; \
	for file in $(REPORTS); do [ ! -e $$file ] || echo "$$PWD/$$file"; done; \
	exit $$status

setup:
	@scripts/setup test

setup-cloud:
	@scripts/setup cloud

# Cheap parts come first. All run even when one fails, and pytest has the last word.
test: setup-cloud
	@failed=; \
	$(MAKE) --no-print-directory run-lint || failed=lint; \
	$(MAKE) --no-print-directory run-type || failed="$$failed type"; \
	[ -z "$$failed" ] || echo "FAILED: $$failed (see above); going on with the tests"; \
	$(PYTEST) tests/unit tests/plugin tests/oracle tests/lab tests/cloud $(ARGS) && [ -z "$$failed" ]

lint: setup run-lint
type: setup run-type

run-lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

run-type:
	$(PYTHON) -m mypy

unit: setup
	$(PYTEST) -n $(JOBS) tests/unit tests/plugin tests/oracle $(ARGS)

# One after the other: each boots three machines.
lab: setup
	$(PYTEST) tests/lab $(ARGS)

cloud: setup-cloud
	$(PYTEST) tests/cloud $(ARGS)

lock:
	scripts/lock $(ARGS)

clean:
	rm -rf .venv .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist ixy-artifacts $(REPORTS)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	$(MAKE) --no-print-directory -C examples/virtio clean

.PHONY: help run setup setup-cloud test lint type run-lint run-type unit lab cloud lock clean
