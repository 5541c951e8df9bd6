# make run | test | quick | lab | bench | clean. Each target sets up .venv by itself, once.
#
#   make run
#   make run PRESET=voc DATA_ROOT=VOC2007 RUN_DIR=runs/mine SET='seed=1 cycles=3'

# What may be given on the command line; anything else would be ignored without a word.
SETTINGS := PRESET DATA_ROOT RUN_DIR CYCLE SET PYTHON
UNKNOWN := $(filter-out $(SETTINGS),$(foreach name,$(.VARIABLES),\
    $(if $(filter command,$(firstword $(origin $(name)))),$(name))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown: $(UNKNOWN); give some of $(SETTINGS))
endif

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(firstword $(foreach name,$(CANDIDATES),$(shell \
    $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

.PHONY: run test quick lab bench clean browser

# Executes the notebooks 01 to 06 into the run folder; says so when that is done already.
run: $(READY)
	$(BIN)/miaod notebooks $(if $(PRESET),--preset '$(PRESET)') \
	    $(if $(DATA_ROOT),--data-root '$(DATA_ROOT)') $(if $(RUN_DIR),--run-dir '$(RUN_DIR)') \
	    $(if $(CYCLE),--parameter 'cycle=$(CYCLE)') \
	    $(foreach setting,$(SET),--set '$(setting)')

# The notebooks by hand, in a browser: copies in the run folder.
lab: $(READY)
	$(BIN)/miaod lab $(if $(RUN_DIR),'$(RUN_DIR)') $(if $(PRESET),--preset '$(PRESET)') \
	    $(if $(DATA_ROOT),--data-root '$(DATA_ROOT)') $(foreach setting,$(SET),--set '$(setting)')

# How fast this machine is, against torchvision, and what a run will take: minutes.
bench: $(READY)
	$(BIN)/miaod bench $(if $(PRESET),--preset '$(PRESET)') \
	    $(foreach setting,$(SET),--set '$(setting)')

# Everything that continuous integration runs. Pages one after the other, for they wait for pictures;
# of the others a file at a time in two processes. Status 5: no test carries the mark.
test: quick browser
	$(BIN)/python -m pytest -m slow tests/browser || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile --ignore tests/browser || [ $$? -eq 5 ]

# Chromium, in which the tests use the interactive views: installed if that is possible here, else
# these tests say how.
browser:
	@for name in chromium chromium-browser google-chrome; do \
	    if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update && apt-get install -y --no-install-recommends chromium || true; fi

# One thread a worker: two workers with a thread a core each would slow each other down.
quick: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n 2

# Results (runs/) and data sets (data/) are kept.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@[ -n '$(PYTHON)' ] || { \
	    echo 'Python 3.11 or newer is needed: install it, or name it: make PYTHON=/path/to/python3'; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo '$(PYTHON) is older than Python 3.11 or cannot be run'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '$(PYTHON) lacks venv: install it (Debian and Ubuntu: apt install python3-venv)'; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[notebook,test]'
	@touch $(READY)
