#!/bin/sh
# The kernels under AddressSanitizer and UndefinedBehaviorSanitizer: a build of its own, planted errors that must be
# noticed, then random problems on every instruction set and the tests of the leaves.
#   sh tests/native/sanitize.sh .venv/bin 20
set -eu
bin=$1
problems=$2
built=build/sanitize/lib
GRAPHFLOW_SANITIZE=1 "$bin/python" setup.py -q build --build-lib $built --build-temp build/sanitize/temp

run() {
    env LD_PRELOAD="$(${CC:-cc} -print-file-name=libasan.so) $(${CC:-cc} -print-file-name=libubsan.so)" \
        ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 PYTHONMALLOC=malloc PYTHONPATH=$built PYTHONSAFEPATH=1 \
        GRAPHFLOW_TEST_HEAP=1 GRAPHFLOW_PROBLEMS="$problems" "$@"
}

planted() {
    if run "$bin/python" tests/native/planted.py "$1" >build/sanitize/"$1".log 2>&1; then
        echo "the planted error $1 went unnoticed"
        exit 1
    fi
    grep -q "$2" build/sanitize/"$1".log || { cat build/sanitize/"$1".log; exit 1; }
    echo "planted error $1 was noticed: $2"
}

run "$bin/python" tests/native/planted.py none
planted overrun heap-buffer-overflow
planted misaligned "misaligned address"
run "$bin/pytest" -s -m fuzz tests/kernels/test_random_problems.py -k thousands
run "$bin/pytest" -s -m "not fuzz" tests/kernels -k "not random_problems and not peak and not spills"
