"""`Model.load_weights` of every kind of file: the right numbers, every mismatch named, and all or nothing."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphflow import Input, Model, Sequential
from graphflow.errors import ArgumentError, GraphflowError, ModelFormatError, UnsupportedError
from graphflow.layers import LSTM, BatchNormalization, Bidirectional, Conv2D, Dense, Flatten, TimeDistributed


def model_of(units: int = 3, seed: int = 1, last: str = "last") -> Model:
    """An inner model, wrappers, weights of several kinds, and numbers that no initialiser gives."""
    inner_in = Input((6, 5, 2), name="inner_in")
    inner = Model(inner_in, Flatten()(BatchNormalization(name="norm")(Conv2D(3, 2, name="conv")(inner_in))), name="in")
    x, words = Input((6, 5, 2), name="x"), Input((4, 3), name="words")
    seen = Dense(units, name="seen")(inner(x))
    read = Bidirectional(LSTM(2, name="lstm"), name="both")(TimeDistributed(Dense(2, name="td"), name="each")(words))
    model = Model([x, words], [Dense(2, name=last)(seen), Dense(1, name="score")(read)])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(one.shape).astype("float32") for one in model.weights])
    return model


def same(left: Model, right: Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left.get_weights(), right.get_weights(), strict=True))


ENDINGS = (".keras", ".weights.h5", ".h5", "whole.h5", ".safetensors")


def written(model: Model, folder: Path, ending: str) -> Path:
    path = folder / f"model{ending}"
    if ending == ".safetensors":
        pytest.importorskip("safetensors", reason="the writer of .safetensors needs it")
    if ending in (".keras", "whole.h5"):
        model.save(path)
    else:
        model.save_weights(path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
class TestEveryFormat:
    def test_weights_come_back(self, tmp_path: Path, ending: str) -> None:
        source, target = model_of(seed=1), model_of(seed=2)
        assert not same(source, target)
        arrays = [np.ones((2, 6, 5, 2)), np.ones((2, 4, 3))]
        before = target.predict(arrays, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.load_weights(written(source, tmp_path, ending))
        assert same(source, target)
        after, wanted = target.predict(arrays, verbose=0), source.predict(arrays, verbose=0)
        assert not np.array_equal(after[0], before[0])
        np.testing.assert_array_equal(after[0], wanted[0])

    def test_every_mismatch_is_in_one_error_and_nothing_changes(self, tmp_path: Path, ending: str) -> None:
        path, target = written(model_of(3), tmp_path, ending), model_of(4, seed=2)
        before = target.get_weights()
        seen, last = r"'seen' \(Dense\) at .*expected .*\(60, 4\), \(4,\)", r"'last' \(Dense\) at .*\(4, 2\), \(2,\)"
        with pytest.raises(ModelFormatError, match=rf"(?s)model.*{seen}.*received.*\(60, 3\), \(3,\).*{last}"):
            target.load_weights(path)
        assert all(np.array_equal(a, b) for a, b in zip(before, target.get_weights(), strict=True))

    def test_skip_mismatch_warns_of_each_layer_and_takes_the_rest(self, tmp_path: Path, ending: str) -> None:
        source, target = model_of(3), model_of(4, seed=2)
        kept = target.get_layer("seen").get_weights()
        with pytest.warns(UserWarning, match="skipped layer") as caught:
            target.load_weights(written(source, tmp_path, ending), skip_mismatch=True)
        assert [one for one in ("seen", "last") for row in caught if f"layer '{one}'" in str(row.message)] == [
            "seen",
            "last",
        ]
        assert len(caught) == 2
        assert all(Path(row.filename).name == "test_load_weights.py" for row in caught)
        np.testing.assert_array_equal(target.get_layer("seen").get_weights()[0], kept[0])
        for name in ("in", "both", "each", "score"):
            for a, b in zip(source.get_layer(name).get_weights(), target.get_layer(name).get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)

    def test_a_damaged_file_leaves_the_model_as_it_was(self, tmp_path: Path, ending: str) -> None:
        path, target = written(model_of(), tmp_path, ending), model_of(seed=2)
        before, whole = target.get_weights(), path.read_bytes()
        for size in (10, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            for skip in (False, True):
                with pytest.raises(GraphflowError, match=f"model{ending}"):
                    target.load_weights(path, skip_mismatch=skip)
        assert all(np.array_equal(a, b) for a, b in zip(before, target.get_weights(), strict=True))


def test_failing_in_the_middle_puts_the_weights_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphflow.formats import load_weights

    path, target = written(model_of(), tmp_path, ".weights.h5"), model_of(seed=2)
    before, done = target.get_weights(), []

    def failing(file: Any, group: Any) -> None:
        if len(done) == 3:
            raise OSError("the disk is gone")
        done.append(group)
        for variable in group.variables:
            variable.assign(np.zeros(variable.shape))

    monkeypatch.setattr(load_weights, "read_group", failing)
    with pytest.raises(OSError, match="disk is gone"):
        target.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, target.get_weights(), strict=True))


class TestKeras2:
    def test_by_name_leaves_other_layers(self, tmp_path: Path) -> None:
        source, target = model_of(seed=1), model_of(seed=2, last="other")
        kept = target.get_layer("other").get_weights()
        target.load_weights(written(source, tmp_path, ".h5"), by_name=True)
        np.testing.assert_array_equal(target.get_layer("other").get_weights()[0], kept[0])
        np.testing.assert_array_equal(
            target.get_layer("seen").get_weights()[0], source.get_layer("seen").get_weights()[0]
        )

    def test_in_order_names_do_not_matter(self, tmp_path: Path) -> None:
        source, target = model_of(seed=1), model_of(seed=2, last="other")
        target.load_weights(written(source, tmp_path, ".h5"))
        assert same(source, target)

    def test_another_number_of_layers_names_them(self, tmp_path: Path) -> None:
        path = written(model_of(), tmp_path, ".h5")
        target = Sequential([Dense(2, input_shape=(3,), name="alone")])
        with pytest.raises(ModelFormatError, match=r"1 layers \('alone'\), received those of 6 .*seen.*by_name=True"):
            target.load_weights(path, skip_mismatch=True)
        with pytest.raises(ModelFormatError, match="no layer has a name of the file; it has 'in, "):
            target.load_weights(path, by_name=True)

    def test_frozen_layers_keep_their_order(self, tmp_path: Path) -> None:
        source, target = model_of(seed=1), model_of(seed=2)
        for model in (source, target):
            model.get_layer("in").trainable = False
        target.load_weights(written(source, tmp_path, ".h5"))
        assert same(source, target)

    def test_by_name_is_refused_where_there_are_no_names(self, tmp_path: Path) -> None:
        with pytest.raises(ArgumentError, match=r"by_name is for .h5 files of Keras 2"):
            model_of().load_weights(written(model_of(), tmp_path, ".weights.h5"), by_name=True)


def shards_of(model: Model, folder: Path) -> Path:
    """The weights of a model in two files and their index, as Keras 3 writes them."""
    whole = written(model, folder, ".weights.h5")
    weight_map: dict[str, list[str]] = {}
    names = ["model_00000.weights.h5", "model_00001.weights.h5"]
    with (
        h5py.File(whole) as source,
        h5py.File(folder / names[0], "w") as first,
        h5py.File(folder / names[1], "w") as second,
    ):
        groups: list[str] = []
        source.visit(lambda path: groups.append(path) if path.endswith("vars") and len(source[path]) else None)
        for index, path in enumerate(groups):
            for key, dataset in source[path].items():
                last = index >= len(groups) // 2 or (index == len(groups) // 2 - 1 and key != "0")
                (second if last else first)[f"{path}/{key}"] = dataset[()]
                entry = weight_map.setdefault(f"/{path}", [])
                entry += [names[last]] if names[last] not in entry else []
    whole.unlink()
    index_path = folder / "model.weights.json"
    index_path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index_path


class TestShards:
    def test_weights_come_back(self, tmp_path: Path) -> None:
        source, target = model_of(seed=1), model_of(seed=2)
        target.load_weights(shards_of(source, tmp_path))
        assert same(source, target)

    def test_a_missing_shard(self, tmp_path: Path) -> None:
        index = shards_of(model_of(), tmp_path)
        (tmp_path / "model_00001.weights.h5").unlink()
        with pytest.raises(ModelFormatError, match=r"model.weights.json: the shard 'model_00001.weights.h5' must be"):
            model_of().load_weights(index)

    @pytest.mark.parametrize("name", ["../model_00000.weights.h5", "/etc/passwd", "..", "a\\b", "", 3, None])
    def test_a_shard_lies_beside_its_index(self, tmp_path: Path, name: Any) -> None:
        index = shards_of(model_of(), tmp_path)
        index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
        with pytest.raises(ModelFormatError, match="a shard must be a file beside its index"):
            model_of().load_weights(index)

    def test_a_symbolic_link_is_no_shard(self, tmp_path: Path) -> None:
        index = shards_of(model_of(), tmp_path)
        shard = tmp_path / "model_00001.weights.h5"
        shutil.move(shard, tmp_path / "elsewhere")
        shard.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ModelFormatError, match="must be a file beside it"):
            model_of().load_weights(index)


def test_weights_that_nobody_takes_are_told(tmp_path: Path) -> None:
    source = Sequential([Dense(2, input_shape=(3,)), Dense(4)])
    target = Sequential([Dense(2, input_shape=(3,))])
    with pytest.warns(UserWarning, match="no layer of model .* takes the weights 'layers/dense_1/vars'"):
        target.load_weights(written(source, tmp_path, ".weights.h5"))
    assert np.array_equal(target.get_weights()[0], source.get_weights()[0])


def test_a_layer_that_is_missing_in_the_file(tmp_path: Path) -> None:
    path = written(Sequential([Dense(2, input_shape=(3,))]), tmp_path, ".weights.h5")
    target = Sequential([Dense(2, input_shape=(3,)), Dense(4, name="more")])
    with pytest.raises(ModelFormatError, match=r"'more' \(Dense\) at 'layers/dense_1/vars': .*received none"):
        target.load_weights(path)


def test_names_that_differ_are_told_with_those_of_the_file(tmp_path: Path) -> None:
    path = written(Sequential([Dense(2, input_shape=(3,), name="a")]), tmp_path, ".safetensors")
    wanted = r"'b' \(Dense\) at 'b/kernel', 'b/bias': .*received none; the file also holds 'a/(bias|kernel)', 'a/"
    with pytest.raises(ModelFormatError, match=wanted):
        Sequential([Dense(2, input_shape=(3,), name="b")]).load_weights(path)


def test_a_layer_without_weights_yet() -> None:
    with pytest.raises(ArgumentError, match="'later' has no weights yet"):
        Sequential([Dense(2, name="later")]).load_weights("nothing.weights.h5")


def test_files_of_other_kinds(tmp_path: Path) -> None:
    model = Sequential([Dense(2, input_shape=(3,))])
    (tmp_path / "ckpt.index").write_bytes(b"x")
    with pytest.raises(UnsupportedError, match=r"ckpt: TensorFlow checkpoints are not read.*save_weights"):
        model.load_weights(tmp_path / "ckpt")
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "none.weights.h5")
    (tmp_path / "text").write_bytes(b"hello world")
    with pytest.raises(ModelFormatError, match=r"text: not a model file of a known format.*hello"):
        model.load_weights(tmp_path / "text")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ModelFormatError, match=r"data.h5: there are no weights of Keras"):
        model.load_weights(tmp_path / "data.h5")


def tensors(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


F4 = {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}
B4 = {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]}
BAD_TENSORS: list[tuple[str, bytes, str]] = [
    ("too short", b"\1\0\0", "must lie in the file"),
    ("long header", struct.pack("<Q", 1 << 60) + b"{}", "must lie in the file"),
    ("no object", struct.pack("<Q", 2) + b"[]", "expected a JSON object"),
    (
        "gap",
        tensors({"a": F4, "b": {**B4, "data_offsets": [28, 36]}}, bytes(36)),
        "array 'b': expected 8 bytes from 24",
    ),
    ("overlap", tensors({"a": F4, "b": {**B4, "data_offsets": [0, 8]}}, bytes(32)), "expected"),
    ("lying size", tensors({"a": {**F4, "shape": [300, 2]}}, bytes(24)), "array 'a': expected 2,400 bytes"),
    ("huge", tensors({"a": {**F4, "shape": [1 << 62, 4]}}, bytes(24)), "array 'a': expected"),
    ("negative", tensors({"a": {**F4, "shape": [-3, -2]}}, bytes(24)), "non-negative integers"),
    ("fraction", tensors({"a": {**F4, "shape": [3.0, 2]}}, bytes(24)), "non-negative integers"),
    ("not data", tensors({"a": F4}, bytes(20)), "must fill the 20 bytes"),
    ("more data", tensors({"a": F4}, bytes(28)), "must fill the 28 bytes"),
    ("kind", tensors({"a": {**F4, "dtype": "F8_E4M3"}}, bytes(24)), "'F8_E4M3' are not supported"),
    ("no offsets", tensors({"a": {"dtype": "F32", "shape": [3]}}, bytes(12)), "non-negative integers"),
]


@pytest.mark.parametrize(("name", "data", "phrase"), BAD_TENSORS, ids=[row[0] for row in BAD_TENSORS])
def test_broken_safetensors(tmp_path: Path, name: str, data: bytes, phrase: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(GraphflowError, match=f"x.safetensors.*{phrase}"):
        Sequential([Dense(2, input_shape=(3,))]).load_weights(path)


def test_safetensors_by_places_and_half_precision(tmp_path: Path) -> None:
    kernel = np.array([[1, 2], [3, 4], [5, 6.5]], "f4")
    header = {
        "layers/dense/vars/0": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [0, 12]},
        "layers/dense/vars/1": {"dtype": "F16", "shape": [2], "data_offsets": [12, 16]},
        "__metadata__": {"format": "np"},
    }
    data = (kernel.view("u4") >> 16).astype("<u2").tobytes() + np.array([7, 8], "<f2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(tensors(header, data))
    model = Sequential([Dense(2, input_shape=(3,))])
    model.load_weights(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], [7, 8])


@pytest.mark.oracle
@pytest.mark.parametrize("ending", [".weights.h5", "whole.h5", ".weights.json", ".keras"])
def test_files_of_keras_3(tmp_path: Path, ending: str) -> None:
    keras = pytest.importorskip("keras", reason="Keras is the oracle here")
    layers = keras.layers

    def theirs() -> Any:
        x, words = keras.Input((6, 5, 2)), keras.Input((4, 3))
        inner_in = keras.Input((6, 5, 2))
        inner = keras.Model(inner_in, layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(3, 2)(inner_in))))
        read = layers.Bidirectional(layers.LSTM(2))(layers.TimeDistributed(layers.Dense(2))(words))
        return keras.Model([x, words], [layers.Dense(2)(layers.Dense(3)(inner(x))), layers.Dense(1)(read)])

    model = theirs()
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(one.shape, "float32") for one in model.weights])
    path = tmp_path / f"model{ending}"
    if ending in (".keras", "whole.h5"):
        model.save(path)
    else:
        more = {"max_shard_size": 8e-7} if ending == ".weights.json" else {}
        model.save_weights(path, **more)
    target = model_of()
    target.load_weights(path)
    arrays = [rng.random((2, 6, 5, 2), "float32"), rng.random((2, 4, 3), "float32")]
    for ours, wanted in zip(target.predict(arrays, verbose=0), model.predict(arrays, verbose=0), strict=True):
        assert np.abs(ours - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.oracle
@pytest.mark.parametrize("ending", [".h5", "whole.h5", ".weights.h5"])
@pytest.mark.parametrize("frozen", [False, True])
def test_files_of_tf_keras(tmp_path: Path, ending: str, frozen: bool) -> None:
    keras = pytest.importorskip("tf_keras", reason="tf_keras is the oracle here")
    layers = keras.layers
    x, words = keras.Input((6, 5, 2)), keras.Input((4, 3))
    inner_in = keras.Input((6, 5, 2))
    inner = keras.Model(inner_in, layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(3, 2)(inner_in))))
    read = layers.Bidirectional(layers.LSTM(2))(layers.TimeDistributed(layers.Dense(2))(words))
    model = keras.Model([x, words], [layers.Dense(2)(layers.Dense(3)(inner(x))), layers.Dense(1)(read)])
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(one.shape, "float32") for one in model.weights])
    inner.trainable = not frozen
    path = tmp_path / f"model{ending}"
    (model.save if ending == "whole.h5" else model.save_weights)(str(path))
    target = model_of()
    target.get_layer("in").trainable = not frozen
    target.load_weights(path)
    arrays = [rng.random((2, 6, 5, 2), "float32"), rng.random((2, 4, 3), "float32")]
    for ours, wanted in zip(target.predict(arrays, verbose=0), model.predict(arrays, verbose=0), strict=True):
        assert np.abs(ours - wanted).max() <= 1e-5 * np.abs(wanted).max()
