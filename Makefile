# make demo | paper | figure | compare | test; each sets up what it needs in .venv first.
.NOTPARALLEL:
PYTHON ?= python3

# What a user may set, as words of the command line: `make figure LIBRARY=miles`. Taken as it is,
# with nothing in it run; not from the environment, where such names have other meanings.
SETTINGS := LIBRARY LIBRARIES LIBRARY_PATH CUBE CUBE_PATH N_COMPONENTS SMOOTHNESS METRIC REFERENCE PROFILE CORES
OTHERS := PYTHON VENV KILLS UPGRADE BEFORE MAKEFLAGS
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v)))
ifneq ($(filter-out $(SETTINGS) $(OTHERS),$(GIVEN)),)
$(error $(filter-out $(SETTINGS) $(OTHERS),$(GIVEN)): no such setting; there are $(SETTINGS))
endif
$(foreach v,$(filter-out $(GIVEN),$(SETTINGS)),$(eval $(v) :=))
$(foreach v,$(filter $(GIVEN),$(SETTINGS) KILLS BEFORE),$(eval override $(v) := $$(value $(v))))
ifeq ($(LIBRARIES),)
LIBRARIES := pickles1998 miles
endif

VENV := .venv
READY := $(VENV)/ready
COMMAND := $(VENV)/bin/python -I -m spectralunmix.cli
# The settings reach the command as variables of the shell, which reads nothing in them.
export $(SETTINGS)
option = $${$(1):+--$(2)="$$$(1)"}
OF_LIBRARY = $(call option,LIBRARY,library)
OF_CUBE = $(call option,CUBE,cube) $(call option,CUBE_PATH,cube-path)
OF_RUN = $(OF_LIBRARY) $(call option,LIBRARY_PATH,library-path) $(call option,METRIC,metric) \
  $(call option,N_COMPONENTS,n-components) $(call option,SMOOTHNESS,smoothness) \
  $(call option,CORES,cores) $(call option,PROFILE,profile)

.PHONY: demo paper figure cube report scan choose slurm browser addresses validate verify reference compare test test-slow test-all faults keys lint lock benchmark synthetic largecube survey gpu docs gallery clean help FORCE

help:
	@echo "make demo        the analysis on real observed stars (Pickles 1998, MUSCLES)"
	@echo "make paper       the paper's, on Coelho (2014); your own copy of it with"
	@echo "                 LIBRARY_PATH=<file or folder>"
	@echo "make figure LIBRARY=miles     any library of config/libraries, the user's own too"
	@echo "make cube        component spectra and maps of a MUSE cube, or of your own with"
	@echo "                 CUBE=mine CUBE_PATH=<file or folder>; docs/workflow/cube_entries.md"
	@echo "make report LIBRARY=miles     figure, pictures, methods and tables on one page"
	@echo "make compare LIBRARIES='pickles1998 miles'   components of several libraries"
	@echo "                 these with N_COMPONENTS=5 SMOOTHNESS=100 METRIC=angle as you like"
	@echo "make scan LIBRARY=miles       other numbers of components, smoothnesses, starts"
	@echo "make choose LIBRARY=miles     how many components, and how smooth: held-out spectra"
	@echo "make validate LIBRARY=miles   what a library holds, and what of its entry is wrong"
	@echo "                 all of these with CORES=2, or PROFILE=profiles/slurm on a cluster"
	@echo "make verify      that the results made last are what their manifest says;"
	@echo "                 LIBRARY=miles or CUBE=mine, REFERENCE=<results of another run>"
	@echo "make addresses   do the libraries' addresses serve the same bytes?"
	@echo "make docs        the site, in docs/_build/html; gallery first: pictures of all libraries"
	@echo "make clean       remove the environment and all results"
	@echo
	@echo "make test        the tests, in less than half an hour; test-slow the rest, test-all both"
	@echo "make faults      the whole table of faults, with KILLS=10 runs that are killed"
	@echo "make browser     the report's pages in Chromium"
	@echo "make slurm       the scan on a Slurm of one node, as root on Debian"
	@echo "make benchmark   time to the lowest objective, beside other packages, and beside the"
	@echo "                 version of BEFORE=<commit>"
	@echo "make synthetic   the rule for the number of components and the bands, on made spectra"
	@echo "make largecube  time and memory of a cube of 300 x 300 spaxels and 3681 channels"
	@echo "make survey      what fits on Dask workers cost: time, memory, bytes"
	@echo "make gpu         the tests and measurements that need a CUDA device"
	@echo "make lint        style of code and rules"
	@echo "make keys        renew the tables of keys in docs/workflow and the JSON schemas"
	@echo "make lock        renew the lock file; newer versions with UPGRADE=--upgrade"
	@echo "make reference LIBRARY=pickles1998   keep a run as the reference of the tests"

demo: override LIBRARY := pickles1998
paper: override LIBRARY := coelho2014
demo paper: $(READY)
	@$(COMMAND) figure $(OF_CUBE) $(OF_RUN)

figure cube report scan choose validate: $(READY)
	@$(COMMAND) $@ $(OF_CUBE) $(OF_RUN)

