"""Files of mixed policies: refused by name, or computed in float32 where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.errors import UnsupportedError


@pytest.mark.oracle
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_model_is_that_of_float32(package: str, policy: str, ending: str, tmp_path: Path) -> None:
    keras = pytest.importorskip(package, reason="writes the file and computes in float32")

    def network(dtype: Any) -> Any:
        x = keras.Input((12, 12, 3))
        y = keras.layers.Conv2D(8, 3, activation="relu", dtype=dtype, name="look")(x)
        y = keras.layers.BatchNormalization(dtype=dtype, name="norm")(y)
        y = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="mean")(y)
        return keras.Model(x, keras.layers.Dense(4, activation="softmax", dtype="float32", name="classes")(y))

    mixed, exact = network(policy), network("float32")
    rng = np.random.default_rng(3)
    weights = [rng.uniform(0.1, 1.0, one.shape).astype("float32") for one in mixed.get_weights()]
    mixed.set_weights(weights)
    exact.set_weights(weights)
    file = str(tmp_path / f"mixed.{ending}")
    mixed.save(file)
    with pytest.raises(UnsupportedError, match=f"layer 'look': the dtype policy '{policy}' is not supported"):
        graphflow.load_model(file)
    model = graphflow.load_model(file, custom_objects={policy: "float32"})
    images = rng.random((5, 12, 12, 3), np.float32)
    expected = np.asarray(exact.predict(images, verbose=0))
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=0, atol=1e-5 * expected.max())
    rounded = np.asarray(mixed.predict(images, verbose=0))
    assert 1e-5 < np.abs(rounded - expected).max() < 0.05, "the policy computes otherwise"
