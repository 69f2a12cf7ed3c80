# Two commands are enough: `make demo` shows devdns at work, `make test` checks all of it. Written for make 3.81 (macOS) too.
SHELL := /bin/sh
VENV := .venv
PYTHON_BIN := $(VENV)/bin/python
PIP := $(PYTHON_BIN) -m pip --disable-pip-version-check --quiet
PYTEST := $(PYTHON_BIN) -m pytest
PACKAGES := devdns resolver proxy bench study tests
LOCK := tests/parts/constraints.txt

.NOTPARALLEL:
.PHONY: help demo test evidence lint types unit e2e parts lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/run.stamp ## names instead of ports, on bundled sample services, until Ctrl-C
	@$(VENV)/bin/devdns demo $(DEMO_FLAGS)

test: parts lint types unit e2e ## lint, types and every test; installs what they need first

evidence: parts ## the long versions: full repetitions, cost measurements, soaks, a bare machine
	@$(PIP) install --constraint $(LOCK) --group evidence
	@sh .ci/packages $$(sed -e 's/[ #].*//' tests/parts/packages_evidence.txt)
	@sh .ci/sslyze
	@$(PYTEST) -m evidence -s tests
	@$(PYTHON_BIN) -m devdns_bench.dns_cost
	@$(PYTHON_BIN) -m devdns_bench.dns_latency
	@$(PYTHON_BIN) -m devdns_bench.http_cost
	@$(PYTHON_BIN) -m devdns_bench.h2_cost
	@$(PYTHON_BIN) -m devdns_bench.relay_cost

lint: $(VENV)/test.stamp ## style only
	@$(VENV)/bin/ruff check --quiet $(PACKAGES)
	@$(VENV)/bin/ruff format --quiet --check $(PACKAGES)
	@echo "lint: clean"

types: $(VENV)/test.stamp
	@$(VENV)/bin/mypy --no-error-summary
	@echo "types: clean"

unit: $(VENV)/test.stamp
	@$(PYTEST) -q -n 2 tests/unit tests/contract

# Tests in rooms of their own, which need no port or engine of this machine's, run beside the others.
APART = $(addprefix tests/e2e/,bare_root bench compose doctor mdns podman study system trust)

e2e: $(VENV)/test.stamp
	@mkdir -p .cache; $(PYTEST) -q $(APART) >.cache/apart.log 2>&1 & apart=$$!; \
	$(PYTEST) -q $(addprefix --ignore=,$(APART)) tests/e2e; rest=$$?; \
	wait $$apart; beside=$$?; cat .cache/apart.log; exit $$((rest ? rest : beside))

# Foreign programs for the tests; where they cannot be had the tests skip, which under CI=true is a failure.
parts: $(VENV)/test.stamp
	@sh .ci/packages $$(sed -e 's/[ #].*//' tests/parts/packages.txt)
	@sh .ci/node

$(VENV)/run.stamp: pyproject.toml $(LOCK)
	@python=$$(sh .ci/python) && { $(PYTHON_BIN) -c '' 2>/dev/null || \
		{ echo "making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV); }; }
	@echo "installing devdns and its libraries into $(VENV)"
	@$(PIP) install --constraint $(LOCK) --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) install --constraint $(LOCK) pip
	@$(PIP) install --constraint $(LOCK) --group test
	@touch $@

# The exact versions that everybody gets: what the newest allowed ones are today.
lock:
	@rm -rf .cache/lock && python=$$(sh .ci/python) && "$$python" -m venv .cache/lock
	@.cache/lock/bin/python -m pip --quiet install --upgrade pip
	@.cache/lock/bin/python -m pip --quiet install --editable . --group test --group node
	@{ echo "# Exact versions for make demo and make test; made anew by make lock."; \
		.cache/lock/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; } >$(LOCK)
	@rm -rf .cache/lock

clean: ## removes what was built and installed here
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
