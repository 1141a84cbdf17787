# One word for each thing one does with a checkout. `make serve` and `make test` need Python ≥ 3.11 with venv, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve test check check-all torture audit bench headline format lock reference texts clean

serve: $(VENV)/ready            ## set everything up and serve on http://127.0.0.1:8000
	@$(BIN)/retinue up

test: $(VENV)/ready             ## set everything up and run the tests (under 10 minutes on two cores)
	@$(BIN)/pytest -n 2 --dist worksteal -m "not slow" -q

check: $(VENV)/ready            ## format, lint, types, walls between the rooms, reference pages
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/bandit --quiet --severity-level high --recursive src
	@$(BIN)/python -m docs.reference --check

check-all: $(VENV)/ready        ## the slow tier: real servers, real exporters, chaos (under 60 minutes)
	@$(BIN)/pytest -m slow -q

torture: $(VENV)/ready          ## the figures of a release: every file at every door, every fault; writes docs/reliability.md
	@RETINUE_TORTURE_PASSES=$${RETINUE_TORTURE_PASSES:-3} RETINUE_TORTURE_EVERY=$${RETINUE_TORTURE_EVERY:-1} \
	  RETINUE_TORTURE_LOAD_SECONDS=$${RETINUE_TORTURE_LOAD_SECONDS:-60} RETINUE_TORTURE_RESTARTS=$${RETINUE_TORTURE_RESTARTS:-20} \
	  RETINUE_CHAOS_SECONDS=$${RETINUE_CHAOS_SECONDS:-600} RETINUE_WEBHOOK_MESSAGES=$${RETINUE_WEBHOOK_MESSAGES:-300} \
	  RETINUE_SCHEMA_EXAMPLES=$${RETINUE_SCHEMA_EXAMPLES:-20} RETINUE_SCHEMA_SEEDS=$${RETINUE_SCHEMA_SEEDS:-3} \
	  $(BIN)/python -m tests.torture.reliability

audit: $(VENV)/ready            ## known weaknesses in what we stand on, and the bill of materials; asks the network
	@$(BIN)/python -m docs.materials dist/sbom.cdx.json
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

bench: $(VENV)/ready            ## every speed question, as a ratio to the bare loop of the same run
	@$(BIN)/python -m bench

headline: $(VENV)/ready         ## ten people for thirty seconds, by Locust; writes the table of deploy/load/README.md
	@$(BIN)/python -m bench.headline

format: $(VENV)/ready
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

reference: $(VENV)/ready        ## write docs/reference and docs/openapi.json anew from the code
	@$(BIN)/python -m docs.reference

texts: $(VENV)/ready            ## gather the marked texts of the pages into every catalogue; what is new waits for a translator
	@$(BIN)/pybabel --quiet extract --mapping-file src/retinue/web/locale/babel.cfg --keyword t --keyword text --add-location file \
	  --no-wrap --sort-by-file --project Retinue --version "" --copyright-holder "" --msgid-bugs-address "" --output-file build/texts.pot src/retinue/web
	@for file in src/retinue/web/locale/*.po; do \
	  $(BIN)/pybabel --quiet update --input-file build/texts.pot --output-file $$file --locale $$(basename $$file .po) \
	    --no-fuzzy-matching --ignore-obsolete --no-wrap --ignore-pot-creation-date; done

lock: $(VENV)/ready             ## resolve the newest set anew; run everything before committing it
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --upgrade \
	  --extra server --extra postgres --extra redis --extra rabbitmq --extra hub --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .venv-*

$(VENV)/ready: requirements.lock pyproject.toml
	@command -v git >/dev/null || { echo "git is missing. On Debian: sudo apt install git"; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing. On Debian: sudo apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "venv is missing. On Debian: sudo apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV): one or two minutes the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
