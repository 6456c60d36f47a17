# Every target makes what it needs in an environment of its own, .venv; PYTHON names the interpreter it begins with.

PYTHON ?= python3.11
BIN := .venv/bin
SOURCES := $(wildcard kernels/*) setup.py pyproject.toml

.PHONY: accuracy aarch64 kernels-fuzz model-bits sanitize demo test lint types docs parity parity-table real bench bench-quick bench-peers browser clusters batch-kill fuzz race wheel check clean onnx-tests

$(BIN)/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

# an editable install: building is left to pip, with the requirements of pyproject.toml
.venv/built: $(BIN)/python $(SOURCES)
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable .
	touch $@

# the packages of one extra of pyproject.toml
EXTRA = import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")

.venv/test .venv/lint .venv/oracle .venv/dask .venv/ray .venv/spark: .venv/%: .venv/built
	$(BIN)/python -c '$(EXTRA)' $* | xargs -d '\n' $(BIN)/python -m pip install --quiet
	touch $@

# the main job: predict real digits with a model file, and look at them
demo: .venv/built
	$(BIN)/graphflow predict `$(BIN)/python -m graphflow.samples --paths` -o build/digits.npy
	$(BIN)/python -m graphflow.samples build/digits.npy

# the fast tests
test: .venv/test
	$(BIN)/python -m pytest -m 'not oracle and not fuzz and not download and not browser and not cluster'

lint: .venv/lint
	$(BIN)/ruff check .

types: .venv/lint
	$(BIN)/mypy

# comparisons with Keras and ONNX Runtime, which this installs
parity: .venv/test .venv/oracle
	$(BIN)/python -m pytest -m 'oracle and not download and not cluster'

# the largest difference of every layer, into docs/parity.md
parity-table: .venv/test .venv/oracle
	PYTHONPATH=tests $(BIN)/python -m parity.table

# files of public packages, fetched by name into .cache
real: .venv/test .venv/oracle
	$(BIN)/python -m pytest -m download

# the backend tests that ship inside the onnx package, all of them; docs/onnx.md has the table
onnx-tests: .venv/test .venv/oracle
	$(BIN)/python -m tests.onnx.backend

# pages in headless Chromium, which this installs where it may
browser: .venv/test
	sh tests/browser/install.sh
	$(BIN)/python -m pytest -m browser tests/browser

# jobs on Dask, Ray and Spark, started on this machine; their packages and a Java runtime are installed where that may be
clusters: .venv/test .venv/dask .venv/ray .venv/spark
	sh tests/batch/install_java.sh
	$(BIN)/python -m pytest -m cluster tests/batch

fuzz: .venv/test
	$(BIN)/python -m pytest -m fuzz

# jobs killed at 200 random instants for each kind of output and at every commit step, and disks that fail at every call;
# KILLS=5000 for longer
KILLS ?= 200
batch-kill: .venv/test
	GRAPHFLOW_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest -m fuzz tests/batch/test_batch_resume.py --durations=5

# the loop and the pool of threads under a race detector
race:
	mkdir -p build
	$(CC) -fsanitize=thread -g -O1 -ffp-contract=off -Ikernels tests/native/pool_race.c kernels/loop.c kernels/threads.c \
		kernels/leaf_base.c -o build/pool_race -pthread -lm
	build/pool_race

# random problems for every kernel against float64, on every instruction set; PROBLEMS for each family of kernels
PROBLEMS ?= 20000
kernels-fuzz: .venv/test
	GRAPHFLOW_PROBLEMS=$(PROBLEMS) $(BIN)/python -m pytest -m fuzz tests/kernels/test_random_problems.py --durations=10

# the kernels under AddressSanitizer and UndefinedBehaviorSanitizer, which must notice planted errors first
SANITIZED ?= 100
sanitize: .venv/test
	sh tests/native/sanitize.sh $(BIN) $(SANITIZED)

# the largest error of every function and kernel, into docs/accuracy.md
accuracy: .venv/test
	PYTHONPATH=tests/kernels $(BIN)/python -m accuracy
	PYTHONPATH=tests/kernels:tests $(BIN)/python -m op_accuracy

# the same rows, the same bits: whole models of .cache, over splits of the batch and numbers of threads
model-bits: .venv/test
	$(BIN)/python -m pytest -m fuzz tests/test_model_bits.py --durations=20

# the C sources for 64-bit ARM by a cross compiler; their results under an emulator
AARCH64 ?= aarch64-linux-gnu-gcc
QEMU ?= qemu-aarch64
aarch64:
	@command -v $(AARCH64) >/dev/null || { echo "$(AARCH64) is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"; exit 1; }
	mkdir -p build
	$(AARCH64) -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off -Wall -Wextra -Werror -static -Ikernels \
		tests/native/leaves.c kernels/leaf_base.c kernels/loop.c kernels/threads.c -o build/leaves_aarch64 -pthread -lm
	@command -v $(QEMU) >/dev/null || echo "compiled, but not run: $(QEMU) is missing: apt-get install qemu-user"
	! command -v $(QEMU) >/dev/null || $(QEMU) build/leaves_aarch64

# how fast everything is, beside its peers, into JSON files of BENCH_TO; an hour or two. docs/benchmarks.md explains it
BENCH_TO ?= build/bench
BENCHES := models layers recurrent kernels startup opening scaling batch
bench: .venv/oracle
	mkdir -p $(BENCH_TO)
	$(BIN)/python -m benchmarks.export_onnx
	failed=; for name in $(BENCHES); do \
		$(BIN)/python -m benchmarks.$$name --json $(BENCH_TO)/$$name.json || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

# the same in some minutes: fewer peers, batches and rounds
bench-quick: .venv/oracle
	mkdir -p $(BENCH_TO)
	$(BIN)/python -m benchmarks.export_onnx
	$(BIN)/python -m benchmarks.models --quick --json $(BENCH_TO)/models-quick.json
	$(BIN)/python -m benchmarks.layers --quick --json $(BENCH_TO)/layers-quick.json
	$(BIN)/python -m benchmarks.kernels --quick --json $(BENCH_TO)/kernels-quick.json

# the peers that the oracle extra does not have; benchmarks leave out what is not installed
bench-peers: .venv/oracle
	$(BIN)/python -c '$(EXTRA)' peers | xargs -d '\n' $(BIN)/python -m pip install --quiet

# a wheel, built through the source distribution, tried in an empty environment elsewhere
wheel: $(BIN)/python
	rm -rf build dist
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	sh tests/try_wheel.sh dist/*.whl $(PYTHON)

check: lint types test

clean:
	rm -rf build dist .venv *.egg-info graphflow/*/*.so
