"""Attention and AdditiveAttention: of a query to keys, by products or sums."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.regularization import Dropout, share
from graphflow.ops.band import band
from graphflow.spec import format_shape, spec_of


def _rank(x: Any) -> int:
    return len(spec_of(x).shape)


@layer()
class Attention(Layer):
    """softmax(query . key) . value, for inputs [query, value] or [query, value, key] (Luong et al., 2015).

    Query (batch, tq, dim), value (batch, tv, dim_v), key (batch, tv, dim), by default the value; the result has shape
    (batch, tq, dim_v).

    Args:
        use_scale: whether the scores are multiplied by a weight.
        score_mode: "dot" for products of query and key, "concat" for a weight times sum(tanh(query + key)).
        dropout: the share of the weights of attention that training sets to zero.
        seed: for reproducible dropout.
        causal: as `use_causal_mask` in every call.

    The masks of query and value are those the inputs carry, or `mask=[query_mask, value_mask]`. `use_causal_mask=True`
    hides later positions; `return_attention_scores=True` returns the weights of attention, too: (batch, tq, tv).

    Source: https://keras.io/api/layers/attention_layers/attention/
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        *,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ArgumentError(f"score_mode must be 'dot' or 'concat', received {score_mode!r}.")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout, self.seed, self.causal = share(dropout, "dropout"), seed, bool(causal)
        self._dropout_layer = Dropout(self.dropout, seed=seed)
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def scores(self, query: Any, key: Any) -> Any:
        """How much each query is drawn to each key: (batch, tq, tv)."""
        if self.score_mode == "dot":
            rank = _rank(key)
            order = (*range(rank - 2), rank - 1, rank - 2)
            scores = ops.matmul(query, ops.transpose(key, order))
            return scores if self.scale is None else scores * self.scale
        joined = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        joined = joined if self.scale is None else self.scale * joined
        return self.concat_score_weight * ops.sum(ops.tanh(joined), -1)

    def _checked(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ArgumentTypeError(
                f"{type(self).__name__} is called on [query, value] or [query, value, key], received {inputs!r}."
            )
        for name, tensor in zip(("query", "value", "key"), inputs, strict=False):
            if _rank(tensor) < 3:
                shown = format_shape(spec_of(tensor).shape)
                raise ShapeError(f"The {name} must have shape (batch, steps, features), received {shown}.")
        return list(inputs)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        query, value, *rest = self._checked(inputs)
        masks = list(mask) if isinstance(mask, (list, tuple)) else [mask, None]
        query_mask, value_mask = [*masks, None][:2]
        scores = self.scores(query, rest[0] if rest else value)
        hidden = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), -2)
        if use_causal_mask or self.causal:
            seen = ops.expand_dims(band(scores, scores, low=0), 0)
            hidden = seen if hidden is None else ops.logical_and(hidden, seen)
        if hidden is not None:
            large = 65504.0 if spec_of(scores).dtype == "float16" else 1e9
            scores = ops.where(hidden, scores, scores - large)
        weights = ops.softmax(scores)
        result = ops.matmul(self._dropout_layer(weights, training=training), value)
        if query_mask is not None:
            kept = ops.expand_dims(ops.cast(query_mask, "bool"), -1)
            result = ops.where(kept, result, 0.0)
        return (result, weights) if return_attention_scores else result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, (list, tuple)) else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
            **({"causal": True} if self.causal else {}),
        }


@layer()
class AdditiveAttention(Attention):
    """Attention with the scores sum(scale * tanh(query + key)) (Bahdanau et al., 2015); see `Attention`.

    Args:
        use_scale: whether there is a weight `scale` of one number per feature.
        dropout: as for `Attention`.

    Source: https://keras.io/api/layers/attention_layers/additive_attention/
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(use_scale, "dot", dropout, seed, **kwargs)

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            size = input_shape[0][-1]
            if size is None:
                raise ShapeError(f"The size of the query's features must be known, received {input_shape[0]}.")
            self.scale = self.add_weight((size,), "glorot_uniform", name="scale")

    def scores(self, query: Any, key: Any) -> Any:
        joined = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(joined if self.scale is None else self.scale * joined, -1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("score_mode")
        return config
