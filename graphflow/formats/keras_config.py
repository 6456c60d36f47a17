"""Arguments that classes here do not take: which of them carry no number, and at which value the others change nothing.

Such an argument is dropped; at another value the model is refused.
"""

from __future__ import annotations

from typing import Any

from graphflow.formats.keras_description import Reading

IGNORED: frozenset[str] = frozenset(
    (
        "autocast",
        "consume_less",
        "dynamic",
        "fused",
        "implementation",
        "input_length",
        "key_shape",
        "optional",
        "query_shape",
        "ragged",
        "renorm_momentum",
        "rng_type",
        "synchronized",
        "use_cudnn",
        "value_shape",
    )
)
"""Arguments that never change a number."""

KEPT = frozenset((("LocallyConnected1D", "implementation"), ("LocallyConnected2D", "implementation")))
"""Ignored arguments that some classes need all the same: this one says how weights are stored."""

NEUTRAL: dict[str, Any] = {
    "experimental_autocast": True,
    "lora_alpha": None,
    "lora_rank": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "reverse_state_order": False,
    "robust_masking": False,
    "softmax_robust_masking": False,
    "sparse": False,
    "time_major": False,
    "virtual_batch_size": None,
}
"""Arguments that change nothing at this value, for layers that do not take them."""

NEUTRAL_FOR: dict[tuple[str, str], Any] = {
    **{(f"Depthwise{name}", "groups"): 1 for name in ("Conv1D", "Conv2D")},
    **{(f"Separable{name}", "groups"): 1 for name in ("Conv1D", "Conv2D")},
    **{(f"Conv{rank}DTranspose", "groups"): 1 for rank in (1, 2, 3)},
    **{(f"SpatialDropout{rank}D", "noise_shape"): None for rank in (1, 2, 3)},
}
"""The same for single classes, which other classes do take."""

TAKES_SPARSE = frozenset(("InputLayer",))


def without_ignored(class_name: str, config: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """The arguments of one of Keras' layers that its class here takes; one that it lacks is noted as refused."""
    kept: dict[str, Any] = {}
    for name, value in config.items():
        if name in IGNORED and (class_name, name) not in KEPT:
            continue
        if name in NEUTRAL and not (name == "sparse" and class_name in TAKES_SPARSE):
            if value != NEUTRAL[name] and value is not None:
                reading.refuse(f"{class_name} with {name}={value!r:.80} is not supported.")
            continue
        if (class_name, name) in NEUTRAL_FOR and value == NEUTRAL_FOR[class_name, name]:
            continue
        kept[name] = value
    return kept
