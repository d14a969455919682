# make demo | paper | figure | compare | test; each sets up what it needs in .venv first.
.NOTPARALLEL:
PYTHON ?= python3

# What a user may set, as words of the command line: `make figure LIBRARY=miles`. Taken as it is,
# with nothing in it run; not from the environment, where such names have other meanings.
SETTINGS := LIBRARY LIBRARIES LIBRARY_PATH N_COMPONENTS SMOOTHNESS METRIC REFERENCE PROFILE CORES
OTHERS := PYTHON VENV KILLS UPGRADE MAKEFLAGS
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v)))
ifneq ($(filter-out $(SETTINGS) $(OTHERS),$(GIVEN)),)
$(error $(filter-out $(SETTINGS) $(OTHERS),$(GIVEN)): no such setting; there are $(SETTINGS))
endif
$(foreach v,$(filter-out $(GIVEN),$(SETTINGS)),$(eval $(v) :=))
$(foreach v,$(filter $(GIVEN),$(SETTINGS)),$(eval override $(v) := $$(value $(v))))
ifeq ($(LIBRARIES),)
LIBRARIES := pickles1998 miles
endif

VENV := .venv
READY := $(VENV)/ready
COMMAND := $(VENV)/bin/python -I -m spectralunmix.cli
# The settings reach the command as variables of the shell, which reads nothing in them.
export $(SETTINGS)
option = $${$(1):+--$(2) "$$$(1)"}
OF_LIBRARY = $(call option,LIBRARY,library)
OF_RUN = $(OF_LIBRARY) $(call option,LIBRARY_PATH,library-path) $(call option,METRIC,metric) \
  $(call option,N_COMPONENTS,n-components) $(call option,SMOOTHNESS,smoothness) \
  $(call option,CORES,cores) $(call option,PROFILE,profile)

.PHONY: demo paper figure report scan slurm browser addresses validate verify reference compare test test-slow test-all faults keys lint lock benchmark clean help FORCE

help:
	@echo "make demo    the analysis on real observed stars (Pickles 1998, MUSCLES)"
	@echo "make paper   the paper's, on Coelho (2014); LIBRARY_PATH=<file or folder> for your own copy"
	@echo "make figure LIBRARY=miles     that of any library in config/libraries; N_COMPONENTS=5"
	@echo "                              SMOOTHNESS=100 METRIC=angle CORES=2 as you like"
	@echo "make report LIBRARY=miles     one page with figure, pictures, methods and an interactive view"
	@echo "make scan LIBRARY=miles       over numbers of components, smoothness and starts"
	@echo "make validate LIBRARY=miles   what a library holds, and whether its entry fits it"
	@echo "make verify  that the results made last are what their manifest says; REFERENCE=<other run>"
	@echo "make compare LIBRARIES='pickles1998 miles'   components of several libraries side by side"
	@echo "make test    the tests, in five minutes; make test-all: all of them"
	@echo "make faults  the whole table of faults"
	@echo "make browser the report's pages in Chromium"
	@echo "make slurm   the scan on a Slurm of one node, as root on Debian"
	@echo "make addresses   do the libraries' addresses serve the same bytes?"
	@echo "make benchmark   time to optimality, beside other packages"

demo: override LIBRARY := pickles1998
paper: override LIBRARY := coelho2014
demo paper: $(READY)
	@$(COMMAND) figure $(OF_RUN)

figure report scan validate: $(READY)
	@$(COMMAND) $@ $(OF_RUN)

compare: $(READY)
	@set -f; $(COMMAND) compare --libraries $$LIBRARIES $(OF_RUN)

# Of the library that was made last, unless LIBRARY names another.
verify: $(READY)
	@$(COMMAND) verify $(OF_LIBRARY) $(call option,REFERENCE,reference)

# Do the libraries' addresses still serve the same bytes?
addresses: $(READY)
	$(COMMAND) addresses config/libraries/*.yaml

# The numbers and the figure that others compare theirs with, of a run just made and verified.
REFERENCE_FILES := manifest.json summary.json nmf_fit.json pca_fit.json figure.png selection.ecsv \
  nmf_components.ecsv nmf_weights.ecsv distances.ecsv assignments.ecsv
reference: figure verify
	mkdir -p "tests/reference/$$LIBRARY"
	cd "results/$$LIBRARY" && cp $(REFERENCE_FILES) "$(CURDIR)/tests/reference/$$LIBRARY"

# One thread a process: the same numbers on every machine, and no contention.
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/pytest --numprocesses 2 --dist worksteal

test: lint
	$(PYTEST) -m "not slow"

# What `make test` leaves out: every command of the pages, every row of the table of faults ...
test-slow: $(READY)
	$(PYTEST) -m slow

test-all: test test-slow

# Among them KILLS runs that are killed once each.
KILLS ?= 10
faults: $(READY)
	KILLS='$(KILLS)' $(VENV)/bin/pytest tests/faults

# The report's pages in Chromium or Chrome, which has to be there.
browser: $(READY)
	$(VENV)/bin/pip install --quiet --requirement envs/browser.txt
	$(VENV)/bin/pytest tests/workflow/test_report.py

# On a Slurm of one node that the tests install, configure and start.
slurm: $(READY)
	$(VENV)/bin/pip install --quiet --no-deps --requirement envs/slurm.txt
	$(VENV)/bin/pytest tests/slurm

lint: $(READY)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

# On the paper's spectra where `make paper` has run, else on the demo's.
benchmark: demo
	$(VENV)/bin/pip install --quiet --no-deps --requirement envs/benchmark.txt
	$(VENV)/bin/python tests/benchmark/benchmark.py \
	  $(firstword $(wildcard results/coelho2014/spectra.fits) results/pickles1998/spectra.fits)

clean:
	rm -rf $(VENV) .snakemake $(filter-out results/README.md,$(wildcard results/*))

# The tables of keys in the pages of config/, and the JSON schemas for editors, from the models.
keys: $(READY)
	$(VENV)/bin/python -m spectralunmix.pages_of_keys

# New versions with UPGRADE=--upgrade; needs the package index.
lock: $(READY)
	$(VENV)/bin/python -I -m pip install --quiet uv
	$(VENV)/bin/python envs/lock.py $(UPGRADE)

# It sees for itself whether there is anything to do, and does it from scratch.
$(READY): FORCE
	@"$(PYTHON)" -I envs/set_up.py '$(VENV)'

FORCE:
