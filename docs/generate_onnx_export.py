"""Write docs/onnx-export.md: how models go to ONNX, and which operators each layer becomes.

Run `python docs/generate_onnx_export.py` after a layer or its ONNX form has changed; a test fails while the page is out
of date.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np

from graphflow import Input, Model, layers
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET, operators
from graphflow.layers.layer import clear_session
from graphflow.layers.nest import leaves

PAGE = Path(__file__).parent / "onnx-export.md"

TEXT = """# Models to ONNX

    pip install 'graphflow-engine[onnx]'
    graphflow export model.keras model.onnx
    graphflow export model.keras model.onnx --opset 17
    graphflow export model.keras model.onnx --external-data

Made from the code by `docs/generate_onnx_export.py`. In Python it is `graphflow.export(model, "model.onnx")` or
`model.export("model.onnx")`, with `opset` and `external_data`; `graphflow.formats.onnx_write.to_onnx` gives the
`onnx.ModelProto`. Which operators a file will have can be asked without the onnx package:

```python
>>> from graphflow import Input, Model
>>> from graphflow.formats.onnx_write import operators
>>> from graphflow.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D
>>> x = Input((64, 64, 3), name="image")
>>> y = MaxPooling2D()(BatchNormalization()(Conv2D(16, 3, activation="relu")(x)))
>>> model = Model(x, Dense(10)(GlobalAveragePooling2D()(y)))
>>> operators(model)
{{'Transpose': 1, 'Conv': 1, 'Relu': 1, 'BatchNormalization': 1, 'MaxPool': 1, 'ReduceMean': 1, 'Gemm': 1}}

```

## What is in the file

- **The model as it was described.** Dead nodes and identities go; nothing is folded or fused, so the weights are the
  model's own, named by their paths (`dense/kernel`), and the runtime that opens the file tunes it in its own way. Nodes
  are named after the layers they come from (`block1/conv/Conv`), inputs and outputs as the model names them. Where an
  output's name is taken, by an input or another output, `_output` is added.
- **Channels first inside.** ONNX convolves channels first, so values are kept in the order of axes in which they come
  out of an operator, and transposed only where another order is needed: a network with channels last has one Transpose
  where it begins and one where it ends, if anything but a pooling over all places stands there; a network with channels
  first has none.
- **Sizes that are not known** have names: `batch` for the first axis of every input, `time` for the second of a
  sequence, `dim_2` and so on for others; with the input's name before them where two inputs have such an axis. An
  output's size has the name of the input's size that it always is.
- **Opsets {oldest} to {newest}.** {newest} is the default, or the newest that the installed onnx package knows. What an
  older opset has no operator for is composed of others; a few operations need a newer one and say so, with their layer.
- **Large weights.** Above 2 GB, or with `external_data=True`, weights of at least 1,024 bytes stand in one file beside
  the model, `model.onnx.data`, which must stay with it. Files are replaced when they are complete.

## Recurrent layers

`LSTM`, `GRU` and `SimpleRNN` become the operators of that name, in both directions, with initial states and with the
activations that the operators have: {activations}. With any other activation, and for cells of one's own, the layer
becomes a `Scan`, whose body is the cell.

**Masks**, whatever steps they leave out, are said through sequence lengths: the steps that count are moved to the front
of each row, the operator runs over as many as there are, and every step of the result is looked up: the output after
the last step that counts, zeros before the first. A row in which no step counts keeps its initial state.

**Stateful layers** take their state as a further input, named after the variable, and give the next one as a further
output, the same name with `/next`; `metadata_props` of the file lists the pairs. The input may be left out: it has the
state of the moment of the export as its default.

## What is refused

Inference is written: layers that act in training alone (dropout, noise) leave nothing behind, unless they were called
with `training=True`. What ONNX can not say is an `UnsupportedError` that names the layer and the reason:

| model | error |
|---|---|
{refused}

An op that draws random numbers is refused because the numbers of ONNX' own generators are others.

## Where runtimes differ

The tests run every layer in ONNX Runtime 1.31, in the configurations of [parity.md](parity.md), and compare to 1e-5 of
the largest output; what they write is also read back by graphflow, to the same numbers. Known
differences that a file can not settle:

- An embedding's index below zero counts from the end of the table in ONNX; graphflow refuses it.
- Maximum and minimum carry NaN on in graphflow; ONNX leaves it open.
- ONNX Runtime computes convolutions, recurrent layers and some functions in float32 alone, although ONNX has them in
  float64, and ends the process when a recurrent operator is given no rows.
- ONNX Runtime moves a border of zeros into the maximum pooling behind it, where it counts as minus infinity. So that
  this does not happen, a Max of one operand stands between them, unless what is padded can not be negative.

## Layers

The operators of one call of each layer, as [layers.md](layers.md) has it, with opset {newest}.

| layer | ONNX |
|---|---|
{layers}
"""


def _refusals() -> list[tuple[str, Any]]:
    """Models that can not be written."""
    x = Input((4,), name="x")
    unseen = layers.Lambda(lambda v: np.sort(np.asarray(v)), output_shape=(4,), name="sorted")
    return [
        ("a `Lambda` whose function needs real numbers", Model(x, unseen(x))),
        ("`Dropout(0.5)(x, training=True)`", Model(x, layers.Dropout(0.5, name="drop")(x, training=True))),
        ("`GaussianNoise(0.1)(x, training=True)`", Model(x, layers.GaussianNoise(0.1, name="noise")(x, training=True))),
    ]


def _inputs_of(tensors: list[Any]) -> list[Any]:
    """The inputs that tensors follow from."""
    found: dict[int, Any] = {}
    waiting, seen = list(tensors), set()
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        layer, index, _ = tensor._keras_history
        before = list(leaves(layer._inbound_nodes[index].input_tensors))
        if type(layer).__name__ == "InputLayer" or not before:
            found[id(tensor)] = tensor
        waiting.extend(one for one in before if one is not tensor)
    return sorted(found.values(), key=lambda tensor: tensor.name)


def _layer_rows() -> list[str]:
    shared = runpy.run_path(str(Path(__file__).parent / "generate_layers.py"))
    rows = []
    for name in shared["own_layers"]():
        clear_session()
        outputs = list(leaves(eval(shared["EXAMPLES"][name], vars(layers))))
        kinds = operators(Model(_inputs_of(outputs), outputs), opset=NEWEST_OPSET)
        shown = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in kinds.items())
        rows.append(f"| {name} | {shown or 'nothing'} |")
    return rows


def page() -> str:
    """The whole page."""
    from graphflow.formats.onnx_write.recurrent import ACTIVATIONS

    clear_session()
    refused = []
    for what, model in _refusals():
        try:
            operators(model)
        except UnsupportedError as error:
            refused.append(f"| {what} | {error} |")
        else:
            raise AssertionError(f"{what} is written, but stands among what is refused")
    return TEXT.format(
        oldest=OLDEST_OPSET,
        newest=NEWEST_OPSET,
        activations=", ".join(f"`{name}`" for name in ACTIVATIONS),
        refused="\n".join(refused),
        layers="\n".join(_layer_rows()),
    )


if __name__ == "__main__":
    PAGE.write_text(page())
