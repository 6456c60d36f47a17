"""Cases of the ops that only files of other systems ask for: they run on their references."""

from __future__ import annotations

import ml_dtypes  # noqa: F401  registers the names of its data types with NumPy

from cases.problem import OpCase, w, x
from graphflow.ops.resample import METHODS
from graphflow.ops.scalar import ANGLES
from graphflow.ops.windows import KINDS


def scalars() -> list[OpCase]:
    cases = [OpCase(name, (x(3, 5),)) for name in ANGLES]
    bits = ("bitwise_and", "bitwise_or", "bitwise_xor")
    cases += [OpCase(name, (x(3, 4, dtype="uint8", high=200), x(4, dtype="uint8", batch=False))) for name in bits]
    shifts = ("left_shift", "right_shift")
    cases += [OpCase(name, (x(3, 4, dtype="int32"), x(3, 4, dtype="int32", low=0, high=40))) for name in shifts]
    cases += [
        OpCase("bitwise_not", (x(3, 4, dtype="int16"),)),
        OpCase("truncated_divide", (x(3, 4, dtype="int32", low=-50, high=50), x(4, dtype="int32", low=1, batch=False))),
        OpCase("fmod", (x(3, 4), x(3, 4, kind="positive"))),
        OpCase("isnan", (x(3, 7, kind="special"),)),
        OpCase("isinf", (x(3, 7, kind="special"),), {"positive": True, "negative": False}),
        OpCase("isinf", (x(3, 7, kind="special"),), {"positive": True, "negative": True}),
        OpCase("cast_narrow", (x(3, 4),), {"dtype": "float8_e5m2", "saturate": True, "round_mode": "up"}),
        OpCase("bitcast", (x(3, 4),), {"dtype": "int32"}),
    ]
    return cases


def places() -> list[OpCase]:
    inside = {"dtype": "int64", "low": -4, "high": 4}
    return [
        OpCase("gather_axis", (x(3, 4, 5), w(2, 3, **inside)), {"axis": 1}),
        OpCase("gather_axis", (w(4, 5), x(3, 2, **inside)), {"axis": 0}),
        OpCase("gather_elements", (x(3, 4), x(3, 2, **inside)), {"axis": 1}),
        OpCase("scatter_elements", (x(3, 4), x(3, 2, **inside), x(3, 2)), {"axis": 1, "reduction": "none"}),
        OpCase("scatter_elements", (x(3, 4), x(3, 2, **inside), x(3, 2)), {"axis": 1, "reduction": "add"}),
        OpCase("gather_nd", (w(4, 4, 3), x(3, 2, 2, **inside)), {"batch": 0}),
        OpCase("gather_nd", (x(3, 4, 5), x(3, 2, 1, **inside)), {"batch": 1}),
        OpCase("scatter_nd", (x(4, 4, 3, batch=False), w(2, 2, **inside), w(2, 3)), {"reduction": "max"}),
        OpCase("top_k", (x(3, 7),), {"axis": 1, "k": 3, "largest": True}),
        OpCase("top_k", (x(3, 5, 4, dtype="int32"),), {"axis": 1, "k": 2, "largest": False}),
        OpCase("triangle", (x(3, 4, 5),), {"upper": True, "diagonal": 1}),
        OpCase("triangle", (x(3, 4, 5),), {"upper": False, "diagonal": -1}),
        OpCase("reverse_sequence", (x(3, 6, 2), x(3, dtype="int64", low=0, high=7)), {"batch": 0, "time": 1}),
        OpCase("pad_from_inside", (x(3, 4, 5),), {"amounts": ((0, 0), (1, 2), (3, 0)), "mode": "reflect"}),
        OpCase("pad_from_inside", (x(3, 4),), {"amounts": ((0, 0), (5, 2)), "mode": "wrap"}),
        OpCase("determinant", (x(3, 4, 4),)),
    ]


def pools() -> list[OpCase]:
    plain = {"size": (3, 2), "strides": (2, 1), "dilation": (1, 2), "padding": ((1, 0), (2, 1)), "ceil": True}
    pool = {**plain, "include": False, "p": 2}
    return [
        *(OpCase("pool_channels_first", (x(2, 3, 7, 6),), {**pool, "kind": kind}) for kind in KINDS),
        OpCase("pool_channels_first", (x(2, 3, 7, 6),), {**pool, "kind": "average", "include": True}),
        OpCase("pool_channels_first", (x(2, 3, 7, 6, dtype="int8"),), {**pool, "kind": "max"}),
        OpCase("max_pool_places", (x(2, 3, 7, 6, batch=False),), {**plain, "by_column": False}),
        OpCase("unpool", (x(1, 1, 2, 2), w(1, 1, 2, 2, dtype="int64", low=0, high=16)), {"shape": (1, 1, 4, 4)}),
    ]


