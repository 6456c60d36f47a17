"""Benchmarks: graphflow beside its peers and beside the machine; docs/benchmarks.md says how to run and read them.

python -m benchmarks.export_onnx      the model files, once (needs the `oracle` extra)
python -m benchmarks.models           whole models, interleaved with peers
python -m benchmarks.layers           single layers, interleaved with peers
python -m benchmarks.recurrent        recurrent layers, interleaved with peers
python -m benchmarks.kernels          every kernel for a layer, beside the machine's own peak
python -m benchmarks.opening          opening a file, beside reading its bytes
python -m benchmarks.startup          import, first prediction, installed size
python -m benchmarks.scaling          chains of thousands of layers
python -m benchmarks.batch            long jobs, beside bare loops
python -m benchmarks.compare A B      the change between two `--json` files
"""