compare: $(READY)
	@set -f; $(COMMAND) compare --libraries $$LIBRARIES $(OF_CUBE) $(OF_RUN)

# Of the library that was made last, unless LIBRARY names another.
verify: $(READY)
	@$(COMMAND) verify $(OF_LIBRARY) $(call option,CUBE,library) $(call option,REFERENCE,reference)

# Do the libraries' addresses still serve the same bytes?
addresses: $(READY)
	@$(COMMAND) addresses

# The numbers and the figure that others compare theirs with, of a run just made and verified.
REFERENCE_FILES := manifest.json summary.json nmf_fit.json pca_fit.json figure.png selection.ecsv \
  nmf_components.ecsv nmf_weights.ecsv distances.ecsv assignments.ecsv
reference: figure verify
	mkdir -p "tests/reference/$$LIBRARY"
	cd "results/$$LIBRARY" && cp $(REFERENCE_FILES) $$(ls choose.json 2>/dev/null) \
	  "$(CURDIR)/tests/reference/$$LIBRARY"

# One thread a process: the same numbers on every machine, and no contention. The tests of a file
# share what it makes, so that they stay with one process. Files keep their order: sorted by number of
# tests, as xdist would, a long file with few tests came last.
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST) -m "not slow and not gpu"

# What `make test` leaves out: every command of the pages, every row of the table of faults ...
test-slow: $(READY)
	$(PYTEST) -m "slow and not gpu"

test-all: test test-slow

# Among them KILLS runs that are killed once each.
KILLS ?= 10
export KILLS
faults: $(READY)
	$(PYTEST) tests/faults

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

# On the paper's spectra where `make paper` has run, whose numbers are kept for docs/benchmarks.md,
# else on the demo's. Beside another version of the package, by default the last one before fits
# were batched.
BEFORE ?= 16bdb4c
export BEFORE
OF_THE_PAPER := $(wildcard results/coelho2014/spectra.fits)
benchmark: demo
	$(VENV)/bin/pip install --quiet --no-deps --requirement envs/benchmark.txt
	$(VENV)/bin/python tests/benchmark/benchmark.py --before "$$BEFORE" \
	  $(if $(OF_THE_PAPER),--to docs/benchmark.json $(OF_THE_PAPER),results/pickles1998/spectra.fits)
	$(if $(OF_THE_PAPER),$(VENV)/bin/python tests/benchmark/benchmark_tables.py)

# The numbers of docs/choosing.md, on spectra whose components are known; 40 minutes.
synthetic: $(READY)
	$(VENV)/bin/python tests/validity/run.py

# Time and memory of a cube of 300 x 300 spaxels, made of the MUSE cube; five minutes, 8 GB of disk.
largecube: $(READY)
	$(VENV)/bin/python tests/benchmark/large_cube.py

# Time, memory and bytes of fits of 4 GB on Dask workers, beside those in memory; ten minutes.
survey: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python tests/benchmark/on_dask.py
	$(VENV)/bin/python tests/benchmark/survey_tables.py

# The site. Its tutorials read the spectra of the demo and the cube; the rest of the gallery shows
# what lies in results. Nothing is fetched but these two and Sphinx, the first time. Each is that of
# its entry's addresses, whatever config/config.yaml says.
docs: $(READY)
	@$(COMMAND) figure --library pickles1998 --set library_path=null
	@$(COMMAND) cube --cube abell478 --set cube_path=null
	$(VENV)/bin/pip install --quiet --requirement envs/docs.txt
	rm -rf docs/_build/html
	OMP_NUM_THREADS=1 $(VENV)/bin/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(VENV)/bin/python docs/check_links.py docs/_build/html

# Report or page of each library and cube whose own files the package index has.
gallery: $(READY)
	@for name in pickles1998 miles stelib mastarhc; do $(COMMAND) report --library $$name || exit; done
	@for name in abell478 rotating_emitter; do $(COMMAND) report --cube $$name || exit; done

# Where there is no CUDA device it says so, and nothing is run.
gpu: $(READY)
	@if $(VENV)/bin/python tests/benchmark/gpu.py --is-there; then \
	  $(VENV)/bin/pytest -m gpu tests/nmf && $(VENV)/bin/python tests/benchmark/gpu.py; fi

clean:
	rm -rf $(VENV) .snakemake build/benchmark docs/_build docs/_site docs/_cards.md docs/workflow/steps
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +

# The tables of keys in docs/workflow, and the JSON schemas for editors, from the models.
keys: $(READY)
	$(VENV)/bin/python -m spectralunmix.pages_of_keys

# New versions with UPGRADE=--upgrade; needs the package index.
lock: $(READY)
	$(VENV)/bin/python -I -m pip install --quiet uv
	$(VENV)/bin/python envs/lock.py $(if $(UPGRADE),--upgrade)

# It sees for itself whether there is anything to do, and does it from scratch.
$(READY): FORCE
	@"$(PYTHON)" -I envs/set_up.py '$(VENV)'

FORCE:
