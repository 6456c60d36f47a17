"""A large file opens without a second copy of it in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential
from graphflow.formats import Limits
from graphflow.layers import (
    GRU,
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Embedding,
    GlobalAveragePooling2D,
    MultiHeadAttention,
)

ROOT = Path(__file__).parents[2]

OPEN = """
import json, re, sys, numpy, graphflow, warnings
from graphflow.formats import keras_v3, keras_h5, Limits, load_weights, safetensors_read
from graphflow.samples import digits
graphflow.load_model(digits.MODEL)
def memory(field):
    return 1024 * int(re.search(field + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")
before, anonymous = memory("VmRSS"), memory("RssAnon")
limits = Limits() if sys.argv[2] == "mapped" else Limits(mapped_from=1 << 60)
if sys.argv[1].endswith(("weights.h5", "safetensors")):
    with graphflow.layers.holder.deferred_weights():
        size = int(sys.argv[3])
        model = graphflow.Sequential([graphflow.layers.Dense(size, input_shape=(size,), use_bias=False, name="square")])
    model.load_weights(sys.argv[1], limits=limits)
else:
    model = graphflow.load_model(sys.argv[1], limits=limits)
peak, kept = memory("VmHWM") - before, memory("RssAnon") - anonymous
weight = model.weights[0].value
corner = [float(weight[0, 0]), float(weight[1, 2]), float(weight[-1, -1])]
print(json.dumps({"peak": peak, "kept": kept, "corner": corner, "writeable": bool(weight.flags.writeable)}))
"""


def move(model: Any, path: Path) -> None:
    """Save a model so that its weights lie askew."""
    source_path, begins = path.with_name("source.keras"), 0
    model.save(source_path)
    for padding in (b"x", b"xx"):
        with zipfile.ZipFile(source_path) as source, zipfile.ZipFile(path, "w") as target:
            target.writestr("note", padding)
            for name in source.namelist():
                target.writestr(name, source.read(name))
            begins = target.getinfo("model.weights.h5").header_offset + 30 + len("model.weights.h5")
        if begins % 4:
            break
    assert begins % 4
    source_path.unlink()


def written(folder: Path, ending: str, side: int) -> tuple[Path, list[float]]:
    """A file of one square matrix, and three of its numbers."""
    model = Sequential([Dense(side, input_shape=(side,), use_bias=False, kernel_initializer="zeros", name="square")])
    kernel = np.arange(side * side, dtype="float32").reshape(side, side)
    model.set_weights([kernel])
    path = folder / f"model{ending}"
    if ending == "moved.keras":  # as Keras writes them: wherever the configuration ends
        move(model, path)
    elif ending in (".keras", ".h5"):
        model.save(path)
    else:
        model.save_weights(path)
    return path, [float(kernel[0, 0]), float(kernel[1, 2]), float(kernel[-1, -1])]


def opened(path: Path, way: str, side: int) -> dict[str, Any]:
    """What a process of its own says that it took."""
    command = [sys.executable, "-c", OPEN, str(path), way, str(side)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(folder: Path, ending: str, side: int) -> None:
    path, corner = written(folder, ending, side)
    size = path.stat().st_size
    mapped, copied = opened(path, "mapped", side), opened(path, "copied", side)
    slack = 50e6
    assert mapped["corner"] == copied["corner"] == corner
    assert copied["writeable"]
    assert 0.9 * size < copied["kept"] < size + slack
    assert copied["peak"] < size + slack
    assert not mapped["writeable"]
    assert mapped["kept"] < slack
    assert mapped["peak"] < slack


@pytest.mark.parametrize("ending", [".keras", "moved.keras", ".h5", ".weights.h5"])
def test_a_hundred_megabytes(tmp_path: Path, ending: str) -> None:
    check(tmp_path, ending, 5000)


@pytest.mark.fuzz
@pytest.mark.parametrize("ending", [".keras", "moved.keras", ".h5", ".weights.h5", ".safetensors"])
def test_five_hundred_megabytes(tmp_path: Path, ending: str) -> None:
    check(tmp_path, ending, 11_200)


def test_a_mapped_model_predicts_and_can_be_changed(tmp_path: Path) -> None:
    path, _ = written(tmp_path, ".keras", 300)
    mapped = graphflow.load_model(path, limits=Limits(mapped_from=1))
    copied = graphflow.load_model(path, limits=Limits(mapped_from=1 << 60))
    assert not mapped.weights[0].value.flags.writeable
    assert copied.weights[0].value.flags.writeable
    x = np.random.default_rng(0).random((5, 300), "float32")
    np.testing.assert_array_equal(mapped.predict(x, verbose=0), copied.predict(x, verbose=0))
    assert mapped.get_weights()[0].flags.writeable
    mapped.set_weights([np.ones((300, 300))])
    np.testing.assert_allclose(mapped.predict(x, verbose=0)[:, 0], x.sum(1), rtol=1e-5)


def test_saving_over_a_mapped_file_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    path, corner = written(tmp_path, ".keras", 300)
    model = graphflow.load_model(path, limits=Limits(mapped_from=1))
    other = graphflow.load_model(path)
    other.set_weights([np.zeros((300, 300))])
    other.save(path)
    model.save(path)
    assert float(model.weights[0].value[1, 2]) == corner[1]
    assert float(graphflow.load_model(path).weights[0].value[1, 2]) == corner[1]


def everything() -> Any:
    """Weights that kernels pack, fold, transform by Winograd's method, or read as they are."""
    image, words = Input((9, 9, 8)), Input((6,), dtype="int32")
    y = Conv2D(24, 3, padding="same")(image)
    y = BatchNormalization()(Conv2D(16, 3, use_bias=False, groups=2)(y))
    y = Conv2DTranspose(8, 3, strides=2)(DepthwiseConv2D(3, depth_multiplier=2)(DepthwiseConv2D(3)(y)))
    z = Embedding(50, 12)(words)
    z = GRU(10)(MultiHeadAttention(2, 5)(z, z))
    return Model([image, words], [Dense(7)(GlobalAveragePooling2D()(y)), Dense(3)(z)])


@pytest.mark.parametrize("reference", [False, True])
def test_weights_that_lie_askew_in_the_file_give_the_same_bits(tmp_path: Path, reference: bool) -> None:
    path = tmp_path / "model.keras"
    made = everything()
    rng = np.random.default_rng(3)
    made.set_weights([rng.random(one.shape, "float32") for one in made.get_weights()])
    move(made, path)
    rows = [rng.random((3, 9, 9, 8), "float32"), rng.integers(0, 50, (3, 6)).astype("int32")]
    with graphflow.knobs(reference=reference):
        mapped = graphflow.load_model(path, limits=Limits(mapped_from=1))
        copied = graphflow.load_model(path, limits=Limits(mapped_from=1 << 60))
        for one, other in zip(mapped.session().run(rows), copied.session().run(rows), strict=True):
            np.testing.assert_array_equal(one, other)
    askew = [one.value for one in mapped.weights if not one.value.flags.aligned]
    assert len(askew) > 10
    for one, other in zip(mapped.get_weights(), copied.get_weights(), strict=True):
        assert one.flags.aligned
        np.testing.assert_array_equal(one, other)


def test_memory_of_the_file_is_let_go_of_after_packing(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "moved.keras", 3000)
    model = graphflow.load_model(path, limits=Limits(mapped_from=1))
    kernel = model.weights[0].value
    assert resident(kernel) < 2 << 20
    model.session().run([np.zeros((1, 3000), "float32")])
    assert resident(kernel) < 2 << 20
    assert float(kernel.sum(dtype="float64")) == 3000**2 * (3000**2 - 1) / 2
    assert resident(kernel) > 30 << 20


def resident(array: np.ndarray[Any, Any]) -> int:
    """Bytes of an array of a file that are in this process' memory."""
    begin = array.__array_interface__["data"][0]
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            low, high = (int(one, 16) for one in first.split("-"))
            inside = low < begin + array.nbytes and begin < high
        elif inside and first == "Rss:":
            found += 1024 * int(line.split()[1])
    return found