def quantised() -> list[OpCase]:
    down = {"dtype": "int8", "axis": 1, "block": 0, "saturate": True, "precision": ""}
    up = {"dtype": "float32", "axis": 1, "block": 0}
    scale, zero = w(4, kind="positive"), w(4, dtype="int8", low=-9, high=9)
    return [
        OpCase("quantize", (x(3, 4, 2, kind="wide"), scale, zero), down),
        OpCase("quantize", (x(3, 4), w(1, kind="positive"), None), {**down, "dtype": "uint8"}),
        OpCase("dequantize", (x(3, 4, 2, dtype="int8", low=-99, high=99), scale, zero), up),
        OpCase("dequantize", (x(3, 4, dtype="int8", batch=False), w(3, 2, kind="positive"), None), {**up, "block": 2}),
    ]


def resized() -> list[OpCase]:
    rows = ((2, 7, 1.75, 0.0, 1.0), (1, 3, 0.5, 0.1, 0.8))
    plain = {"rows": rows, "mode": "linear", "places": "half_pixel", "rounding": "floor", "cubic": -0.75}
    plain |= {"exclude": False, "antialias": False, "beyond": 0.5}
    given = (x(2, 6, 4),)
    return [
        OpCase("interpolate", given, plain),
        OpCase("interpolate", given, {**plain, "mode": "nearest", "places": "asymmetric"}),
        OpCase("interpolate", given, {**plain, "mode": "cubic", "exclude": True}),
        OpCase("interpolate", given, {**plain, "antialias": True}),
        OpCase("interpolate", given, {**plain, "places": "tf_crop_and_resize"}),
    ]


def resampled() -> list[OpCase]:
    plain = {"axes": (1, 2), "size": (5, 3), "method": "bilinear", "antialias": False, "fit": "stretch", "fill": 0.5}
    given = (x(2, 7, 4, 3),)
    return [
        *(OpCase("resample", given, {**plain, "method": name}) for name in METHODS),
        OpCase("resample", given, {**plain, "method": "bicubic", "antialias": True}),
        *(OpCase("resample", given, {**plain, "fit": name}) for name in ("crop", "pad", "center")),
        OpCase("resample", (x(2, 3, 7, 4, dtype="uint8", high=9),), {**plain, "method": "nearest", "axes": (2, 3)}),
    ]


def sampled() -> list[OpCase]:
    fold = {"image": (5, 4), "block": (2, 2), "strides": (1, 2), "dilation": (2, 1), "padding": ((1, 0), (0, 0))}
    line = {"axis": 1, "length": None, "inverse": False, "onesided": False}
    ways = [(mode, border) for mode in ("nearest", "linear", "cubic") for border in ("zeros", "border", "reflection")]
    return [
        *(
            OpCase("grid_sample", (x(2, 3, 4, 5), x(2, 3, 2, 2)), {"mode": a, "border": b, "aligned": a == "linear"})
            for a, b in ways
        ),
        OpCase("fold_blocks", (x(2, 12, 8),), fold),
        OpCase("dft", (x(2, 6, 1),), line),
        OpCase("dft", (x(2, 6, 2),), {**line, "inverse": True, "length": 4}),
        OpCase("dft", (x(2, 7, 3, 1),), {**line, "onesided": True}),
        OpCase("dft", (x(2, 5, 2),), {**line, "onesided": True, "inverse": True}),
    ]


def regions() -> list[OpCase]:
    align = {"size": (2, 3), "scale": 0.5, "ratio": 2, "mode": "avg", "shift": 0.5}
    rois = (x(2, 3, 6, 6, batch=False), x(4, 4, kind="positive"), x(4, dtype="int64", low=0, high=2))
    window = {"strides": (1, 2), "padding": ((1, 0), (0, 1)), "dilation": (1, 1), "groups": 1, "offset_groups": 2}
    given = (x(2, 4, 5, 6), w(3, 4, 2, 2), x(2, 16, 5, 3), w(3))
    return [
        OpCase("roi_align", rois, align),
        OpCase("roi_align", rois, {**align, "ratio": 0, "mode": "max", "shift": 0.0}),
        OpCase("deform_conv", (*given, None), window),
        OpCase("deform_conv", (*given, x(2, 8, 5, 3)), window),
    ]


ELSEWHERE = {
    "range": "tests/test_sized.py",
    "fill": "tests/test_sized.py",
    "expand_to": "tests/test_sized.py",
    "slice_at": "tests/test_sized.py",
}
"""Ops whose shapes follow from the values of other tensors, and where they are tested, inside graphs."""

CASES: list[OpCase] = [*scalars(), *places(), *pools(), *quantised(), *resized(), *resampled(), *sampled(), *regions()]
