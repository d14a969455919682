# make demo | paper | figure | compare | test; each sets up what it needs in .venv first.
PYTHON ?= python3
LIBRARIES ?= pickles1998 miles

VENV := .venv
READY := $(VENV)/ready
TORCH = $(shell grep '^torch==' envs/requirements.txt)
TORCH_CPU := https://download.pytorch.org/whl/cpu
COMMAND := $(VENV)/bin/python -I workflow/scripts/front_door.py
# The settings reach the command as variables of the shell, which reads nothing in them.
export LIBRARY LIBRARIES LIBRARY_PATH N_COMPONENTS SMOOTHNESS METRIC REFERENCE PROFILE CORES
option = $${$(1):+--$(2) "$$$(1)"}
OF_LIBRARY = $(call option,LIBRARY,library)
OF_RUN = $(OF_LIBRARY) $(call option,LIBRARY_PATH,library-path) $(call option,METRIC,metric) \
  $(call option,N_COMPONENTS,n-components) $(call option,SMOOTHNESS,smoothness) \
  $(call option,CORES,cores) $(call option,PROFILE,profile)

.PHONY: demo paper figure report scan slurm browser addresses validate verify reference compare test faults lint benchmark clean help

help:
	@echo "make demo    the analysis on real observed stars (Pickles 1998, MUSCLES)"
	@echo "make paper   the paper's, on Coelho (2014); LIBRARY_PATH=<file or folder> for your own copy"
	@echo "make figure LIBRARY=miles     that of any library in config/libraries"
	@echo "make report LIBRARY=miles     one page with figure, pictures, methods and an interactive view"
	@echo "make scan LIBRARY=miles       over numbers of components, smoothness and starts"
	@echo "make validate LIBRARY=miles   what a library holds, and whether its entry fits it"
	@echo "make verify LIBRARY=miles     that results are what their manifest says; REFERENCE=<other run>"
	@echo "make compare LIBRARIES='pickles1998 miles'   components of several libraries side by side"
	@echo "make test    the tests"
	@echo "make faults  the whole table of faults"
	@echo "make browser the report's pages in Chromium"
	@echo "make slurm   the scan on a Slurm of one node, as root on Debian"
	@echo "make addresses   do the libraries' addresses serve the same bytes?"
	@echo "make benchmark   time to optimality, beside other packages"

demo: override LIBRARY := pickles1998
paper: override LIBRARY := coelho2014
demo paper: figure

figure report scan validate: $(READY)
	@$(COMMAND) $@ $(OF_RUN)

compare: $(READY)
	@set -f; $(COMMAND) compare --libraries $$LIBRARIES $(OF_RUN)

# Of the library that was made last, unless LIBRARY names another.
verify: $(READY)
	@$(COMMAND) verify $(OF_LIBRARY) $(call option,REFERENCE,reference)

# Do the libraries' addresses still serve the same bytes?
addresses: $(READY)
	$(VENV)/bin/python workflow/scripts/addresses.py config/libraries/*.yaml

# The numbers and the figure that others compare theirs with, of a run just made and verified.
REFERENCE_FILES := manifest.json summary.json nmf_fit.json pca_fit.json figure.png selection.ecsv \
  nmf_components.ecsv nmf_weights.ecsv distances.ecsv assignments.ecsv
reference: figure verify
	mkdir -p "tests/reference/$$LIBRARY"
	cd "results/$$LIBRARY" && cp $(REFERENCE_FILES) "$(CURDIR)/tests/reference/$$LIBRARY"

test: lint
	$(VENV)/bin/pytest -m "not slow" --numprocesses 2 --dist worksteal

# The whole table of faults, and KILLS runs that are killed once each.
KILLS ?= 10
faults: $(READY)
	KILLS=$(KILLS) $(VENV)/bin/pytest tests/faults

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
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

# On the paper's spectra where `make paper` has run, else on the demo's.
benchmark: demo
	$(VENV)/bin/pip install --quiet --no-deps --requirement envs/benchmark.txt
	PYTHONPATH=workflow/scripts $(VENV)/bin/python tests/benchmark/benchmark.py \
	  $(firstword $(wildcard results/coelho2014/spectra.fits) results/pickles1998/spectra.fits)

clean:
	rm -rf $(VENV) .snakemake $(filter-out results/README.md,$(wildcard results/*))

# torch first, as its CPU build: the package index's own build for Linux brings gigabytes of CUDA.
$(READY): envs/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --no-deps --retries 1 --timeout 15 --index-url $(TORCH_CPU) $(TORCH) \
	  || { echo "$(TORCH_CPU) is out of reach: $(TORCH) comes from the package index"; \
	       $(VENV)/bin/pip install --quiet $(TORCH); }
	$(VENV)/bin/pip install --quiet --requirement envs/requirements.txt
	touch $@
