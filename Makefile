# make demo | paper | figure | compare | test; each sets up what it needs in .venv first.
PYTHON ?= python3
LIBRARY ?= coelho2014
LIBRARIES ?= pickles1998 miles
LIBRARY_PATH ?=
REFERENCE ?=
PROFILE ?=
CORES ?= 1

VENV := .venv
READY := $(VENV)/ready
# Its cache lies here: a home that cannot be written to does no harm.
SNAKEMAKE := XDG_CACHE_HOME="$(CURDIR)/.snakemake/cache" $(VENV)/bin/snakemake --cores $(CORES) \
  $(if $(PROFILE),--profile '$(PROFILE)')
CONFIG = library='$(LIBRARY)' $(if $(LIBRARY_PATH),library_path='$(LIBRARY_PATH)')
comma := ,
space := $() $()

# One thread: the same numbers on every machine, and no contention on shared ones.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

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

figure: $(READY)
	$(SNAKEMAKE) --config $(CONFIG)

validate: $(READY)
	$(SNAKEMAKE) results/$(LIBRARY)/library.png --config $(CONFIG)

# One page with the figure, more pictures, methods and tables; an interactive one beside it.
report: $(READY)
	$(SNAKEMAKE) report --config $(CONFIG)
	$(SNAKEMAKE) report --report results/$(LIBRARY)/report.html \
	  --report-stylesheet workflow/report/report.css --config $(CONFIG)

# Many fits, in jobs: PROFILE=profiles/slurm runs them on a cluster.
scan: $(READY)
	$(SNAKEMAKE) results/$(LIBRARY)/scan.ecsv --config $(CONFIG)

# Do the libraries' addresses still serve the same bytes?
addresses: $(READY)
	$(VENV)/bin/python workflow/scripts/addresses.py config/libraries/*.yaml

# Against its manifest, and with REFERENCE=<folder> against another run.
verify: $(READY)
	$(VENV)/bin/python workflow/scripts/verify.py results/$(LIBRARY) $(if $(REFERENCE),--reference '$(REFERENCE)')

# The numbers and the figure that others compare theirs with, of a run just made and verified.
REFERENCE_FILES := manifest.json summary.json nmf_fit.json pca_fit.json figure.png selection.ecsv \
  nmf_components.ecsv nmf_weights.ecsv distances.ecsv assignments.ecsv
reference: figure verify
	mkdir -p tests/reference/$(LIBRARY)
	cp $(addprefix results/$(LIBRARY)/,$(REFERENCE_FILES)) tests/reference/$(LIBRARY)

compare: LIBRARY := $(firstword $(LIBRARIES))
compare: $(READY)
	$(SNAKEMAKE) results/comparison/manifest.json --config $(CONFIG) compare='[$(subst $(space),$(comma),$(LIBRARIES))]'

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

# It sees for itself whether there is anything to do, and does it from scratch.
$(READY): FORCE
	@$(PYTHON) -I envs/set_up.py '$(VENV)'

FORCE:
