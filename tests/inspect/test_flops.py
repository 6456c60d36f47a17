"""`flops`: published counts of well-known networks, formulas against counting by hand, and what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from well_known import mobilenet_v2, resnet50, vgg16

from graphflow import Input, Model, Sequential, ops
from graphflow import layers as L
from graphflow.errors import ArgumentError, ShapeError
from graphflow.inspect import flops
from graphflow.inspect.costs import COSTS, UNCOUNTED
from graphflow.inspect.counting import names_in
from graphflow.inspect.quantities import QUANTITIES
from graphflow.ops import OPS
from graphflow.ops.interpolate import interpolate


@pytest.mark.parametrize(
    ("build", "macs", "params"),
    [
        (vgg16, 15_470_264_320, 138_357_544),
        (resnet50, 3_857_973_248, 25_636_712),
        (mobilenet_v2, 300_774_272, 3_538_984),
    ],
    ids=["vgg16", "resnet50", "mobilenet_v2"],
)
def test_published_multiply_adds_and_parameters(build, macs, params):
    model = build()
    found = flops(model)
    weighted = sum(one.macs or 0 for one in found.ops if one.op in ("conv", "dense"))
    assert weighted == found.macs == macs
    assert found.params == model.count_params() == params
    assert sum(one.params for one in found.layers) == params
    assert flops(model, (3, 224, 224, 3)).macs == 3 * macs


def test_every_op_has_a_row_and_every_formula_speaks_of_quantities():
    assert sorted(set(OPS) - set(COSTS) - set(UNCOUNTED)) == []
    used = {name for cost in COSTS.values() for text in cost[:3] for name in names_in(text)}
    assert used == set(QUANTITIES)


def only(model, op, shapes=None):
    (row,) = [one for one in flops(model, shapes).ops if one.op == op]
    return row


def test_convolution_by_hand():
    x = Input((9, 7, 4))
    row = only(Model(x, L.Conv2D(6, (3, 2), groups=2, strides=2)(x)), "conv", (5, 9, 7, 4))
    outputs = 5 * 4 * 3 * 6
    assert row.macs == outputs * 3 * 2 * 2
    assert row.flops == 2 * row.macs + outputs
    assert row.values["taps"] == 12 and row.values["y"] == outputs
    assert (row.bytes_read, row.weight_bytes, row.bytes_written) == (4 * 5 * 9 * 7 * 4, 4 * (72 + 6), 4 * outputs)


def test_depthwise_and_transposed_convolution_by_hand():
    x = Input((8, 8, 3))
    assert only(Model(x, L.DepthwiseConv2D(3, depth_multiplier=2)(x)), "conv").macs == 6 * 6 * 6 * 9
    assert only(Model(x, L.Conv2DTranspose(5, 3, strides=2)(x)), "conv_transpose").macs == 8 * 8 * 3 * 9 * 5


def test_recurrent_ops_by_hand():
    x = Input((7, 5))
    lstm = only(Model(x, L.LSTM(4)(x)), "lstm", (2, 7, 5))
    assert lstm.macs == 2 * 7 * 4 * 4 * (5 + 4)
    gru = only(Model(x, L.GRU(4)(x)), "gru")
    assert gru.macs == 7 * 3 * 4 * (5 + 4) and gru.values["bias"] == 2


def test_matrix_products_by_hand():
    a, b = Input((3, 5)), Input((5, 4))
    assert only(Model([a, b], ops.matmul(a, b)), "matmul").macs == 3 * 5 * 4
    c = Input((3, 5))
    row = only(Model([a, c], ops.einsum("bik,bjk->bij", a, c)), "einsum")
    assert row.macs == 3 * 3 * 5 and row.flops == 2 * row.macs


def test_interpolation_by_hand():
    x = Input((5, 7, 2))
    rows = ((1, 8, 1.6, 0.0, 1.0), (2, 14, 2.0, 0.0, 1.0))
    assert only(Model(x, interpolate(x, rows)), "interpolate").flops == 3 * 8 * 7 * 2 + 3 * 8 * 14 * 2
    assert only(Model(x, interpolate(x, rows, mode="cubic")), "interpolate").flops == 7 * (8 * 7 * 2 + 8 * 14 * 2)
    assert only(Model(x, interpolate(x, rows, mode="nearest")), "interpolate").flops == 0


def test_an_op_of_integers_does_no_floating_point_operation():
    words = Input((6,), dtype="int32")
    row = only(Model(words, words + words), "add")
    assert row.flops == 0 and "no floating-point" in row.formula


def test_an_embedding_reads_the_rows_it_takes():
    words = Input((6,), dtype="int32", name="words")
    row = only(Model(words, L.Embedding(1000, 8)(words)), "embedding")
    assert (row.bytes_read, row.weight_bytes, row.bytes_written) == (24, 4 * 6 * 8, 4 * 6 * 8)


def test_a_scan_costs_its_body_times_its_steps():
    class Cell(L.Layer):
        state_size = 4

        def build(self, shape):
            self.w = self.add_weight((shape[-1], 4), name="w")

        def call(self, inputs, states):
            h = ops.tanh(ops.dot(inputs, self.w) + states[0])
            return h, [h]

    x = Input((7, 5))
    row = only(Model(x, L.RNN(Cell())(x)), "scan", (2, 7, 5))
    assert row.macs == 7 * 2 * 5 * 4
    assert row.flops == 7 * (2 * 2 * 5 * 4 + 2 * 4 + 2 * 4)


def test_an_opaque_function_is_marked_and_never_counted_as_nothing():
    x = Input((4,))
    opaque = L.Lambda(lambda v: np.asarray(v) * 2, output_shape=(4,), name="odd")
    found = flops(Model(x, L.Dense(3, name="dense")(opaque(x))))
    assert found.unknown == ("odd: opaque",)
    assert found.layer("odd").unknown == ("opaque",)
    assert "+?" in str(found) and "odd: opaque" in str(found)
    assert found.macs == 12


def test_shared_and_nested_layers_are_counted_at_every_call():
    inner = Sequential([L.Dense(4, input_shape=(8,), name="first"), L.Dense(4, name="second")], name="inner")
    a = Input((8,))
    found = flops(Model(a, inner(a) + inner(2.0 * a)))
    assert found.layer("inner").macs == 2 * (32 + 16) and found.layer("inner/first").ops == 2
    assert found.layer("inner").params == found.params == 8 * 4 + 4 + 4 * 4 + 4
    assert found.layer("inn").ops == 0


def test_the_tuned_graph_folds_batch_normalisation_away():
    x = Input((8, 8, 3))
    model = Model(x, L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3)(x))))
    as_described, tuned = flops(model), flops(model, tuned=True)
    assert [one.op for one in as_described.ops] == ["conv", "batch_norm", "relu"]
    assert [one.op for one in tuned.ops] == ["conv"]
    assert tuned.macs == as_described.macs and tuned.flops < as_described.flops
    assert tuned.bytes_written == 4 * 6 * 6 * 4


def test_shapes_are_asked_for_where_they_are_needed():
    words = Input((None, 3), name="words")
    model = Model(words, L.LSTM(2)(words))
    with pytest.raises(ArgumentError, match="Axis 1 of input 'words'"):
        flops(model)
    assert flops(model, {"words": (1, 9, 3)}).macs == 9 * flops(model, [(1, 1, 3)]).macs
    with pytest.raises(ShapeError, match=r"takes shape \(None, None, 3\)"):
        flops(model, (1, 9, 4))
    with pytest.raises(ArgumentError, match="no input 'word'"):
        flops(model, {"word": (1, 9, 3)})


def test_the_report_is_plain_data():
    x = Input((4,), name="x")
    found = flops(Model(x, L.Dense(3, name="dense")(x), name="m"))
    data = json.loads(found.to_json())
    assert data["macs"] == 12 and data["input_shapes"] == {"x": [1, 4]} and data["layers"][0]["layer"] == "dense"
    assert "dense" in str(found) and "12" in str(found)


def test_frames_where_pandas_is_there():
    pytest.importorskip("pandas", reason="frames are made by pandas")
    x = Input((4,), name="x")
    frame = flops(Model(x, L.Dense(3, name="dense")(x))).to_frame()
    assert list(frame["layer"]) == ["dense"] and frame["macs"].sum() == 12
