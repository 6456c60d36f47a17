"""Attention, normalisation, merging, reshaping, activation and preprocessing layers against Keras, and files of them.

Each argument takes values beside its default, alone and in random combination; weights are random and not zero. Layers
are read from `.keras` files that Keras wrote, so that they follow Keras 3's rules.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.layers.era import era
from graphflow.layers.registry import LAYERS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.oracle

Array = np.ndarray[Any, Any]
TOLERANCE = 1e-5
EACH = 14
"""Configurations per row, beside those with one argument changed."""

X, Y, Z = (3, 5, 6), (3, 7, 6), (3, 7, 4)
IMAGE = (2, 4, 5, 6)
ROWS: list[dict[str, Any]] = [
    {"layer": "Subtract", "shapes": [[X, X], [X, (3, 1, 6)], [X, (3, 6)]]},
    *(
        {"layer": name, "shapes": [[X, X], [X, X, (3, 1, 6)], [X, (3, 6)], [X]]}
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
    ),
    {
        "layer": "Dot",
        "base": {"axes": 1},
        "values": {"axes": [-1, (2, 2), (1, 2), 2], "normalize": [True]},
        "shapes": [[(3, 6, 6), (3, 6, 6)], [(3, 6, 6, 2), (3, 6, 6)]],
        "skip": lambda c, s: len(s[0]) == 4 and c["axes"] == -1,
    },
    {
        "layer": "Dot",
        "base": {"axes": 1},
        "values": {"axes": [-1, (1, 1)], "normalize": [True]},
        "shapes": [[(3, 6), (3, 6)]],
    },
    {
        "layer": "Reshape",
        "base": {"target_shape": (6, 5)},
        "values": {"target_shape": [(-1,), (30,), (2, -1, 5), (5, 3, 2)]},
    },
    {"layer": "Permute", "base": {"dims": (2, 1)}, "values": {"dims": [(1, 2)]}},
    {"layer": "Permute", "base": {"dims": (3, 1, 2)}, "values": {"dims": [(1, 3, 2)]}, "shapes": [[IMAGE]]},
    {"layer": "RepeatVector", "base": {"n": 3}, "values": {"n": [1]}, "shapes": [[(3, 6)]]},
    {"layer": "Masking", "values": {"mask_value": [1.0, -2.0]}, "integers": True},
    {"layer": "LeakyReLU", "values": {"negative_slope": [0.1, 0.0]}, "shapes": [[X], [IMAGE]]},
    {"layer": "ELU", "values": {"alpha": [0.3, 2.0]}},
    {"layer": "PReLU", "values": {"shared_axes": [[1], [2], [1, 2]]}},
    {"layer": "PReLU", "values": {"shared_axes": [[1, 2], [3]]}, "shapes": [[IMAGE]]},
    {"layer": "Softmax", "values": {"axis": [1, [1, 2], [-1]]}, "mask": "same"},
    {
        "layer": "LayerNormalization",
        "values": {
            "axis": [1, [1, 2], [2]],
            "epsilon": [0.1, 1e-6],
            "center": [False],
            "scale": [False],
            "rms_scaling": [True],
        },
    },
    {
        "layer": "LayerNormalization",
        "values": {"axis": [[1, 3], [-1, -2], 3, (1, 2, 3)], "center": [False], "scale": [False]},
        "shapes": [[IMAGE]],
    },
    {
        "layer": "GroupNormalization",
        "base": {"groups": 2},
        "values": {"groups": [1, 3, -1, 6], "epsilon": [0.1], "center": [False], "scale": [False]},
        "shapes": [[IMAGE], [X], [(3, 6)]],
        "skip": lambda config, shapes: config["groups"] in (-1, 6) and len(shapes[0]) == 2,
    },
    {
        "layer": "GroupNormalization",
        "base": {"groups": 2, "axis": 1},
        "values": {"groups": [1, 4], "center": [False]},
        "shapes": [[IMAGE]],
    },
    {"layer": "UnitNormalization", "values": {"axis": [1, [1, 2]]}},
    {
        "layer": "BatchNormalization",
        "values": {"axis": [1, 2], "momentum": [0.5], "epsilon": [0.1], "center": [False], "scale": [False]},
    },
    *(
        {"layer": name, "base": {"rate": 0.4}, "values": {"seed": [3]}, "shapes": [[shape]]}
        for name, shape in (
            ("SpatialDropout1D", X),
            ("SpatialDropout2D", IMAGE),
            ("SpatialDropout3D", (2, 3, 4, 5, 2)),
            ("GaussianDropout", X),
            ("AlphaDropout", X),
        )
    ),
    {"layer": "GaussianNoise", "base": {"stddev": 0.4}},
    {"layer": "ActivityRegularization", "base": {"l1": 0.1}, "values": {"l2": [0.3]}},
    {"layer": "Identity"},
    {
        "layer": "Rescaling",
        "base": {"scale": 0.5},
        "values": {"scale": [[1.0, 2.0, 0.5, 3.0, 1.5, 0.1]], "offset": [0.25]},
    },
    {"layer": "Normalization", "values": {"axis": [1, None, (1, 2)], "invert": [True]}},
    {
        "layer": "Normalization",
        "base": {"mean": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "variance": [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]},
        "values": {"invert": [True]},
    },
    {"layer": "Normalization", "base": {"mean": 0.5, "variance": 4.0}, "values": {"axis": [None], "invert": [True]}},
    {
        "layer": "Attention",
        "values": {"use_scale": [True], "score_mode": ["concat"], "dropout": [0.3]},
        "call": {"use_causal_mask": [True], "return_attention_scores": [True]},
        "shapes": [[X, Y], [X, X], [X, Z, Y]],
        "mask": "list",
    },
    {
        "layer": "AdditiveAttention",
        "values": {"use_scale": [False], "dropout": [0.3]},
        "call": {"use_causal_mask": [True], "return_attention_scores": [True]},
        "shapes": [[X, Y], [X, X], [X, Z, Y]],
        "mask": "list",
    },
    {
        "layer": "MultiHeadAttention",
        "base": {"num_heads": 2, "key_dim": 3},
        "values": {
            "num_heads": [1, 3],
            "key_dim": [5],
            "value_dim": [4],
            "dropout": [0.2],
            "use_bias": [False],
            "output_shape": [7, (2, 3)],
            "attention_axes": [1, (1,), -2],
            "sliding_window": [2],
            "use_gate": [True],
        },
        "call": {"use_causal_mask": [True], "return_attention_scores": [True]},
        "shapes": [[X, Y], [X, X], [X, Z, Y]],
        "mask": "attention",
        "each": 60,
    },
    {
        "layer": "MultiHeadAttention",
        "base": {"num_heads": 2, "key_dim": 3},
        "values": {"attention_axes": [1, 2, (1, 2), None], "value_dim": [2]},
        "shapes": [[(2, 3, 4, 6), (2, 3, 4, 6)]],
    },
    {
        "layer": "EinsumDense",
        "base": {"equation": "abc,cd->abd", "output_shape": (None, 4)},
        "values": {"bias_axes": ["d", "bd"], "activation": ["relu", "softmax"], "output_shape": [(5, 4)]},
        "skip": lambda c, s: c.get("bias_axes") == "bd" and c["output_shape"][0] is None,
    },
    {
        "layer": "EinsumDense",
        "base": {"equation": "...x,xy->...y", "output_shape": 4},
        "values": {"bias_axes": ["y"]},
        "shapes": [[X], [IMAGE], [(3, 6)]],
    },
    {
        "layer": "EinsumDense",
        "base": {"equation": "abc,cde->abde", "output_shape": (None, 2, 3)},
        "values": {"bias_axes": ["de", "e", "d"], "activation": ["tanh"]},
    },
    {
        "layer": "EinsumDense",
        "base": {"equation": "abc,bde->acde", "output_shape": (None, 2, 3)},
        "values": {"bias_axes": ["de"]},
    },
    {
        "layer": "EinsumDense",
        "base": {"equation": "ab...,bc->ac...", "output_shape": 4},
        "values": {"bias_axes": ["c"]},
        "shapes": [[X], [IMAGE]],
    },
]


def configurations(row: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Arguments of the constructor and of the call: each value alone, then random combinations."""
    base, values, call = row.get("base", {}), row.get("values", {}), row.get("call", {})
    yield base, {}
    for name, options in values.items():
        yield from (({**base, name: option}, {}) for option in options)
    for name, options in call.items():
        yield from ((base, {name: option}) for option in options)
    choose = random.Random(repr((row["layer"], sorted(values))))
    for _ in range(row.get("each", EACH) if len(values) + len(call) > 1 else 2):
        made = {**base, **{name: choose.choice(options) for name, options in values.items() if choose.random() < 0.5}}
        yield made, {name: choose.choice(options) for name, options in call.items() if choose.random() < 0.5}


