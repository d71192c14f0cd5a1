# make help lists the targets. PYTHON=/path/to/python3 chooses the interpreter of .venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := $(CURDIR)/.venv
# Bytecode is kept for all that follows, and nothing of it beside the sources.
RUN := PATH="$(VENV)/bin:$$PATH" PYTHONPYCACHEPREFIX="$(CURDIR)/build/pycache"
export PYTHON

# Arguments for one run, e.g. make unit ARGS="-k snapshot", make lab-break FAULT=module_hung,
# make cases CASES=../others.
ARGS ?=
FAULT ?=
CASES ?=

.PHONY: help
help:  ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- The two commands -------------------------------------------------------------------------

.PHONY: demo
demo: venv-demo  ## Start the lab, break two things in it, diagnose it, repair it
	@tools/demo

.PHONY: test
test: venv  ## Run all stages below; one verdict
	@$(RUN) python tools/stages.py unit cases doctor integration hostile + \
		lint types sanity matrix molecule

# -- Stages of make test, each usable alone ---------------------------------------------------

.PHONY: lint
lint: venv  ## ruff, yamllint, workflows, ansible-lint (production), changelog, generated files, what Galaxy reads
	$(RUN) ruff check .
	$(RUN) yamllint --strict .
	$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN) PYTHONPATH="$(CURDIR)/tests/compiled" ANSIBLE_COLLECTIONS_PATH=playbooks/collections \
		ansible-lint --offline --profile production --strict $(ARGS)
	$(RUN) antsibull-changelog lint
	$(RUN) python tools/generated.py --check
	$(RUN) codespell
	$(RUN) python tools/prose.py
	$(RUN) python tools/publishable.py

.PHONY: types
types: venv  ## mypy --strict on the controller, the target, the command, the tools and the lab
	$(RUN) mypy $(ARGS)

.PHONY: unit
unit: venv  ## Unit tests
	@tools/browser
	@tools/monitoring
	$(RUN) pytest tests/unit -n 2 --junitxml=build/junit/unit.xml $(ARGS)

.PHONY: cases
cases: venv  ## Published cases (tests/cases): what a server shows, what must be said; CASES=FOLDER for others
	@$(RUN) PYTHONPATH=playbooks/collections:lab:tests:tools python -m cases \
		--junitxml build/junit/cases.xml $(ARGS) $(if $(CASES),"$(abspath $(CASES))")

.PHONY: sanity
sanity: venv  ## ansible-test sanity on the built collection
	$(RUN) python tools/sanity.py $(ARGS)

.PHONY: doctor
doctor: venv  ## campaign-doctor: every command, exit code and interruption, against labs of their own
	$(RUN) pytest tests/doctor -n 3 --junitxml=build/junit/doctor.xml $(ARGS)

.PHONY: integration
integration: venv  ## Playbooks, installed collection and every fault, against labs of their own
	@tools/services
	$(RUN) pytest tests/integration -n 3 --junitxml=build/junit/integration.xml $(ARGS)

.PHONY: hostile
hostile: venv  ## As root: an account that attacks root's runs, one row each (docs/developer/security.md)
	$(RUN) pytest tests/hostile -n 3 --junitxml=build/junit/hostile.xml $(ARGS)

.PHONY: matrix
matrix: venv  ## Every Python on targets, every ansible-core that is supported
	$(RUN) pytest tests/matrix --junitxml=build/junit/matrix.xml $(ARGS)

.PHONY: molecule
molecule: venv  ## Real hosts with systemd and SSH (podman, as root): make molecule ARGS=default
	@$(RUN) python tools/scenarios.py $(ARGS)

# -- Beside make test -------------------------------------------------------------------------

.PHONY: nightly
nightly: venv  ## integration with every row of the fault matrix in full, dealt to the fleets anew; matrix with all units; sanity on every Python
	@$(RUN) python tools/stages.py integration-nightly + matrix-nightly sanity-nightly

.PHONY: integration-nightly matrix-nightly sanity-nightly
integration-nightly: venv
	$(RUN) pytest tests/integration tests/unit/report/test_page_fleet.py --nightly -n 3 --junitxml=build/junit/integration-nightly.xml $(ARGS)
matrix-nightly: venv
	$(RUN) pytest tests/matrix --nightly --junitxml=build/junit/matrix-nightly.xml $(ARGS)
sanity-nightly: venv
	$(RUN) python tools/sanity.py --every-python $(ARGS)

.PHONY: benchmark
benchmark: venv  ## Measure diagnose.yml on 50 lab servers (docs/developer/benchmark.md)
	$(RUN) python tests/benchmark/benchmark.py $(ARGS)

.PHONY: benchmark-page
benchmark-page: venv  ## Measure the report's page of 500 hosts in Chromium (docs/developer/benchmark.md)
	$(RUN) python tests/benchmark/page.py $(ARGS)

.PHONY: build
build: venv-demo  ## Build the collection's archive into build/
	$(RUN) ansible-galaxy collection build --force --output-path build

.PHONY: dist
dist: venv-demo  ## Build what is installed: campaign-doctor's wheel, and the collection's archive, into build/dist
	@$(RUN) tools/dist

.PHONY: generated
generated: venv  ## Write everything that is generated and committed; ARGS=--check only looks
	$(RUN) python tools/generated.py $(ARGS)

.PHONY: changelog
changelog: venv  ## Write CHANGELOG.rst from changelogs/fragments
	$(RUN) antsibull-changelog release --update-existing $(ARGS)

.PHONY: venv
venv:  ## Make .venv with everything that development needs
	@tools/venv dev

.PHONY: venv-demo
venv-demo:
	@tools/venv demo

# -- The lab ----------------------------------------------------------------------------------

.PHONY: lab-up lab-down lab-status lab-faults lab-break lab-heal
lab-up: venv-demo  ## Start the lab
	@$(RUN) lab/labctl up $(ARGS)
lab-down:  ## Stop the lab and remove what it made
	@$(RUN) lab/labctl down --purge $(ARGS)
lab-status:  ## Show what runs in the lab
	@$(RUN) lab/labctl status $(ARGS)
lab-faults:  ## List the faults that the lab knows
	@$(RUN) lab/labctl faults $(ARGS)
lab-break:  ## Break something: make lab-break FAULT=module_hung
	@$(RUN) lab/labctl break $(FAULT) $(ARGS)
lab-heal:  ## Undo the faults
	@$(RUN) lab/labctl heal $(FAULT) $(ARGS)

.PHONY: clean
clean:  ## Stop the lab; remove .venv, caches, reports and builds
	@if [ -d build/molecule ] && [ -d .venv ]; then $(RUN) python tools/hosts.py clean || true; fi
	@$(RUN) lab/labctl down --purge || true
	rm -rf .venv .venv.lock .lab .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache build tests/output campaign-report
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
