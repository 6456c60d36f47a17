"""Benchmarks: graphflow beside its peers, its start, and how its costs grow.

python -m benchmarks.export_onnx      the model files, once (needs the `oracle` extra)
python -m benchmarks.models           whole models, interleaved with peers
python -m benchmarks.opening          opening a file, beside reading its bytes
python -m benchmarks.startup          import, first prediction, installed size
python -m benchmarks.scaling          chains of thousands of layers
python -m benchmarks.compare A B      the change between two `--json` files
"""
