#!/bin/sh
# Install a wheel into an empty environment in a new folder, and predict the shipped sample from there.
# usage: try_wheel.sh WHEEL [PYTHON]
set -eu
wheel=$(realpath "$1")
python=${2:-python3.11}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$python" -m venv env
env/bin/python -m pip install --quiet "$wheel"
test ! -e env/lib/python*/site-packages/kernels || { echo "the wheel holds a top-level kernels"; exit 1; }
env/bin/graphflow predict $(env/bin/python -m graphflow.samples --paths) -o digits.npy
env/bin/python -m graphflow.samples digits.npy
