"""Write docs/saving.md: which files models are written to, and what each layer becomes in them.

Run `python docs/generate_saving.py` after a layer or a writer has changed; a test fails while the page is out of date.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from graphflow import Input, Model, layers, models
from graphflow.formats.keras_export import Exporter
from graphflow.formats.keras_export_config import KERAS2, KERAS3, NEUTRAL, ONLY_AT, REFUSED, REFUSED_ACTIVATIONS
from graphflow.formats.write_ops import KERAS3 as KERAS3_OPS
from graphflow.formats.write_tf_ops import TF_BINARY, TF_OTHER, TF_UNARY
from graphflow.layers.layer import Layer, clear_session
from graphflow.layers.nest import leaves
from graphflow.registry import OWN

PAGE = Path(__file__).parent / "saving.md"

TEXT = """# Saving models

    graphflow convert old.h5 new.keras
    graphflow convert model.keras weights.safetensors
    graphflow convert weights.h5 new.weights.h5 --model model.json

How the file's name ends says what is written:

| ending | what it is | who opens it |
|---|---|---|
| `.keras` | configuration and weights, as Keras 3 writes them | Keras 3, graphflow |
| `.h5`, `.hdf5` | the same as tf.keras 2 writes them | tf.keras 2, tf_keras, graphflow |
| `.weights.h5` | weights by place, as Keras 3 has them | `load_weights` of Keras 3, graphflow |
| `.h5`, `.hdf5` by `save_weights` | weights by layer, as Keras 2 has them | `load_weights` of Keras 2, graphflow |
| `.safetensors` | weights by path (`pip install 'graphflow-engine[safetensors]'`) | any reader of safetensors |
| `model.to_json()` | the configuration alone, in Keras 3's form | `model_from_json` of Keras 3, graphflow |

```python
>>> import tempfile
>>> import numpy as np
>>> import graphflow
>>> from graphflow import Input, Model
>>> from graphflow.layers import Dense
>>> x = Input((4,))
>>> twice = Dense(4, activation="relu")
>>> model = Model(x, Dense(2)(twice(twice(x)) + x))

>>> folder = tempfile.TemporaryDirectory()
>>> model.save(f"{folder.name}/model.keras")
>>> model.save(f"{folder.name}/model.h5")
>>> data = np.random.rand(3, 4)
>>> for name in ("model.keras", "model.h5"):
...     back = graphflow.load_model(f"{folder.name}/{name}")
...     bool((back.predict(data, verbose=0) == model.predict(data, verbose=0)).all())
True
True

```

Outputs and weights are the same bit for bit; structure, names and shared layers are kept. A file is written beside
its place, made durable and renamed: a crash or a full disk leaves what was there before. `overwrite=False` refuses to
replace a file. Two `.keras` files of one model differ in the date in `metadata.json` only, and their weights begin at
a multiple of 64 bytes.

## Weights alone, and configurations alone

```python
>>> model.save_weights(f"{folder.name}/model.weights.h5")
>>> from graphflow.models import model_from_json
>>> other = model_from_json(model.to_json())
>>> other.load_weights(f"{folder.name}/model.weights.h5")
>>> bool((other.predict(data, verbose=0) == model.predict(data, verbose=0)).all())
True

```

`graphflow.models.clone_model(model)` makes the same structure with new weights, without a file.

## Classes and functions of your own

A registered class or function is written as "package>name"; one that is not, by its own name, and has to be passed to
`load_model(custom_objects=...)`. A class that takes arguments needs a `get_config`.

```python
>>> from graphflow.layers import Lambda, Layer
>>> from graphflow.saving import register_keras_serializable
>>> @register_keras_serializable("shop")
... class Discount(Layer):
...     def __init__(self, by=0.1, **kwargs):
...         super().__init__(**kwargs)
...         self.by = by
...     def call(self, inputs):
...         return inputs * (1 - self.by)
...     def get_config(self):
...         return {**super().get_config(), "by": self.by}
>>> x = Input((4,))
>>> Model(x, Discount(0.25)(x)).save(f"{folder.name}/own.keras")
>>> graphflow.load_model(f"{folder.name}/own.keras").layers[1].by
0.25

```

Functions are saved by name, never as code. A lambda has no name: in a Lambda layer it goes by the layer's name,
anywhere else it is refused.

```python
>>> half = Lambda(lambda x: x / 2, name="half")
>>> Model(x, half(x)).save(f"{folder.name}/half.keras")
>>> back = graphflow.load_model(f"{folder.name}/half.keras", custom_objects={"half": lambda x: x / 2})
>>> float(back.predict(np.full((1, 4), 3.0), verbose=0)[0, 0])
1.5

```

## Never other numbers

