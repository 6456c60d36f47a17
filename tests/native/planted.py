"""Plants an error for the sanitizers: what they must end. `make sanitize` runs each kind and wants it to fail.

python tests/native/planted.py overrun      a leaf writes one element more than its output has
python tests/native/planted.py misaligned   a leaf reads floats from an odd address
python tests/native/planted.py none         neither: must succeed
"""

from __future__ import annotations

import sys

import numpy as np

from graphflow.kernels import _leaf

kind = sys.argv[1]
n = 1000
x, y = np.zeros(4 * n + 4, np.uint8), np.zeros(4 * n, np.uint8)
given = {
    "x": x.ctypes.data + (kind == "misaligned"),
    "y": y.ctypes.data,
    "n": n + (kind == "overrun"),
    "act": _leaf.ACTIVATIONS.index("relu"),
}
slots = np.array([given.get(name, 0) for name, _ in _leaf.FIELDS["unary_f32"]], np.int64)
for table in _leaf.TABLES.values():
    _leaf.call(table["leaves"]["unary_f32"], slots.ctypes.data, 0, given["n"], 0)
print(f"{_leaf.__file__} ran to its end")
