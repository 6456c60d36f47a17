"""MultiHeadAttention."""

from __future__ import annotations

import math
from typing import Any

from graphflow import initializers, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.ir.build import GraphTensor
from graphflow.layers.activation import Softmax
from graphflow.layers.core import EinsumDense
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.regularization import Dropout, share
from graphflow.layers.weights import WeightSettings
from graphflow.ops.band import band
from graphflow.registry import serialize
from graphflow.spec import format_shape, spec_of

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _rank(x: Any) -> int:
    return len(spec_of(x).shape)


def _projection(free: int, bound: int, made: int) -> tuple[str, str]:
    """The equation of a projection from `free` + `bound` axes to `free` + `made`, and the labels of its bias."""
    labels = iter(_LETTERS)
    kept, gone, new = ("".join(next(labels) for _ in range(count)) for count in (free, bound, made))
    return f"{kept}{gone},{gone}{new}->{kept}{new}", new


def _attention(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """The equations of scores and of their combination with values, of tensors (batch, ..., heads, features)."""
    target = _LETTERS[:rank]
    others = iter(_LETTERS[rank:])
    source = "".join(next(others) if axis in axes else label for axis, label in enumerate(target))
    around = "".join(label for axis, label in enumerate(target[:-1]) if axis not in axes)
    scores = around + "".join(target[axis] for axis in axes) + "".join(source[axis] for axis in axes)
    return f"{source},{target}->{scores}", f"{scores},{source}->{target}"


@layer()
class MultiHeadAttention(Layer):
    """Attention of several heads at once, each with its own projections (Vaswani et al., 2017).

    Called as `layer(query, value, key=None)`: query (batch, t, dim), value (batch, s, dim_v), key as the value with
    features of its own; result (batch, t, dim), or (batch, t, *output_shape). More axes may stand between.

    Args:
        num_heads: how many heads.
        key_dim: features of a head's query and key.
        value_dim: features of a head's value; None: key_dim.
        dropout: the share of the weights of attention that training sets to zero.
        use_bias: whether the projections have biases.
        output_shape: the features of the result; None: those of the query.
        attention_axes: the axes over which attention goes, the batch counted; None: all but batch and features.
        sliding_window: hide positions at this distance or farther; None: none.
        use_gate: multiply what the heads give by a sigmoid gate made from the query.
        seed: for reproducible dropout.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint:
            of the weights, in the order query, key, value, output.

    In a call: `attention_mask`, bools that broadcast to (batch, heads, t, s); `use_causal_mask=True`;
    `return_attention_scores=True` for the weights of attention, too: (batch, heads, t, s); `query_mask`, `value_mask`,
    `key_mask` (batch, steps), by default those the tensors carry. A query that may see nothing sees all alike, as in
    Keras; in layers from Keras 3 files that return scores or have dropout it sees nothing.

    Source: https://keras.io/api/layers/attention_layers/multi_head_attention/
    """

    supports_masking = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: Any = None,
        *,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.settings = WeightSettings(kwargs, kernel="glorot_uniform", bias="zeros")
        self._projected_regularizer = kwargs.pop("activity_regularizer", None)
        super().__init__(**kwargs)
        sizes = {"num_heads": num_heads, "key_dim": key_dim, "value_dim": value_dim, "sliding_window": sliding_window}
        for name, value in sizes.items():
            optional = name in ("value_dim", "sliding_window") and value is None
            if not optional and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ArgumentError(f"{name} must be a positive integer, received {value!r}.")
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim or key_dim
        self.dropout, self.seed = share(dropout, "dropout"), seed
        self.use_bias, self.use_gate, self.sliding_window = bool(use_bias), bool(use_gate), sliding_window
        if flash_attention and self.dropout:
            raise ArgumentError("flash_attention can not be combined with dropout.")
        self.flash_attention = flash_attention
        self._output_shape = (output_shape,) if isinstance(output_shape, int) else output_shape and tuple(output_shape)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes

    def __call__(self, query: Any, value: Any = None, key: Any = None, **kwargs: Any) -> Any:
        if value is None:
            raise ArgumentTypeError("MultiHeadAttention is called on a query and a value: layer(query, value).")
        return super().__call__(query, value, *(() if key is None else (key,)), **kwargs)

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._value_shapes = [spec_of(tensor).shape for tensor in args[1:3] if tensor is not None]
        super()._ensure_built(args, kwargs)

    def build(self, input_shape: Any) -> None:
        query, value = input_shape, self._value_shapes[0]
        key = self._value_shapes[-1]
        if value[1:-1] != key[1:-1]:
            raise ShapeError(
                f"Value and key must have equal sizes but for the last, received {format_shape(value)} and "
                f"{format_shape(key)}."
            )
        heads = self.num_heads
        self._query_dense = self._project("query", len(query) - 1, 1, (heads, self.key_dim))
        self._key_dense = self._project("key", len(key) - 1, 1, (heads, self.key_dim))
        if self.use_gate:
            self._gate_dense = self._project("gate", len(query) - 1, 1, (heads, self.value_dim), "sigmoid")
        self._value_dense = self._project("value", len(value) - 1, 1, (heads, self.value_dim))
        out = tuple(self._output_shape or (query[-1],))
        self._output_dense = self._project("attention_output", len(query) - 1, 2, out)
        rank = len(value) + 1
        if self.attention_axes is None:
            axes = tuple(range(1, rank - 2))
        else:
            axes = tuple(axis if axis >= 0 else rank - 1 + axis for axis in self.attention_axes)
        if any(not 0 < axis < rank - 2 for axis in axes):
            raise ArgumentError(
                f"attention_axes must lie between batch and features, received {self.attention_axes!r} for "
                f"{format_shape(value)}."
            )
        self.attention_axes = axes
        self._equations = _attention(rank, axes)
        self._softmax = Softmax(tuple(range(-len(axes), 0)))
        self._softmax.era = self.era
        self._dropout_layer = Dropout(self.dropout, seed=self.seed)
        shapes = {"_query_dense": query, "_key_dense": key, "_gate_dense": query, "_value_dense": value}
        shapes["_output_dense"] = (*query[:-1], heads, self.value_dim)
        for name, shape in shapes.items():
            if hasattr(self, name):
                made = getattr(self, name)
                made.build(shape)
                made.built = True

    def _project(self, name: str, free: int, bound: int, out: tuple[int, ...], activation: Any = None) -> EinsumDense:
        equation, bias = _projection(free, bound, len(out))
        settings = self.settings.get_config()
        for which in ("kernel", "bias"):
            settings[f"{which}_initializer"] = initializers.get(settings[f"{which}_initializer"])
        made = EinsumDense(
            equation,
            (*(None,) * (free - 1), *out),
            activation,
            bias if self.use_bias else None,
            name=name,
            dtype=self.dtype,
            activity_regularizer=self._projected_regularizer,
            **settings,
        )
        made.trainable, made.drops_mask = self.trainable, True
        return made

    def call(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        given = ((query, query_mask), (value, value_mask), (key, key_mask))
        masks = [getattr(x, "_keras_mask", None) if one is None and x is not None else one for x, one in given]
        if self.era == "keras3":
            self._take_masks(query, value, key)
        key = value if key is None else key
        mask = self._mask(query, value, masks, attention_mask, use_causal_mask)
        gate = self._gate_dense(query) if self.use_gate else None
        queries, keys, values = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        scores = ops.einsum(self._equations[0], keys, queries * (1.0 / math.sqrt(self.key_dim)))
        weights = self._weigh(scores, mask, return_attention_scores)
        result = ops.einsum(self._equations[1], self._dropout_layer(weights, training=training), values)
        result = self._output_dense(result if gate is None else result * gate)
        return (result, weights) if return_attention_scores else result

    @staticmethod
    def _take_masks(*tensors: Any) -> None:
        """Keras 3 takes the masks off the tensors themselves, so that layers called after this one find none."""
        for tensor in tensors:
            if isinstance(tensor, GraphTensor):
                tensor._keras_mask = None

    def _mask(self, query: Any, value: Any, masks: list[Any], attention_mask: Any, causal: bool) -> Any:
        """Who may see whom, (batch, t, s), from all that says so; None where everyone sees all."""
        found = [
            ops.expand_dims(ops.cast(one, "bool"), axis)
            for one, axis in zip(masks, (-1, -2, -2), strict=True)
            if one is not None
        ]
        if causal:
            found.append(ops.expand_dims(band(query, value, 1, 1, low=0), 0))
        if self.sliding_window is not None:
            near = self.sliding_window - 1
            found.append(ops.expand_dims(band(query, value, 1, 1, low=-near, high=near), 0))
        if attention_mask is not None:
            found.append(ops.cast(attention_mask, "bool"))
        result = None
        for one in found:
            result = one if result is None else ops.logical_and(result, one)
        return result

    def _weigh(self, scores: Any, mask: Any, returned: bool) -> Any:
        if mask is None:
            return self._softmax(scores)
        assert self.attention_axes is not None
        while _rank(mask) < _rank(scores):
            mask = ops.expand_dims(mask, _rank(mask) - 2 * len(self.attention_axes))
        if self.era == "keras3" and not self.dropout and not returned and _rank(scores) == 4:
            return ops.softmax(ops.where(mask, scores, -1e9 if spec_of(scores).dtype != "float16" else -3e4))
        return self._softmax(scores, mask=mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self._output_shape,
            "attention_axes": self.attention_axes,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "seed": self.seed,
            "activity_regularizer": serialize(self._projected_regularizer),
            **self.settings.get_config(),
        }