Keras 2 and Keras 3 compute some things differently ([choices.md](choices.md)). Before a model is written, it is
lowered under the rules of the Keras that will read the file; a layer whose operations would change is written by a
name that only graphflow knows, such as `graphflow>Add`. That Keras then refuses the file in place of miscomputing;
graphflow opens it with the rules the layer had. The activation `hard_sigmoid` of Keras 2 is `graphflow>hard_sigmoid`
in a `.keras` file; that of Keras 3 has no form in `.h5`.

```python
>>> import zipfile
>>> x = Input((4,))
>>> Model(x, Dense(2, activation="hard_sigmoid")(x)).save(f"{folder.name}/hard.keras")
>>> b"graphflow>hard_sigmoid" in zipfile.ZipFile(f"{folder.name}/hard.keras").read("config.json")
True
>>> folder.cleanup()

```

In `.keras` files weights are found by class and order, and Keras 3 orders layers differently where masks pass between
them. A model in which that could exchange the weights of two layers of one class and shape, such as two embeddings
with `mask_zero` side by side, is written as `graphflow>Model`: Keras refuses it, graphflow opens it; `.h5` and tf.keras
know no such thing.

Not counted as different: Dot with `normalize` and UnitNormalization, which differ on vectors shorter than 1e-6;
attention without dropout where everything is masked, if a score is above 32; and what happens in training only.

## What is in a file besides

- The arguments of `compile` that are plain data, unless `include_optimizer=False`. The state of an optimizer is not
  kept: graphflow has none.
- Seeds of recurrent layers and attention are left out of `.h5`, since tf.keras has none there.
- Layers that lie in several models are marked with `shared_object_id`, so that they come back as one.
- A model of a class of your own is written as the functional model that it is.
- A model between tensors that are not inputs gets inputs of its own, as Keras makes them.
- Not written: models with an input that wraps an array, SavedModel folders, weights in several files.

## Layers

"yes": the Keras of the format opens it. "graphflow": written by a name of our own, since that Keras has no such layer.
Arguments in the last two columns are refused at other values than the neutral one.

| layer | `.keras` | `.h5` | refused in `.keras` | refused in `.h5` |
|---|---|---|---|---|
"""

ACTIVATIONS = """
Activations that tf.keras does not have and `.h5` refuses:
{activations}.

## Ops between layers

Refused where the last columns say no; the message names the op.

| op | `.keras` | `.h5` |
|---|---|---|
"""


def _example(text: str) -> Any:
    clear_session()
    scope = {**vars(layers), "Input": Input, "Sequential": models.Sequential, "Model": Model}
    return eval(text, scope)


def _source(tensors: Any) -> list[Any]:
    """The inputs an example was made from."""
    found: dict[Any, None] = {}
    stack = [tensor._keras_history.layer._inbound_nodes[0] for tensor in leaves(tensors)]
    while stack:
        node = stack.pop()
        if node.is_input:
            found |= dict.fromkeys(node.output_tensors)
        stack.extend(node.parent_nodes)
    return list(found)


def _said(one: Layer, dialect: str, model: Any) -> str:
    registered = Exporter(model, dialect).class_name(one)[1]
    return "graphflow" if registered is not None and registered.startswith(OWN) else "yes"


def _refused(one: Layer, dialect: str) -> str:
    config, name = one.get_config(), type(one).__name__
    found = [f"`{argument}`" for argument in config if argument in REFUSED[dialect] and argument in NEUTRAL[dialect]]
    found += [f"`{argument}`" for layer, argument in ONLY_AT[dialect] if layer == name and f"`{argument}`" not in found]
    return ", ".join(found)


def page() -> str:
    """The whole page."""
    examples = runpy.run_path(str(PAGE.parent / "generate_layers.py"))["EXAMPLES"]
    rows = []
    for name, text in sorted(examples.items()):
        outputs = _example(text)
        tensors = [leaf for leaf in leaves(outputs) if hasattr(leaf, "_keras_history")]
        model = Model(_source(tensors), tensors[0])
        one = tensors[0]._keras_history.layer
        said = (_said(one, KERAS3, model), _said(one, KERAS2, model), _refused(one, KERAS3), _refused(one, KERAS2))
        rows.append(f"| {name} | {' | '.join(said)} |\n")
    tf = TF_BINARY.keys() | TF_UNARY.keys() | TF_OTHER.keys()
    ops = [f"| {name} | yes | {'yes' if name in tf else 'no'} |\n" for name in sorted(KERAS3_OPS)]
    activations = ", ".join(f"`{name}`" for name in sorted(REFUSED_ACTIVATIONS[KERAS2]))
    return TEXT + "".join(rows) + ACTIVATIONS.format(activations=activations) + "".join(ops)


if __name__ == "__main__":
    PAGE.write_text(page())
