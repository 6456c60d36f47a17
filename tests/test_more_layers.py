"""Attention, normalisation, noise, merging and reshaping layers against naive loops, and what they refuse."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, layers, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, GraphflowError, ShapeError
from graphflow.kernels import isa
from graphflow.layers.era import era

RNG = np.random.default_rng(5)
ISAS = list(isa.available())


def normal(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype("float32")


def close(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(np.abs(expected).max(initial=0), 1e-30))


def softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# -- einsum


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("...i,ij->...j", [(2, 3, 4), (4, 5)]),
        ("i...,...j->...ij", [(2, 3, 4), (3, 4, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("bij->bji", [(2, 3, 4)]),
        ("bij->", [(2, 3, 4)]),
        ("ii->i", [(4, 4)]),
        ("bi,bj,ij->b", [(2, 3), (2, 4), (3, 4)]),
        ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 2)]),
        ("b t d , b s d -> b t s", [(2, 3, 4), (2, 5, 4)]),
        ("abcd,cde->abe", [(2, 3, 4, 5), (4, 5, 6)]),
    ],
)
def test_einsum_is_numpy_s(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [normal(*shape) for shape in shapes]
    expected = np.einsum(equation, *[array.astype("f8") for array in arrays])
    close(ops.einsum(equation, *arrays), expected)
    tensors = [Input(batch_shape=(None, *shape[1:])) for shape in shapes]
    if len({shape[0] for shape in shapes}) == 1 and equation.partition("->")[2]:
        model = Model(tensors, ops.einsum(equation, *tensors))
        close(model.predict_on_batch(arrays), expected)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(3, 4)], "needs 2 operands, received 1"),
        ("ij,jk->ik", [(3, 4), (5, 6)], "sizes of 'j' must be equal, received 4 and 5"),
        ("ijk->i", [(3, 4)], "labels 'ijk' do not fit"),
        ("ij->iz", [(3, 4)], "must name labels of the operands"),
        ("i;j->i", [(3, 4)], "An einsum equation is labels"),
        ("...abc->a", [(3, 4)], "more labels than"),
    ],
)
def test_einsum_says_what_does_not_fit(equation: str, shapes: Any, message: str) -> None:
    with pytest.raises((ArgumentError, ShapeError), match=message):
        ops.einsum(equation, *[np.zeros(shape, "float32") for shape in shapes])


# -- attention


def heads(layer: Any, query: Any, value: Any, key: Any, mask: Any) -> tuple[Any, Any]:
    """MultiHeadAttention by loops over batch, heads and positions."""
    wq, bq, wk, bk, wv, bv, wo, bo = (one.astype("f8") for one in layer.get_weights())
    q, k, v = (np.einsum("btd,dnh->btnh", x, w) + b for x, w, b in ((query, wq, bq), (key, wk, bk), (value, wv, bv)))
    batch, steps, count, size = q.shape
    weights = np.zeros((batch, count, steps, k.shape[1]))
    mixed = np.zeros((batch, steps, count, v.shape[-1]))
    for b in range(batch):
        for n in range(count):
            for t in range(steps):
                scores = np.array([q[b, t, n] @ k[b, s, n] / math.sqrt(size) for s in range(k.shape[1])])
                scores = scores if mask is None else np.where(mask[b, t], scores, -1e9)
                weights[b, n, t] = softmax(scores)
                mixed[b, t, n] = sum(weights[b, n, t, s] * v[b, s, n] for s in range(k.shape[1]))
    return np.einsum("btnh,nho->bto", mixed, wo) + bo, weights


@pytest.mark.parametrize("isa_name", ISAS)
@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_by_loops(isa_name: str, causal: bool) -> None:
    query, value, key = normal(3, 5, 6), normal(3, 7, 8), normal(3, 7, 4)
    layer = layers.MultiHeadAttention(2, 3, 5, bias_initializer="uniform")
    value_mask = RNG.random((3, 7)) > 0.3
    value_mask[:, 0] = True
    mask = np.broadcast_to(value_mask[:, None], (3, 5, 7))
    if causal:
        mask = mask & (np.arange(5)[:, None] >= np.arange(7))
    tensors = [Input((None, 6)), Input((None, 8)), Input((None, 4)), Input((None,), dtype="bool")]
    out = layer(*tensors[:3], value_mask=tensors[3], use_causal_mask=causal, return_attention_scores=True)
    model = Model(tensors, out)
    expected, weights = heads(layer, query, value, key, mask)
    with graphflow.knobs(isa=isa_name):
        found, scores = Model(model.inputs, model.outputs).predict_on_batch([query, value, key, value_mask])
    close(found, expected)
    close(scores, weights)
    eager = layer(query, value, key, value_mask=value_mask, use_causal_mask=causal)
    close(eager, expected)


def _many(layer: Any, x: Any) -> Any:
    return layer(x, x, use_causal_mask=True)


def _one(layer: Any, x: Any) -> Any:
    return layer([x, x], use_causal_mask=True)


@pytest.mark.parametrize(
    ("make", "call"),
    [(lambda: layers.MultiHeadAttention(2, 3), _many), (layers.Attention, _one), (layers.AdditiveAttention, _one)],
)
def test_a_causal_result_does_not_depend_on_later_steps(make: Any, call: Any) -> None:
    x = normal(2, 6, 4)
    changed = x.copy()
    changed[:, 4:] += 3
    layer = make()
    first, second = call(layer, x), call(layer, changed)
    np.testing.assert_array_equal(first[:, :4], second[:, :4])
    assert np.abs(first[:, 4:] - second[:, 4:]).max() > 1e-3


def test_a_window_hides_what_lies_farther() -> None:
    x = normal(1, 9, 4)
    layer = layers.MultiHeadAttention(1, 3, sliding_window=3)
    _, scores = layer(x, x, return_attention_scores=True)
    distance = np.abs(np.arange(9)[:, None] - np.arange(9))
    np.testing.assert_array_equal(scores[0, 0] > 1e-6, distance < 3)


def test_rows_of_attention_have_the_same_bits_in_every_batch() -> None:
    x = Input((None, 24))
    y = layers.MultiHeadAttention(4, 6)(x, x, use_causal_mask=True)
    model = Model(x, layers.LayerNormalization()(layers.Add()([x, y])))
    batch = normal(9, 13, 24)
    whole = model.predict_on_batch(batch)
    for row in range(9):
        np.testing.assert_array_equal(model.predict_on_batch(batch[row : row + 1])[0], whole[row])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_on_batch(batch), whole)


def test_attention_runs_compiled_from_beginning_to_end() -> None:
    x = Input((None,), dtype="int32")
    e = layers.Embedding(9, 8, mask_zero=True)(x)
    y = layers.MultiHeadAttention(2, 4)(e, e, use_causal_mask=True)
    y = layers.LayerNormalization()(layers.Add()([e, y]))
    z = layers.Attention()([y, e])
    session = Model(x, z).session()
    plan = session.plan([(3, 7)])
    assert [node.node.op.name for node in plan.python_nodes.values()] == []


# -- normalisation


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [1, 3], (2,), [1, 2, 3]])
def test_layer_normalization_by_its_formula(axis: Any) -> None:
    x = normal(3, 4, 5, 6) * 3 + 2
    layer = layers.LayerNormalization(axis, 0.01, beta_initializer="uniform", gamma_initializer="uniform")
    y = layer(x)
    axes = tuple(sorted(a % 4 for a in ([axis] if isinstance(axis, int) else axis)))
    gamma, beta = (one.reshape([x.shape[a] if a in axes else 1 for a in range(4)]) for one in layer.get_weights())
    wide = x.astype("f8")
    mean, variance = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    close(y, (wide - mean) / np.sqrt(variance + 0.01) * gamma + beta)


@pytest.mark.parametrize("groups", [1, 2, 3, -1])
def test_group_normalization_by_loops(groups: int) -> None:
    x = normal(2, 3, 4, 6) + 5
    layer = layers.GroupNormalization(groups, gamma_initializer="uniform", beta_initializer="uniform")
    y = layer(x)
    gamma, beta = layer.get_weights()
    width = 1 if groups == -1 else 6 // groups
    for b in range(2):
        for first in range(0, 6, width):
            part = x[b, :, :, first : first + width].astype("f8")
            unit = (part - part.mean()) / np.sqrt(part.var() + 1e-3)
            close(
                y[b, :, :, first : first + width],
                unit * gamma[first : first + width] + beta[first : first + width],
                1e-4,
            )


def test_batch_normalization_updates_its_averages_in_training_alone() -> None:
    x = Input((5, 3))
    layer = layers.BatchNormalization(momentum=0.9)
    model = Model(x, layer(x))
    batch = normal(8, 5, 3) * 2 + 1
    model(batch)
    np.testing.assert_array_equal(layer.get_weights()[2], np.zeros(3))
    y = model(batch, training=True)
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-5)
    close(layer.get_weights()[2], 0.1 * batch.mean((0, 1)))
    close(layer.get_weights()[3], 0.9 + 0.1 * batch.var((0, 1)))
    layer.trainable = False
    before = layer.get_weights()
    Model(x, layer(x))(batch, training=True)
    np.testing.assert_array_equal(layer.get_weights()[2], before[2])


def test_normalization_adapts_to_arrays_and_batches() -> None:
    data = normal(50, 4) * [1, 2, 3, 0] + [5, 0, 1, 2]
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    parts.adapt([data[:7], data[7:30], data[30:]])
    for actual, expected in zip(parts.get_weights(), whole.get_weights(), strict=True):
        close(actual, expected)
    y = whole(data.astype("float32"))
    close(y[:, :3], (data[:, :3] - data[:, :3].mean(0)) / data[:, :3].std(0), 1e-4)
    np.testing.assert_allclose(y[:, 3], 0, atol=1e-2)
    back = layers.Normalization(invert=True)
    back.adapt(data)
    close(back(y), data.astype("float32"), 1e-4)
    with pytest.raises(ShapeError, match="adapt needs sizes"):
        whole.adapt(normal(5, 3))


# -- noise

NOISE: list[Callable[[], Any]] = [
    lambda: layers.Dropout(0.4, seed=3),
    lambda: layers.SpatialDropout1D(0.4, seed=3),
    lambda: layers.GaussianNoise(0.4, seed=3),
    lambda: layers.GaussianDropout(0.4, seed=3),
    lambda: layers.AlphaDropout(0.4, seed=3),
]


@pytest.mark.parametrize("make", NOISE)
def test_noise_is_that_of_its_seed_and_goes_on_from_call_to_call(make: Callable[[], Any]) -> None:
    x = normal(4, 6, 5)
    layer, twin = make(), make()
    np.testing.assert_array_equal(layer(x), x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(first, second)
    tensor = Input((6, 5))
    model = Model(tensor, twin(tensor))
    once = {"rtol": 1e-6, "atol": 1e-7}  # a graph scales and shifts with one rounding, numbers of the size of 1
    np.testing.assert_allclose(model(x, training=True), first, **once)
    np.testing.assert_allclose(model(x, training=True), second, **once)
    np.testing.assert_array_equal(model(x), x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_noise_has_the_statistics_it_names() -> None:
    x = np.ones((400, 100), "float32")
    noise = layers.GaussianNoise(0.5, seed=1)(x, training=True) - 1
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    factor = layers.GaussianDropout(0.2, seed=1)(x, training=True)
    assert factor.mean() == pytest.approx(1, abs=0.02)
    assert factor.std() == pytest.approx(0.5, rel=0.02)
    values = np.random.default_rng(1).standard_normal((400, 100)).astype("float32")
    kept = layers.AlphaDropout(0.3, seed=1)(values, training=True)
    assert kept.mean() == pytest.approx(0, abs=0.02)
    assert kept.std() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(
    ("make", "shape", "axes"),
    [
        (lambda: layers.SpatialDropout1D(0.5), (9, 7, 8), (1,)),
        (lambda: layers.SpatialDropout2D(0.5), (9, 3, 4, 8), (1, 2)),
        (lambda: layers.SpatialDropout2D(0.5, "channels_first"), (9, 8, 3, 4), (2, 3)),
        (lambda: layers.SpatialDropout3D(0.5), (9, 3, 4, 2, 8), (1, 2, 3)),
        (lambda: layers.SpatialDropout3D(0.5, "channels_first"), (9, 8, 3, 4, 2), (2, 3, 4)),
    ],
)
def test_spatial_dropout_drops_whole_channels(make: Callable[[], Any], shape: Any, axes: Any) -> None:
    y = make()(np.ones(shape, "float32"), training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y.min(axes), y.max(axes))
    assert 0.2 < (y == 0).mean() < 0.8


# -- merging, reshaping, masking


def test_merging_layers_and_their_functions() -> None:
    a, b, c = normal(3, 4), normal(3, 4), normal(3, 4)
    for layer, function, expected in (
        (layers.Subtract, layers.subtract, a - b),
        (layers.Multiply, layers.multiply, a * b * c),
        (layers.Average, layers.average, (a + b + c) / 3),
        (layers.Maximum, layers.maximum, np.maximum(np.maximum(a, b), c)),
        (layers.Minimum, layers.minimum, np.minimum(np.minimum(a, b), c)),
    ):
        given = [a, b] if layer is layers.Subtract else [a, b, c]
        close(layer()(given), expected)
        tensors = [Input((4,)) for _ in given]
        close(Model(tensors, function(tensors, name="it")).predict(given, verbose=0), expected)


def test_dot_multiplies_along_its_axes() -> None:
    a, b = normal(3, 4, 5), normal(3, 6, 4)
    close(layers.Dot((1, 2))([a, b]), np.einsum("bkm,bnk->bmn", a, b))
    u, v = normal(3, 5), normal(3, 5)
    close(layers.dot([u, v], axes=1), (u * v).sum(1, keepdims=True))
    cosine = (u * v).sum(1, keepdims=True) / np.linalg.norm(u, axis=1)[:, None] / np.linalg.norm(v, axis=1)[:, None]
    close(layers.Dot(-1, normalize=True)([u, v]), cosine)


def test_reshape_permute_and_repeat() -> None:
    x = normal(3, 4, 6)
    close(layers.Reshape((-1, 8))(x), x.reshape(3, 3, 8))
    close(layers.Permute((2, 1))(x), x.transpose(0, 2, 1))
    close(layers.RepeatVector(2)(x[:, 0]), np.repeat(x[:, :1], 2, 1))
    tensor = Input((None, 6))
    y = layers.Reshape((-1, 3))(tensor)
    assert y.shape == (None, None, 3)
    model = Model(tensor, y)
    close(model.predict_on_batch(x), x.reshape(3, 8, 3))
    close(model.predict_on_batch(x[:2, :3]), x[:2, :3].reshape(2, 6, 3))
    assert layers.Reshape((2, 12))(Input((4, 6))).shape == (None, 2, 12)
    assert layers.Reshape((-1,))(Input((0, 6))).shape == (None, 0)


def test_masking_marks_steps_and_clears_them() -> None:
    x = normal(2, 4, 3)
    x[0, 1], x[1, 3] = 7, 7
    tensor = Input((4, 3))
    masked = layers.Masking(7)(tensor)
    pooled = layers.GlobalAveragePooling1D()(masked)
    out, mean = Model(tensor, [masked, pooled]).predict(x, verbose=0)
    kept = (x != 7).any(-1)
    close(out, x * kept[..., None])
    close(mean, (x * kept[..., None]).sum(1) / kept.sum(1, keepdims=True))


def test_softmax_gives_nothing_to_what_is_masked() -> None:
    x, mask = normal(3, 4), np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    y = layers.Softmax()(x, mask=mask)
    close(y[:2], softmax(np.where(mask, x, -np.inf)[:2]))
    assert y[2].sum() == pytest.approx(1)
    with era("keras3"):
        other = layers.Softmax()(x, mask=mask)
    close(other[:2], y[:2])
    np.testing.assert_array_equal(other[2], 0)


def test_activation_layers_by_their_formulas() -> None:
    x = normal(3, 4, 5)
    close(layers.LeakyReLU()(x), np.where(x >= 0, x, 0.3 * x))
    close(layers.LeakyReLU(0.1)(x), np.where(x >= 0, x, 0.1 * x))
    close(layers.LeakyReLU(negative_slope=0.2)(x), np.where(x >= 0, x, 0.2 * x))
    close(layers.ELU(0.5)(x), np.where(x > 0, x, 0.5 * np.expm1(x)))
    close(layers.ThresholdedReLU(0.4)(x), np.where(x > 0.4, x, 0))
    for shared, shape in ((None, (4, 5)), ([1], (1, 5)), (2, (4, 1))):
        layer = layers.PReLU("uniform", shared_axes=shared)
        y = layer(x)
        (alpha,) = layer.get_weights()
        assert alpha.shape == shape
        close(y, np.where(x >= 0, x, alpha * x))


REFUSED: list[tuple[Callable[[], Any], type[GraphflowError], str]] = [
    (lambda: layers.Subtract()([normal(2, 3)] * 3), ArgumentError, "exactly 2 inputs, received 3"),
    (lambda: layers.Multiply()(Input((3,))), ArgumentTypeError, "list of tensors"),
    (lambda: layers.Average()([normal(2, 3), normal(4, 3)]), ShapeError, "one batch size"),
    (lambda: layers.Maximum()([normal(2, 3), normal(2, 4)]), ShapeError, "can not be broadcast"),
    (lambda: layers.Dot(0)([normal(2, 3), normal(2, 3)]), ArgumentError, "behind the batch"),
    (lambda: layers.Dot((1, 2))([normal(2, 3, 4), normal(2, 3, 4)]), ShapeError, "received 3 and 4"),
    (lambda: layers.Dot((1, 2, 3)), ArgumentError, "two of them"),
    (lambda: layers.Reshape((5, -1))(Input((4, 3))), ShapeError, r"12 elements, of shape \(4, 3\)"),
    (lambda: layers.Reshape((-1, -1)), ArgumentError, "one -1"),
    (lambda: layers.Permute((1, 3)), ArgumentError, "permutation of 1 to 2"),
    (lambda: layers.Permute((2, 1))(normal(2, 3)), ShapeError, "needs rank 3"),
    (lambda: layers.RepeatVector(0), ArgumentError, "positive integer"),
    (lambda: layers.RepeatVector(2)(normal(2, 3, 4)), ShapeError, "batch, features"),
    (lambda: layers.PReLU()(Input((None, 3))), ShapeError, "not in shared_axes"),
    (lambda: layers.LayerNormalization(axis=1)(Input((None, 3))), ShapeError, "must be known"),
    (lambda: layers.GroupNormalization(4)(Input((5, 6))), ArgumentError, "divide the 6 channels, received 4"),
    (lambda: layers.GroupNormalization(0), ArgumentError, "positive integer or -1"),
    (lambda: layers.SpatialDropout2D(0.5)(normal(2, 3, 4)), ShapeError, "needs rank 4"),
    (lambda: layers.GaussianNoise(-1), ArgumentError, "at least 0"),
    (lambda: layers.AlphaDropout(1.0), ArgumentError, r"\[0, 1\)"),
    (lambda: layers.Dropout(0.5, (None,))(normal(2, 3), training=True), ShapeError, "one entry per axis"),
    (lambda: layers.Dropout(0.5, "ab"), ArgumentTypeError, "noise_shape"),
    (lambda: layers.Softmax()(normal(2, 3), mask=np.ones((4, 3), bool)), ShapeError, "broadcast"),
    (lambda: layers.Attention()(Input((3, 4))), ArgumentTypeError, "query, value"),
    (lambda: layers.Attention(score_mode="sum"), ArgumentError, "'dot' or 'concat'"),
    (lambda: layers.Attention()([normal(2, 3, 4), normal(2, 3, 5)]), ShapeError, "4 and 5"),
    (lambda: layers.MultiHeadAttention(0, 3), ArgumentError, "num_heads must be a positive integer"),
    (lambda: layers.MultiHeadAttention(2, 3)(Input((3, 4))), ArgumentTypeError, "query and a value"),
    (
        lambda: layers.MultiHeadAttention(2, 3)(normal(2, 3, 4), normal(2, 5, 4), normal(2, 6, 4)),
        ShapeError,
        "but for the last",
    ),
    (
        lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(normal(2, 3, 4), normal(2, 3, 4)),
        ArgumentError,
        "attention_axes",
    ),
    (lambda: layers.EinsumDense("abc,cd->abd", (None, None))(Input((3, 4))), ShapeError, "size of 'd' in the kernel"),
    (lambda: layers.EinsumDense("abc,cd->abd", (7, 5))(Input((3, 4))), ShapeError, "says 7 for 'b'"),
    (lambda: layers.EinsumDense("abc,cd->abd", (3, 5), bias_axes="z")(Input((3, 4))), ArgumentError, "bias_axes"),
    (lambda: layers.Normalization(mean=1.0), ArgumentError, "both mean and variance"),
    (lambda: layers.Normalization(axis=1)(Input((None, 3))), ShapeError, "must be known"),
    (lambda: layers.ThresholdedReLU(-1), ArgumentError, "theta"),
    (lambda: layers.ELU(None), ArgumentError, "alpha"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_reason(call: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_layers_that_take_no_mask_say_so_and_drop_it_in_models_from_files() -> None:
    tensor = layers.Masking()(Input((4, 6)))
    for make in (
        lambda: layers.Reshape((6, 4)),
        lambda: layers.Permute((2, 1)),
        lambda: layers.EinsumDense("abc,cd->abd", (4, 2)),
    ):
        with pytest.raises(ArgumentError, match="does not support masks"):
            make()(tensor)
        with era("keras3"):
            assert make()(tensor)._keras_mask is None