def problems() -> Iterator[Any]:
    seen: set[str] = set()
    for number, row in enumerate(ROWS):
        for index, (config, call) in enumerate(configurations(row)):
            shapes = row.get("shapes", [[X]])
            given = shapes[index % len(shapes)]
            if row.get("skip", lambda *_: False)(config, given):
                continue
            for masked in (False, True) if row.get("mask") else (False,):
                name = f"{row['layer']}-{number}-{config}-{call}-{given}-{masked}".replace(" ", "")
                if name not in seen:
                    seen.add(name)
                    yield pytest.param(row, config, call, given, masked, id=name)


PROBLEMS = list(problems())


def randomize(layer: Any, seed: int) -> None:
    """Random weights; variances stay positive, whole numbers whole."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in layer.weights:
        value = rng.normal(0, 0.5, variable.shape)
        values.append(
            np.abs(value) + 0.2 if "variance" in variable.name else np.ones(()) if "count" in variable.name else value
        )
    layer.set_weights(values)


def masks_of(row: dict[str, Any], arrays: list[Array], rng: np.random.Generator) -> dict[str, Any]:
    kind = row["mask"]
    if kind == "same":
        return {"mask": rng.random(arrays[0].shape) > 0.3}
    steps = [rng.random(array.shape[:2]) > 0.3 for array in arrays]
    for mask in steps:
        mask[:, 0] = True
    steps[1][0] = False
    if kind == "list":
        return {"mask": steps[:2]}
    found = {"attention_mask": rng.random((len(arrays[0]), arrays[0].shape[1], arrays[1].shape[1])) > 0.3}
    found |= {"value_mask": steps[1]} if rng.random() < 0.5 else {}
    return found | ({"key_mask": steps[2]} if len(arrays) == 3 else {})


def assert_close(actual: Any, expected: Any) -> None:
    actual = list(actual) if isinstance(actual, (list, tuple)) else [actual]
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape
        assert np.abs(other).max() > 0
        assert np.abs(one - other).max() <= TOLERANCE * np.abs(other).max()


@pytest.mark.parametrize(("row", "config", "call", "shapes", "masked"), PROBLEMS)
def test_the_numbers_are_those_of_keras_3(
    row: dict[str, Any], config: dict[str, Any], call: dict[str, Any], shapes: Any, masked: bool, tmp_path: Any
) -> None:
    rng = np.random.default_rng(len(str(config)))
    arrays = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    if row.get("integers"):
        arrays = [np.round(array).astype("float32") for array in arrays]
    theirs = getattr(keras.layers, row["layer"])(**config)
    merging = row["layer"] in (
        "Add",
        "Subtract",
        "Multiply",
        "Average",
        "Maximum",
        "Minimum",
        "Dot",
        "Attention",
        "AdditiveAttention",
    )
    spread = row["layer"] == "MultiHeadAttention"

    def applied(layer: Any, tensors: list[Any], more: dict[str, Any]) -> Any:
        return layer(*tensors, **more) if spread else layer(tensors if merging else tensors[0], **more)

    keras_inputs = [keras.Input(shape[1:]) for shape in shapes]
    given = masks_of(row, arrays, rng) if masked else {}
    outputs = applied(theirs, keras_inputs, call)
    randomize(theirs, 5)
    if row["layer"] == "Normalization" and "mean" not in config:
        theirs.finalize_state()
    expected = applied(theirs, arrays, {**call, **given})
    with era("keras3"):
        ours = LAYERS.classes[row["layer"]](**config)
    inputs = [graphflow.Input(shape[1:]) for shape in shapes]
    symbolic = {
        name: [graphflow.Input(one.shape[1:], dtype="bool") for one in mask]
        if isinstance(mask, list)
        else graphflow.Input(mask.shape[1:], dtype="bool")
        for name, mask in given.items()
    }
    flat = [tensor for mask in symbolic.values() for tensor in (mask if isinstance(mask, list) else [mask])]
    fed = [array for mask in given.values() for array in (mask if isinstance(mask, list) else [mask])]
    model = graphflow.Model([*inputs, *flat], applied(ours, inputs, {**call, **symbolic}))
    assert [tuple(one.shape) for one in ours.weights] == [tuple(one.shape) for one in theirs.weights]
    assert [one.name for one in ours.weights] == [one.name for one in theirs.weights]
    ours.set_weights([np.asarray(one) for one in theirs.get_weights()])
    assert_close(model.predict([*arrays, *fed], verbose=0), expected)
    assert_close(applied(ours, arrays, {**call, **given}), expected)
    if not masked:
        path = str(tmp_path / "model.keras")
        keras.Model(keras_inputs, outputs).save(path)
        assert_close(graphflow.load_model(path).predict(arrays, verbose=0), expected)


def test_every_layer_and_argument_is_tried() -> None:
    assert len(PROBLEMS) >= 400
    shared = {"name", "trainable", "dtype", "activity_regularizer", "batch_input_shape"}
    weights = ("_initializer", "_regularizer", "_constraint")
    untried = {
        "Dropout",  # tests/parity/test_keras.py
        "noise_shape",
        "data_format",
        "seed",
        "l1",
        "momentum",
    }
    for name in {row["layer"] for row in ROWS}:
        rows = [row for row in ROWS if row["layer"] == name]
        known = {argument for row in rows for argument in (*row.get("base", {}), *row.get("values", {}))}
        with era("keras3"):
            config = LAYERS.classes[name](**rows[0].get("base", {})).get_config()
        missing = {one for one in config if not one.endswith(weights)} - known - shared - untried
        assert not missing, f"{name}: {sorted(missing)}"


def trained(layer: Any, arrays: list[Array], **more: Any) -> list[Array]:
    outputs = layer(arrays[0], training=True, **more)
    return [np.asarray(outputs), *(np.asarray(one) for one in layer.get_weights())]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("axis", "shape"), [(-1, X), (1, X), (-1, IMAGE), (1, IMAGE), (-1, (7, 6)), (2, IMAGE)])
def test_batch_normalization_trains_as_keras_3(axis: int, shape: Any, masked: bool) -> None:
    if masked and axis != -1:
        pytest.skip("Keras broadcasts a mask over the last axis")
    rng = np.random.default_rng(7)
    array = rng.standard_normal(shape).astype("float32") * 3 + 1
    more = {"mask": rng.random(shape[:-1]) > 0.4} if masked else {}
    theirs = keras.layers.BatchNormalization(axis=axis, momentum=0.7, epsilon=0.01)
    theirs.build((None, *shape[1:]))
    randomize(theirs, 5)
    with era("keras3"):
        ours = graphflow.layers.BatchNormalization(axis=axis, momentum=0.7, epsilon=0.01)
        tensor = graphflow.Input(shape[1:])
        given = {name: graphflow.Input(mask.shape[1:], dtype="bool") for name, mask in more.items()}
        model = graphflow.Model([tensor, *given.values()], ours(tensor, **given))
    ours.set_weights([np.asarray(one) for one in theirs.get_weights()])
    before = ours.get_weights()
    expected = trained(theirs, [array], **more)
    for actual, other in zip(trained(ours, [array], **more), expected, strict=True):
        assert_close(actual, other)
    ours.set_weights(before)
    by_model = model([array, *more.values()] if more else array, training=True)
    for actual, other in zip([by_model, *ours.get_weights()], expected, strict=True):
        assert_close(actual, other)


@pytest.fixture(scope="module")
def old() -> Any:
    return pytest.importorskip("tf_keras")


@pytest.mark.parametrize(
    ("axis", "shape"), [(-1, X), (1, X), (-1, IMAGE), (1, IMAGE), (-1, (7, 6)), (-1, (2, 3, 4, 5, 6))]
)
def test_batch_normalization_written_here_trains_as_tf_keras(old: Any, axis: int, shape: Any) -> None:
    array = np.random.default_rng(7).standard_normal(shape).astype("float32") * 3 + 1
    if axis == 1 and len(shape) == 4:
        pytest.skip("TensorFlow has no channels first on a CPU")
    theirs = old.layers.BatchNormalization(axis=axis, momentum=0.7, epsilon=0.01)
    theirs.build((None, *shape[1:]))
    randomize(theirs, 5)
    ours = graphflow.layers.BatchNormalization(axis, 0.7, 0.01)
    ours.build((None, *shape[1:]))
    ours.built = True
    ours.set_weights(theirs.get_weights())
    for actual, other in zip(trained(ours, [array]), trained(theirs, [array]), strict=True):
        assert_close(actual, other)


OLD: list[tuple[str, dict[str, Any], list[Any], dict[str, Any]]] = [
    ("ThresholdedReLU", {}, [X], {}),
    ("ThresholdedReLU", {"theta": 0.25}, [X], {}),
    ("LeakyReLU", {"alpha": 0.15}, [X], {}),
    ("Softmax", {"axis": -1}, [X], {"mask": X}),
    ("Softmax", {"axis": [1, 2]}, [X], {"mask": X}),
    ("Dot", {"axes": 2, "normalize": True}, [X, X], {}),
    ("UnitNormalization", {"axis": -1}, [X], {}),
    ("Attention", {"use_scale": True}, [X, Y], {"mask": [X[:2], Y[:2]]}),
    ("Attention", {"score_mode": "concat"}, [X, Y], {"mask": [X[:2], Y[:2]], "use_causal_mask": True}),
    ("AdditiveAttention", {}, [X, Y], {"mask": [X[:2], Y[:2]]}),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [X, Y], {"attention_mask": (3, 5, 7)}),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3},
        [X, Y],
        {"attention_mask": (3, 5, 7), "return_attention_scores": True, "use_causal_mask": True},
    ),
    ("LayerNormalization", {"axis": [1, 2]}, [X], {}),
    ("GroupNormalization", {"groups": 3}, [IMAGE], {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, [X], {}),
    ("Normalization", {"mean": 0.5, "variance": 4.0}, [X], {}),
    ("Rescaling", {"scale": 2.0, "offset": -1.0}, [X], {}),
]


@pytest.mark.parametrize(
    ("name", "config", "shapes", "call"), OLD, ids=[f"{one[0]}-{index}" for index, one in enumerate(OLD)]
)
def test_layers_written_here_follow_tf_keras(old: Any, name: str, config: Any, shapes: Any, call: Any) -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(shape).astype("float32") for shape in shapes]
    more: dict[str, Any] = {}
    for key, value in call.items():
        if key == "mask" and isinstance(value, list):
            more[key] = [rng.random(shape) > 0.3 for shape in value]
            more[key][1][0] = False
        elif key in ("mask", "attention_mask"):
            more[key] = rng.random(value) > 0.3
            more[key][0, 0] = False
        else:
            more[key] = value

    def applied(layer: Any, tensors: list[Any]) -> Any:
        if name == "MultiHeadAttention":
            return layer(*tensors, **more)
        return layer(tensors if len(tensors) > 1 else tensors[0], **more)

    theirs = getattr(old.layers, name)(**config)
    applied(theirs, [old.backend.constant(array) for array in arrays])
    randomize(theirs, 5)
    expected = applied(theirs, [old.backend.constant(array) for array in arrays])
    ours = LAYERS.classes[name](**config)
    applied(ours, arrays)
    ours.set_weights(theirs.get_weights())
    assert_close(applied(ours, arrays), expected)


def _masked_pair(module: Any, name: str, values: tuple[float, float]) -> tuple[list[Any], Any]:
    inputs = [module.Input((5, 6)) for _ in range(2)]
    tensors = [module.layers.Masking(value)(tensor) for value, tensor in zip(values, inputs, strict=True)]
    return inputs, getattr(module.layers, name)()(tensors)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_masks_of_merged_tensors_are_keras_(old: Any, name: str) -> None:
    rng = np.random.default_rng(4)
    arrays = [rng.standard_normal((3, 5, 6)).astype("float32") for _ in range(2)]
    arrays[0][:, 1], arrays[1][:, 3], arrays[0][1, 2], arrays[1][1, 2] = 0, 0, 0, 0
    for module, rules in ((keras, "keras3"), (old, "documents")):
        inputs, output = _masked_pair(module, name, (0.0, 0.0))
        pooled = module.layers.GlobalAveragePooling1D()(output)
        expected = module.Model(inputs, [output, pooled]).predict(arrays, verbose=0)
        with era(rules):
            ours, mine = _masked_pair(graphflow, name, (0.0, 0.0))
            pooled_here = graphflow.layers.GlobalAveragePooling1D()(mine)
        assert_close(graphflow.Model(ours, [mine, pooled_here]).predict(arrays, verbose=0), expected)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_masks_reach_attention_through_a_model(old: Any, rate: float, tmp_path: Any) -> None:
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 5, (4, 6))
    tokens[0], tokens[0, 0] = 0, 3
    tokens[:, -1] = 0
    for module, rules in ((keras, "keras3"), (old, "documents")):

        def built(source: Any) -> tuple[Any, list[Any]]:
            ids = source.Input((6,), dtype="int32")
            embedding = source.layers.Embedding(5, 8, mask_zero=True)
            attention = source.layers.MultiHeadAttention(2, 4, dropout=rate)
            x = embedding(ids)
            y = attention(x, x)
            z = source.layers.Attention()([y, x])
            norm = source.layers.LayerNormalization()
            pooled = source.layers.GlobalAveragePooling1D()(norm(source.layers.Add()([y, z])))
            return source.Model(ids, [y, z, pooled]), [embedding, attention, norm]

        theirs, their_layers = built(module)
        for layer in their_layers:
            randomize(layer, 9)
        expected = theirs.predict(tokens, verbose=0)
        with era(rules):
            ours, our_layers = built(graphflow)
        for layer, other in zip(our_layers, their_layers, strict=True):
            layer.set_weights(other.get_weights())
        assert_close(ours.predict(tokens, verbose=0), expected)
        if rules == "keras3":
            path = str(tmp_path / "m.keras")
            theirs.save(path)
            assert_close(graphflow.load_model(path).predict(tokens, verbose=0), expected)


def test_noise_layers_are_read_from_files_and_do_nothing_in_inference(tmp_path: Any) -> None:
    x = keras.Input((5, 6))
    y = keras.layers.SpatialDropout1D(0.3)(x)
    y = keras.layers.GaussianNoise(0.2)(y)
    y = keras.layers.GaussianDropout(0.2)(y)
    y = keras.layers.AlphaDropout(0.2)(y)
    y = keras.layers.ActivityRegularization(0.1, 0.2)(y)
    y = keras.layers.Identity()(keras.layers.Masking()(y))
    path = str(tmp_path / "m.keras")
    keras.Model(x, y).save(path)
    array = np.random.default_rng(1).standard_normal((3, 5, 6)).astype("float32")
    np.testing.assert_array_equal(graphflow.load_model(path).predict(array, verbose=0), array)


def test_regularizers_constraints_and_losses_are_keras_(old: Any) -> None:
    rng = np.random.default_rng(2)
    matrix, image = rng.standard_normal((6, 4)).astype("float32"), rng.standard_normal((3, 3, 2, 4)).astype("float32")
    for name, config in (
        ("L1", {"l1": 0.2}),
        ("L2", {"l2": 0.3}),
        ("L1L2", {"l1": 0.1, "l2": 0.2}),
        ("OrthogonalRegularizer", {"factor": 0.3}),
        ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
    ):
        ours = graphflow.regularizers.REGISTRY.find(name)(**config)
        theirs = getattr(keras.regularizers, name)(**config)
        assert type(ours).from_config(ours.get_config()).get_config() == pytest.approx(theirs.get_config())
        assert float(ours(matrix)) == pytest.approx(float(theirs(keras.ops.convert_to_tensor(matrix))), rel=1e-5)
    for name, config in (
        ("MaxNorm", {"max_value": 1.5, "axis": 0}),
        ("MaxNorm", {"max_value": 0.5, "axis": [0, 1, 2]}),
        ("NonNeg", {}),
        ("UnitNorm", {"axis": 0}),
        ("UnitNorm", {"axis": [0, 1, 2]}),
        ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.0, "rate": 0.5, "axis": 0}),
    ):
        ours = graphflow.constraints.REGISTRY.find(name)(**config)
        theirs = getattr(keras.constraints, name)(**config)
        assert ours.get_config() == theirs.get_config()
        array = image if isinstance(config.get("axis"), list) else matrix
        np.testing.assert_allclose(ours(array), theirs(keras.ops.convert_to_tensor(array)), rtol=1e-5, atol=1e-6)
    settings = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l1"}
    theirs = keras.layers.Dense(4, **settings)
    theirs.build((None, 6))
    randomize(theirs, 3)
    batch = rng.standard_normal((5, 6)).astype("float32")
    theirs(batch)
    ours = graphflow.layers.Dense(4, **settings)
    ours.build((None, 6))
    ours.built = True
    ours.set_weights(theirs.get_weights())
    ours(batch)
    np.testing.assert_allclose(
        [float(one) for one in ours.losses[:2]],
        [float(one) for one in theirs.losses[1:]],
        rtol=1e-5,
    )
    assert float(ours.losses[2]) == pytest.approx(float(theirs.losses[0]), rel=1e-5)


def test_einsum_outside_layers_is_read_from_files(tmp_path: Any) -> None:
    x, y = keras.Input((5, 6)), keras.Input((7, 6))
    path = str(tmp_path / "m.keras")
    model = keras.Model([x, y], keras.ops.einsum("btd,bsd->bts", x, y))
    model.save(path)
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal((3, n, 6)).astype("float32") for n in (5, 7)]
    assert_close(graphflow.load_model(path).predict(arrays, verbose=0), model.predict(arrays, verbose=0))
