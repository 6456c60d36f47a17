"""What each op costs: one literal table of formulas, which are shown as they are written here and computed from.

The names in them are those of `graphflow.inspect.quantities`; `graphflow.inspect.counting` computes them.

    multiply-adds   products that are added to a sum: those of convolutions, dense and matrix products, recurrences
    FLOPs           two for each multiply-add, and one for every other addition, product, division, comparison, minimum,
                    maximum, rounding and elementary function (exp, log, tanh, erf, sqrt, ...) of floating-point numbers

An op all of whose tensors are integers or booleans does no floating-point operation. Taps that fall into the padding
of a window count, as they do in the figures of papers. Bytes are those of the operands an op reads and of what it
writes, as if nothing stayed in caches; an op that only looks at its operand in another shape moves none.
"""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """The formulas of one op, over the names of `graphflow.inspect.quantities.QUANTITIES`.

    Args:
        macs: multiply-adds.
        others: further floating-point operations.
        reads: elements of the first operand that are read, where that is not all of them.
        moves: whether anything is read and written at all.
    """

    macs: str = "0"
    others: str = "0"
    reads: str = "x"
    moves: bool = True


class Counted(NamedTuple):
    """The cost of one node; `macs` and `flops` are None where they are not known.

    Attributes:
        formula: how FLOPs were counted, or why they are not known.
        values: the quantities of the formula with their values.
        bytes_read: of operands that a run makes or is given; weight_bytes: of constants and variables.
    """

    macs: int | None
    flops: int | None
    formula: str
    values: dict[str, int]
    bytes_read: int
    weight_bytes: int
    bytes_written: int


ACTIVATIONS: dict[str, int] = {
    "linear": 0,
    "relu": 1,
    "relu_general": 4,
    "clip": 2,
    "sigmoid": 4,
    "tanh": 1,
    "hard_sigmoid": 4,
    "elu": 4,
    "selu": 5,
    "softplus": 3,
    "softsign": 3,
    "exponential": 1,
    "silu": 5,
    "gelu": 5,
    "gelu_tanh": 9,
    "affine": 2,
    "negative": 1,
    "absolute": 1,
    "square": 1,
    "sqrt": 1,
    "rsqrt": 2,
    "reciprocal": 1,
    "log": 1,
    "erf": 1,
}
"""FLOPs for each element of the rows of `graphflow.ops.activation`."""

EPILOGUE = "y * (bias + residual + activation)"
MOVED = Cost()
TAKEN = Cost(reads="y")
VIEW = Cost(moves=False)
EACH = Cost(others="y * (1 + activation)")
REDUCED = Cost(others="x - y")

COSTS: dict[str, Cost] = {
    **{name: Cost(others=f"{count} * y") for name, count in ACTIVATIONS.items()},
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum", "floor_divide", "mod"), EACH),
    **dict.fromkeys(("power", "sin", "cos", "log1p", "expm1", "floor", "ceil", "round", "sign"), EACH),
    **dict.fromkeys(("tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"), EACH),
    **dict.fromkeys(("fmod", "truncated_divide", "isnan", "isinf"), EACH),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "left_shift", "right_shift"), MOVED),
    **dict.fromkeys(("pad_from_inside", "reverse_sequence", "expand_to", "fill", "range"), MOVED),
    **dict.fromkeys(("getitem", "slice_at", "gather_axis", "gather_elements", "gather_nd"), TAKEN),
    **dict.fromkeys(("triangle", "bitcast"), TAKEN),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), EACH),
    **dict.fromkeys(("logical_and", "logical_or", "logical_not", "cast", "cast_narrow", "where", "any", "all"), MOVED),
    **dict.fromkeys(("transpose", "concatenate", "pad", "broadcast_to", "tile", "repeat", "flip", "split"), MOVED),
    **dict.fromkeys(("reshape", "reshape_to", "flatten", "expand_dims", "squeeze"), VIEW),
    "chain": Cost(others="y * links"),
    "shape": VIEW,
    "scatter_elements": Cost(others="combined"),
    "scatter_nd": Cost(others="combined"),
    "full_like": Cost(reads="0"),
    "band": Cost(reads="0"),
    "embedding": Cost(),
    "one_hot": Cost(),
    "conv": Cost("y * taps", EPILOGUE),
    "conv_transpose": Cost("x * taps", EPILOGUE),
    "inverted_residual": Cost(
        "expanded * channels + convolved * area + y * hidden",
        "expanded * (expand_bias + expand_activation) + convolved * (depthwise_bias + depthwise_activation) + "
        + EPILOGUE,
    ),
    "locally_connected": Cost("y * depth", EPILOGUE),
    "dense": Cost("y * depth", EPILOGUE),
    "matmul": Cost("y * depth", "y * activation"),
    "einsum": Cost("terms * products", "terms * (1 - products) + y * activation"),
    "max_pool": Cost(others="y * (window - 1)"),
    "max_pool_places": Cost(others="y * (window - 1)"),
    "pool_channels_first": Cost(others="y * window"),
    "unpool": MOVED,
    "fold_blocks": Cost(others="x"),
    "quantize": Cost(others="5 * y"),
    "dequantize": Cost(others="2 * y"),
    "average_pool": Cost(others="y * window"),
    "batch_norm": Cost(others="y * (2 + beta) + channels * (3 + gamma)"),
    "layer_norm": Cost(others="y * (5 - 2 * rms + gamma + beta) + 5 * rows"),
    "group_norm": Cost(others="y * (5 + gamma + beta) + 5 * rows"),
    "sum": REDUCED,
    "prod": REDUCED,
    "max": REDUCED,
    "min": REDUCED,
    "argmax": REDUCED,
    "argmin": REDUCED,
    "mean": Cost(others="x"),
    "cumsum": Cost(others="x"),
    "cumprod": Cost(others="x"),
    "softmax": Cost(others="5 * x"),
    "resize": Cost(others="3 * between"),
    "interpolate": Cost(others="mixed"),
    "resample": Cost(others="mixed"),
    "random_uniform": Cost(reads="0"),
    "random_normal": Cost(reads="0"),
    "lstm": Cost(
        "steps * 4 * units * (features + units)",
        "steps * units * (4 + 4 * bias + 3 * gate + 2 * inner + 4)",
    ),
    "gru": Cost(
        "steps * 3 * units * (features + units)",
        "steps * units * (3 + 3 * bias + 2 * gate + inner + 5)",
    ),
    "rnn": Cost(
        "steps * units * (features + units)",
        "steps * units * (1 + bias + inner)",
    ),
    "scan": Cost("steps * body_macs", "steps * (body_flops - 2 * body_macs)"),
}
"""Op to its formulas."""

UNCOUNTED: dict[str, str] = {
    "opaque": "a Python function",
    "dft": "its steps depend on the factors of its length",
    "grid_sample": "what it weighs depends on the data",
    "deform_conv": "what it weighs depends on the data",
    "roi_align": "what it weighs depends on the data",
    "determinant": "its steps depend on the data",
    "top_k": "its comparisons depend on the data",
}
"""Op to the reason why there is no formula for it."""
