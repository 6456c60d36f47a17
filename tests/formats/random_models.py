"""Random models for Hypothesis: graphs of several inputs and outputs, with shared layers, inner models and ops between.

`models()` draws a `Made`: a model whose weights are all different, and arrays for its inputs. Properties of any kind
can be tried on them: files, exports, pickling, batching. Everything in them has an equal in Keras 3 and in tf.keras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from graphflow import Input, Model, Sequential, ops
from graphflow import layers as L

VECTORS, SEQUENCES, IMAGES = 2, 3, 4
"""Tensors are told apart by their rank."""

WIDTHS = (3, 4, 6)
ROWS = 3


@dataclass
class Made:
    """A model and what to feed it.

    Args:
        model: built, its weights drawn at random.
        inputs: arrays by the names of the inputs, `ROWS` rows each.
        shared: how many layers are called more than once.
        inner: how many models are inside.
    """

    model: Any
    inputs: dict[str, np.ndarray[Any, Any]]
    shared: int
    inner: int


VECTOR_LAYERS: tuple[Callable[[Any], Any], ...] = (
    lambda draw: L.Dense(draw(st.sampled_from(WIDTHS)), activation=draw(st.sampled_from((None, "relu", "tanh")))),
    lambda draw: L.Dense(draw(st.sampled_from(WIDTHS)), use_bias=False, kernel_regularizer="l2"),
    lambda draw: L.BatchNormalization(scale=draw(st.booleans())),
    lambda draw: L.LayerNormalization(),
    lambda draw: L.Dropout(0.3),
    lambda draw: L.Activation(draw(st.sampled_from(("sigmoid", "softmax", "elu")))),
    lambda draw: L.LeakyReLU(0.2),
    lambda draw: L.PReLU(),
    lambda draw: L.RepeatVector(2),
    lambda draw: L.Reshape((1, -1)),
)
SEQUENCE_LAYERS: tuple[Callable[[Any], Any], ...] = (
    lambda draw: L.LSTM(draw(st.sampled_from(WIDTHS)), return_sequences=draw(st.booleans())),
    lambda draw: L.GRU(3, reset_after=draw(st.booleans())),
    lambda draw: L.SimpleRNN(3, go_backwards=draw(st.booleans())),
    lambda draw: L.Bidirectional(L.LSTM(2, return_sequences=draw(st.booleans())), merge_mode="concat"),
    lambda draw: L.TimeDistributed(L.Dense(draw(st.sampled_from(WIDTHS)))),
    lambda draw: L.Conv1D(draw(st.sampled_from(WIDTHS)), 2, padding="same"),
    lambda draw: L.SeparableConv1D(4, 2, padding="same"),
    lambda draw: L.Dense(4),
    lambda draw: L.GlobalMaxPooling1D(),
    lambda draw: L.GlobalAveragePooling1D(),
    lambda draw: L.Permute((2, 1)),
    lambda draw: L.Flatten(),
    lambda draw: L.RNN([L.GRUCell(2), L.LSTMCell(3)], return_sequences=draw(st.booleans())),
)
IMAGE_LAYERS: tuple[Callable[[Any], Any], ...] = (
    lambda draw: L.Conv2D(draw(st.sampled_from(WIDTHS)), 2, strides=draw(st.sampled_from((1, 2))), padding="same"),
    lambda draw: L.DepthwiseConv2D(2, padding="same"),
    lambda draw: L.SeparableConv2D(3, 2, padding="same"),
    lambda draw: L.BatchNormalization(),
    lambda draw: L.MaxPooling2D(2, padding="same"),
    lambda draw: L.ZeroPadding2D(1),
    lambda draw: L.UpSampling2D(2),
    lambda draw: L.GlobalAveragePooling2D(),
    lambda draw: L.Flatten(),
)
LAYERS = {VECTORS: VECTOR_LAYERS, SEQUENCES: SEQUENCE_LAYERS, IMAGES: IMAGE_LAYERS}

UNARY_OPS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x * 2.0,
    lambda x: 1.0 - x,
    lambda x: -x,
    lambda x: ops.relu(x),
    lambda x: ops.tanh(x),
    lambda x: ops.square(x),
    lambda x: ops.absolute(x),
    lambda x: x[:, :1],
    lambda x: x[..., -1:],
    lambda x: ops.mean(x, axis=-1, keepdims=True),
    lambda x: ops.sum(x, axis=1, keepdims=True),
    lambda x: ops.maximum(x, 0.1),
    lambda x: ops.softmax(x),
)
BINARY_OPS: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: ops.minimum(x, y),
    lambda x, y: ops.concatenate([x, y], axis=-1),
)
MERGES = (L.Add, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate)


class _Maker:
    """Grows a graph step by step; every tensor that was made can be used again."""

    def __init__(self, draw: Any, with_ops: bool, depth: int) -> None:
        self.draw = draw
        self.with_ops = with_ops
        self.depth = depth
        self.pool: list[Any] = []
        self.used: set[int] = set()
        self.layers: list[tuple[Any, tuple[int | None, ...]]] = []
        self.shared = 0
        self.inner = 0

    def add(self, made: Any) -> None:
        self.pool.extend(made if isinstance(made, (list, tuple)) else [made])

    def pick(self, fits: Callable[[Any], bool] = lambda tensor: True) -> Any:
        """A tensor of the pool, one that is not used yet where there is one."""
        found = [tensor for tensor in self.pool if fits(tensor) and len(tensor.shape) in LAYERS]
        if not found:
            return None
        fresh = [tensor for tensor in found if id(tensor) not in self.used]
        tensor = self.draw(st.sampled_from(fresh if fresh and self.draw(st.booleans()) else found))
        self.used.add(id(tensor))
        return tensor

    def step(self) -> None:
        """One more call of something."""
        kinds = [self.layer, self.layer, self.layer, self.again, self.merge, self.model]
        if self.with_ops:
            kinds += [self.op, self.pair]
        self.draw(st.sampled_from(kinds))()

    def layer(self) -> None:
        tensor = self.pick()
        layer = self.draw(st.sampled_from(LAYERS[len(tensor.shape)]))(self.draw)
        self.layers.append((layer, tensor.shape))
        self.add(layer(tensor))

    def again(self) -> None:
        """Call a layer or model a second time."""
        if not self.layers:
            return self.layer()
        layer, shape = self.draw(st.sampled_from(self.layers))
        tensor = self.pick(lambda one: one.shape == shape)
        if tensor is None:
            return self.layer()
        self.shared += 1
        self.add(layer(tensor))
        return None

    def merge(self) -> None:
        first = self.pick()
        second = self.pick(lambda one: one.shape == first.shape)
        if second is None or second is first:
            return self.layer()
        merge = self.draw(st.sampled_from(MERGES))()
        self.add(merge([first, second]))
        return None

    def op(self) -> None:
        self.add(self.draw(st.sampled_from(UNARY_OPS))(self.pick()))

    def pair(self) -> None:
        first = self.pick()
        second = self.pick(lambda one: one.shape == first.shape)
        if second is None:
            return self.op()
        self.add(self.draw(st.sampled_from(BINARY_OPS))(first, second))
        return None

    def model(self) -> None:
        """A model inside: a chain, or a graph of its own with one input or two and one output or two."""
        if self.depth <= 0:
            return self.layer()
        first = self.pick()
        self.inner += 1
        if self.draw(st.booleans()):
            chain: Any = Sequential([L.InputLayer(batch_shape=first.shape)])
            tensor_rank = len(first.shape)
            for _ in range(self.draw(st.integers(1, 2))):
                chain.add(self.draw(st.sampled_from(LAYERS[tensor_rank]))(self.draw))
                tensor_rank = len(chain.output_shape)
            self.layers.append((chain, first.shape))
            self.add(chain(first))
            return None
        second = self.pick() if self.draw(st.booleans()) else None
        inner = _Maker(self.draw, self.with_ops, self.depth - 1)
        shapes = [tensor.shape for tensor in (first, second) if tensor is not None]
        inputs = [Input(batch_shape=shape) for shape in shapes]
        inner.add(inputs)
        for _ in range(self.draw(st.integers(1, 3))):
            inner.step()
        outputs = inner.ends(2)
        made = Model(inputs if second is not None else inputs[0], outputs[0] if len(outputs) == 1 else outputs)
        if second is None:
            self.layers.append((made, first.shape))
        self.shared += inner.shared
        self.inner += inner.inner
        self.add(made(first if second is None else [first, second]))
        return None

    def ends(self, most: int) -> list[Any]:
        """The tensors that nothing uses, put together until there are at most so many."""
        left = [tensor for tensor in self.pool if id(tensor) not in self.used]
        left = [tensor for tensor in left if not _is_input(tensor)] or [L.Activation("tanh")(self.pool[-1])]
        unused = [tensor for tensor in self.pool if _is_input(tensor) and id(tensor) not in self.used]
        left += [L.Activation("tanh")(tensor) for tensor in unused]
        while len(left) > most:
            first, second = (one if len(one.shape) == 2 else L.Flatten()(one) for one in left[-2:])
            left[-2:] = [L.Concatenate()([first, second])]
        return left


def _is_input(tensor: Any) -> bool:
    return isinstance(tensor._keras_history.layer, L.InputLayer)


def _inputs(draw: Any, masks: bool) -> list[tuple[Any, Any, Callable[[np.random.Generator], np.ndarray[Any, Any]]]]:
    """(the input, the tensor to go on with, how to make an array) of one to three inputs of different kinds."""
    made = []
    for index in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("vector", "sequence", "image", "tokens")))
        name = f"{kind}_{index}"
        if kind == "tokens":
            tokens = Input((5,), dtype="int32", name=name)
            masked = masks and draw(st.booleans())
            embedded = L.Embedding(9, 4, mask_zero=masked)(tokens)
            made.append((tokens, L.LSTM(4)(embedded) if masked else embedded, _integers))
            continue
        shape = {"vector": (6,), "sequence": (4, 3), "image": (5, 4, 3)}[kind]
        tensor = Input(shape, name=name)
        made.append((tensor, tensor, lambda rng, shape=shape: rng.standard_normal((ROWS, *shape)).astype("float32")))
    return made


def _integers(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    tokens = rng.integers(1, 9, (ROWS, 5)).astype("int32")
    tokens[1:, 3:] = 0
    return tokens


def _nested(draw: Any, tensors: list[Any]) -> Any:
    """Outputs as one tensor, a list, a dict, or a list of lists."""
    form = draw(st.sampled_from(("list", "dict", "nested")))
    if len(tensors) == 1 and form != "dict":
        return tensors[0]
    if form == "dict":
        return {f"out_{index}": tensor for index, tensor in enumerate(tensors)}
    return [tensors[0], tensors[1:]] if form == "nested" and len(tensors) > 2 else tensors


@st.composite
def models(
    draw: Any, with_ops: bool = True, depth: int = 2, steps: int = 8, nested: bool = True, masks: bool = True
) -> Made:
    """A random model.

    Args:
        with_ops: whether ops are applied between layers.
        depth: how deep models lie inside models.
        steps: the most calls on the outermost level.
        nested: whether outputs may be a dict or a list of lists.
        masks: whether embeddings may mask; Keras 3 does not open every such model, since masks decide its order there.
    """
    maker = _Maker(draw, with_ops, depth)
    given = _inputs(draw, masks)
    for _, tensor, _ in given:
        maker.add(tensor)
    for _ in range(draw(st.integers(2, steps))):
        maker.step()
    outputs = maker.ends(3)
    inputs = [tensor for tensor, _, _ in given]
    nest = _nested(draw, outputs) if nested else outputs
    model = Model(inputs[0] if len(inputs) == 1 else inputs, nest)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    scatter_weights(model, rng)
    arrays = {tensor._keras_history.layer.name: make(rng) for tensor, _, make in given}
    return Made(model, arrays, maker.shared, maker.inner)


def scatter_weights(model: Any, rng: np.random.Generator) -> None:
    """Give every weight numbers of its own, so that exchanged ones show; positive where they are variances."""
    model.set_weights([rng.uniform(0.1, 0.6, weight.shape).astype(weight.dtype) for weight in model.weights])
