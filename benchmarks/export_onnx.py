"""Write the files that all engines open, once, from the same weights. Needs the `oracle` extra.

    python -m benchmarks.export_onnx [--cache FOLDER] [--models vgg16 mlp] [--again]

    NAME.keras    the model, written by Keras
    NAME.onnx     the same weights, by Keras' exporter, or by graphflow's where `OURS` says why
    NAME.json     its inputs in order, who wrote the ONNX file, and how many of each operation it has

Files that are there are kept, unless `--again`. Each model has a process of its own, which gives its memory back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.files import CASES, DEFAULT_CACHE, ROOT, fetch

OURS = {
    "vgg16": "Keras' exporter holds the weights several times over: more memory than most machines have",
    "lstm_classifier": "Keras' exporter writes a GRU as a Loop over the operations of a step, which peers run slowly",
    "gru_classifier": "as for lstm_classifier",
    "lstm_tagger": "as for lstm_classifier",
}
"""Models whose ONNX file graphflow writes, and why; recurrences are LSTM and GRU nodes, in which peers are fastest."""


def describe_inputs(model: Any) -> list[dict[str, Any]]:
    """Name, shape without the batch and dtype of each input, and for integers the bound `high`."""
    from benchmarks.zoo import VOCABULARY

    return [
        {
            "name": tensor.name,
            "shape": list(tensor.shape[1:]),
            "dtype": tensor.dtype,
            "high": VOCABULARY if tensor.dtype.startswith("int") else None,
        }
        for tensor in model.inputs
    ]


def write_onnx(cache: Path, name: str) -> dict[str, Any]:
    """Write one model as ONNX; the record of it."""
    import keras
    import numpy as np
    import onnx

    source, target = cache / f"{name}.keras", cache / f"{name}.onnx"
    model = keras.models.load_model(source, compile=False)
    record: dict[str, Any] = {"inputs": describe_inputs(model)}
    if name in OURS:
        import graphflow

        del model
        graphflow.load_model(source).export(str(target))
        record |= {"writer": "graphflow", "graphflow": graphflow.__version__, "why": OURS[name]}
    else:
        zeros = [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
        model(zeros if len(zeros) > 1 else zeros[0])
        model.export(target, format="onnx", verbose=False)
        record |= {"writer": "keras", "keras": keras.__version__}
    nodes = onnx.load(target, load_external_data=False).graph.node
    return {**record, "onnx_operations": Counter(node.op_type for node in nodes)}


def write(cache: Path, name: str, again: bool) -> None:
    """Write the files of one model that are missing, or all of them."""
    paths = [cache / f"{name}{suffix}" for suffix in (".keras", ".onnx", ".json")]
    if not again and all(path.exists() for path in paths):
        print(f"{name}: there")
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks import zoo

    if name in zoo.MODELS and (again or not paths[0].exists()):
        model = zoo.MODELS[name]()
        zoo.seed_weights(model, 3)
        model.save(paths[0])
        del model
    record = write_onnx(cache, name)
    paths[2].write_text(json.dumps(record, indent=1))
    counts = ", ".join(f"{count} {operation}" for operation, count in record["onnx_operations"].most_common())
    print(f"{name}, by {record['writer']}: {counts}", flush=True)


def main() -> None:
    """Write the models of the table, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--models", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--again", action="store_true", help="write files that are there, too")
    parser.add_argument("--one", choices=names, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        write(given.cache, given.one, given.again)
        return
    fetch(given.cache)
    failed = []
    for name in given.models:
        command = [sys.executable, "-m", "benchmarks.export_onnx", "--cache", str(given.cache.resolve()), "--one", name]
        done = subprocess.run([*command, *(["--again"] if given.again else [])], cwd=ROOT)
        if done.returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"not written: {', '.join(failed)}")


if __name__ == "__main__":
    main()
