# On a fresh Debian 12: `make run` sets everything up and runs the default experiment, `make test` passes the tests.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
VENDORS := .venv/.vendors
UHD := .venv/.uhd
# Small matrices: one BLAS thread is fastest, and the same number of threads everywhere keeps results the same to the bit.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: run test bench bench-pluto bench-usrp bench-precoding bench-measurement lint install picture golden clean

run: $(READY)
	$(BIN)/testbed run two_cells

test: lint $(VENDORS) $(UHD)
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-pluto: $(READY) $(VENDORS)
	$(BIN)/python tests/benchmarks/bench_pluto.py

bench-usrp: $(READY) $(UHD)
	$(BIN)/python tests/benchmarks/bench_usrp.py

bench: $(READY)
	$(BIN)/python tests/benchmarks/bench_loop.py

bench-precoding: $(READY)
	$(BIN)/python tests/benchmarks/bench_precoding.py

bench-measurement: $(READY)
	$(BIN)/python tests/benchmarks/bench_measurement.py

install: $(READY)

$(READY): .requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
	  echo "python's venv module is incomplete; installing Debian's python3.11-venv"; \
	  apt-get update -qq && apt-get install -y -qq python3.11-venv && $(PYTHON) -m venv --clear .venv; } || { \
	  echo "could not make a virtual environment: as root, apt-get install python3.11-venv, then try again"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -r .requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# The real clients of a Pluto, for the tests that need them; what cannot be had is skipped there, and tried again here.
$(VENDORS): $(READY)
	@have() { command -v iio_info && command -v iio_writedev && ldconfig -p | grep libiio.so.0; } >/dev/null 2>&1; \
	have || { [ "$$(id -u)" = 0 ] && echo "installing Debian's libiio for the tests of the Pluto" && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends libiio0 libiio-utils >/dev/null; } \
	  || echo "no libiio: as root, apt-get install libiio0 libiio-utils; without it the tests of the Pluto are skipped"; \
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint .requirements.lock \
	  'pyadi-iio==0.0.21' 'pylibiio>=0.25,<1' && have && touch $@ \
	  || echo "no pyadi-iio, pylibiio or libiio: the tests of the Pluto are skipped"

# UHD, for the tests of USRPs: Debian's, since PyPI has none for Linux. It runs under Debian's own Python.
$(UHD): $(READY)
	@have() { command -v uhd_find_devices && /usr/bin/python3 -c 'import uhd'; } >/dev/null 2>&1; \
	have || { [ "$$(id -u)" = 0 ] && echo "installing Debian's UHD for the tests of USRPs" && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-uhd uhd-host \
	  >/dev/null 2>&1; } || true; \
	have && touch $@ || echo "no UHD: as root, apt-get install --no-install-recommends python3-uhd uhd-host; without it the tests of USRPs are skipped"

picture: $(READY)
	@mkdir -p runs
	$(BIN)/testbed run two_cells --quiet --overwrite --output runs/picture.h5
	$(BIN)/python tests/benchmarks/draw_picture.py runs/picture.h5 .readme/two_cells.svg

golden: $(READY)
	$(BIN)/testbed run recordings/golden/small.toml --frames 5 --seed 1 --output recordings/golden/small.h5 --overwrite

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage build dist
